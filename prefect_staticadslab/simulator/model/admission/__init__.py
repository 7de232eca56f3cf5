"""Who may ask, how often, and what the same question is answered the second time."""
