"""The flows, as schedules, forms and commands run them."""
