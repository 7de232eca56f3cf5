"""Ways to get a spreadsheet's ads. Each is a script: SPREADSHEET OUTPUT, the key from SAL_API_KEY.

OUTPUT becomes a CSV with an `image_ad_id` and an `image_url` for each row, in the rows' order.
`BENCHMARK_SPEED` says how much faster than the API the server is, and all pauses are shorter by it.
"""
