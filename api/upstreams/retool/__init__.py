"""Retool's PostgreSQL, where drafts live: its client, its records, its SQL, and what only it needs."""
