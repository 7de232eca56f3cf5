"""A fuzz of everything that reads what others wrote: files, cells, names, answers, headers.

`python -m tests.security.fuzz` gives each parser made-up and mangled inputs for an hour: see
`--help`. An honest refusal is an exception of the program's own; anything else is a crash. What a
parser promises besides is checked on the way, such as that a table which is written and read again
asks for the same ads.
"""
