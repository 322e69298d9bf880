"""TODO api/coordination/rules."""
