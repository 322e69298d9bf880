"""The verbs of an approval, one a file. Every step of a verb is idempotent, and its docstring says what a crash after
each step leaves behind.
"""
