"""A PostgreSQL database behind the same deadline, retries and circuit breaker as the HTTP systems."""
