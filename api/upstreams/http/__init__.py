"""What the two HTTP systems share: one call with its deadline, retries, authentication and connections."""
