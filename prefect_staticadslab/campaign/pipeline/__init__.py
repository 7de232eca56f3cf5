"""From jobs that are planned to their ends: create, follow in batches, record."""
