"""Drafts tables as deployments really have them."""
