"""The catalogue as tables, and what is added to it from one."""
