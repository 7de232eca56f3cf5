"""What Prefect is told of a run: artifacts, progress, events and assets, all of bounded size."""
