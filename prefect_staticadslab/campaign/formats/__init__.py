"""How each format of a spreadsheet is read and written: a module per format."""
