"""A campaign inside a flow run: its tasks, its retries, and what Prefect is told of it."""
