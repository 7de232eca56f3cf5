"""What the simulated API knows and decides, without a word of HTTP."""
