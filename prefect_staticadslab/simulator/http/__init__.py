"""What speaks HTTP: the calls under `/v1`, the files, the counters, and the faults on the way."""
