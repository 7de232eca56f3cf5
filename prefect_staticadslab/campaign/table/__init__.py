"""The result table, which is the campaign's record."""
