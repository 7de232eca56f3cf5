"""A world in one process: time, chance, network, disk and API are decided by one seed."""
