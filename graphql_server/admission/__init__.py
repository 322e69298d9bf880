"""Admission: how many requests and how many large answers at once, shared fairly among callers."""
