"""The verbs: one a file, functions whose parameters are what they need. Called by `schema.mutation`, `transport.rest`
and the worker. Every step may be repeated; each docstring says what a crash after each leaves.
"""
