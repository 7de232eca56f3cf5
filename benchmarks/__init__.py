"""What users would do instead, side by side with this package. `python -m benchmarks --help`"""
