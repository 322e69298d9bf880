"""Columnar execution of lists for any Strawberry schema, with a batch loader and fields that resolve a whole list.

A list of objects whose values are all valid is completed field by field instead of object by object. At the first
unusual thing (an error, a null in a non-null field, an abstract type) graphql-core's own executor completes the whole
list instead, so errors are always its own. README.md says when to use it, and how.
"""
