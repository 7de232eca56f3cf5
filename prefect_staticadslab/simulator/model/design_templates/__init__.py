"""Design templates: those of the start, and those that are made from reference images."""
