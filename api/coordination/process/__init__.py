"""TODO api/coordination/process."""
