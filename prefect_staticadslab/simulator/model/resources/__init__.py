"""What the API answers: its resources as they look from outside, and their ids."""
