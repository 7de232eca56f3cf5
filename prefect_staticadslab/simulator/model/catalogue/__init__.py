"""Brands, products, variants, audiences, images and the design templates of the start."""
