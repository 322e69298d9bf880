"""Serving with uvicorn: sockets, one process or several, metrics, limits on connections."""
