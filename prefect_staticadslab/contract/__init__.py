"""The proof that the API is what we take it for: it is asked, and what it answers is compared.

Nobody who writes this package has a key, so what the API's pages leave open is assumed, and what is
assumed is written down once, in `assumptions`. `staticadslab contract` asks the
API for each of these, for nothing, and says which hold.
"""
