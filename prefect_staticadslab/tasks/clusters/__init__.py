"""Chunks on a cluster's workers: how these reach the run that has the table."""
