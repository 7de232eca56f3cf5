"""The floor that speaks HTTP. It knows neither Prefect nor pandas."""
