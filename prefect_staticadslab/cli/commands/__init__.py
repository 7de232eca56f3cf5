"""The commands, a module each: what is asked for becomes a run, here or in Prefect."""
