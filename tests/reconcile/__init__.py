"""Drafts whose process ended without them, found by the sweep or by who asks, and brought to their end."""
