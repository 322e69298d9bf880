"""Races on the real systems, each round by a seeded schedule that can be run again."""
