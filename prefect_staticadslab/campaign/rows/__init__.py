"""From cells to ads: columns, ids, prompts and settings, row by row."""
