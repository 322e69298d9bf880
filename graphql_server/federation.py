"""A schema for Apollo Federation 2 whose errors come in a fixed order, and its text, which stands on its own."""

from collections.abc import Sequence

import strawberry.federation
from graphql import GraphQLError
from strawberry.types import ExecutionContext

# Definitions that a federation gateway has and every other reader of schema.graphql needs.
FEDERATION_DEFINITIONS = '''
"""Marks by which fields an entity is found (Apollo Federation 2)."""
directive @key(fields: federation__FieldSet!, resolvable: Boolean = true) repeatable on OBJECT | INTERFACE

"""Names a specification that the schema uses (Apollo Federation 2)."""
directive @link(url: String!, as: String, for: link__Purpose, import: [link__Import]) repeatable on SCHEMA

"""A selection of fields, as text."""
scalar federation__FieldSet

"""A name that is taken over from a specification."""
scalar link__Import

"""What a specification is used for."""
enum link__Purpose {
  """Access rules: a gateway must know it."""
  SECURITY

  """The meaning of answers: a gateway must know it."""
  EXECUTION
}
'''


class FederationSchema(strawberry.federation.Schema):
    """A federation schema; the HTTP server logs and reports its errors."""

    def process_errors(
        self,
        errors: Sequence[GraphQLError],
        execution_context: ExecutionContext | None = None,  # noqa: ARG002  # strawberry's signature
    ) -> None:
        """Sort them row by row, since they come in the order systems fail. The inherited method logs each."""
        if isinstance(errors, list):
            errors.sort(key=_position)


def _position(error: GraphQLError) -> tuple[list[int], list[tuple[int, int]], str]:
    """The order of an error: by its row, then by its field's position in the document."""
    path = error.path or []
    rows = [step for step in path if isinstance(step, int)]
    return rows, [(each.line, each.column) for each in error.locations or []], str(path)


def text_of(schema: strawberry.federation.Schema) -> str:
    """The schema in GraphQL's own language, with the definitions that every reader of the text needs."""
    return schema.as_str() + "\n" + FEDERATION_DEFINITIONS
