"""Prefect blocks: an API key, and what the ads of a brand share."""
