"""Names, filters, combinations and placeholders: from a spreadsheet for people to one of ids."""
