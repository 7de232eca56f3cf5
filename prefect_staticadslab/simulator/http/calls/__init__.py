"""What answers each call under `/v1`."""
