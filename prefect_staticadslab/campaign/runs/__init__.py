"""A run of a campaign from its options to its outcome, wherever it runs: here, or in Prefect."""
