"""Serving with uvicorn: limits on connections."""
