"""The floor between a spreadsheet and its result table. It knows neither HTTP nor Prefect."""
