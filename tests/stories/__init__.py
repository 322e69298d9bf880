"""Whole stories over GraphQL, on the real systems."""
