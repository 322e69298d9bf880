"""Requests that nobody thought of: none may end in a fault of ours, whatever the systems behind make of it."""
