"""TODO plandiff."""
