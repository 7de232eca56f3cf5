"""Tables as bytes: delimited text, Excel workbooks and Parquet, each checked before it is read."""
