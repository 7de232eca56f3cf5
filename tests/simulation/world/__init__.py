"""A world of one process: an API, a network, a disk, a clock, and processes that may die in it."""
