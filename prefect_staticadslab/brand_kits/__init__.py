"""Blocks as code: what a file and the environment say, and what Prefect has saved."""
