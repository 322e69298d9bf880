"""A system behind HTTP and JSON: one call with its deadline, retries, authentication and connections."""
