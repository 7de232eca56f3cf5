"""Image ads: what a create must hold, and the job that it begins."""
