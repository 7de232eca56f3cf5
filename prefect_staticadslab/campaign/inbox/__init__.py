"""A folder of campaign spreadsheets: which of its files are to be run, and which were."""
