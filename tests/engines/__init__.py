"""Engines as people have them: authorization, history levels, other time zones, candidates of every kind."""
