"""The execution of lists, column by column: `CompiledExecutor`, given to strawberry by schema/__init__.py.

A list of objects whose values are all as the schema has them is completed here: plain fields as columns, resolvers side
by side without a task for each. Whatever is unusual (an error, a null where none may be, a type of another kind) is no
concern of this package: it gives up, and graphql-core's own executor does the whole list instead.
"""
