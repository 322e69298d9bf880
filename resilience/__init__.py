"""Calls to systems that fail: deadlines, retries, circuit breakers and fair slots, for HTTP and for PostgreSQL."""
