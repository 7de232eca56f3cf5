"""Bytes and cells: where files are, what may be read of them, and every format of a spreadsheet."""
