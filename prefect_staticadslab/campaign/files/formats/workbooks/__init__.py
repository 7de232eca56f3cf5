"""Workbooks of every program, and the sheets within them."""
