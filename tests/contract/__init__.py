"""Whether the command that holds the API against this package finds what differs, and only that."""
