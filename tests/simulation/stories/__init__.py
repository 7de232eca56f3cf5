"""What happens to a campaign in a world, and what must be true of it at every moment."""
