"""The GraphQL schema: `schema`, executed by `transport`, and its text by `plan-api schema`.

Types read records and loaders; mutations call `coordination`. Nothing outside `schema` and `transport` knows GraphQL.
"""

from collections.abc import Sequence

import strawberry.federation
from graphql import GraphQLError
from strawberry.extensions import MaxTokensLimiter, ParserCache, QueryDepthLimiter, ValidationCache
from strawberry.schema.config import StrawberryConfig
from strawberry.types import ExecutionContext

from api.schema.mutation import Mutation
from api.schema.query import Query
from api.schema.scalars import SCALARS

DEEPEST_QUERY = 15
MOST_TOKENS = 5000
CACHED_DOCUMENTS = 500


class Schema(strawberry.federation.Schema):
    """The federation schema; errors are logged and told by `transport`, once and in one place."""

    def process_errors(self, errors: Sequence[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        """Leave errors alone: the default would log every one with its stack."""


schema = Schema(
    query=Query,
    mutation=Mutation,
    config=StrawberryConfig(scalar_map=SCALARS),
    extensions=[
        lambda: QueryDepthLimiter(max_depth=DEEPEST_QUERY),
        lambda: MaxTokensLimiter(max_token_count=MOST_TOKENS),
        lambda: ParserCache(maxsize=CACHED_DOCUMENTS),
        lambda: ValidationCache(maxsize=CACHED_DOCUMENTS),
    ],
)


# What a federation gateway takes for granted and every other reader of schema.graphql does not.
FEDERATION_DEFINITIONS = '''
"""Marks by which fields an entity is found (Apollo Federation 2)."""
directive @key(fields: _FieldSet!, resolvable: Boolean = true) repeatable on OBJECT | INTERFACE

"""Names a specification that the schema uses (Apollo Federation 2)."""
directive @link(url: String, as: String, for: link__Purpose, import: [link__Import]) repeatable on SCHEMA

"""A selection of fields, as text."""
scalar _FieldSet

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


def schema_text() -> str:
    """The schema in GraphQL's own language, as committed in schema.graphql; it stands on its own."""
    return schema.as_str() + "\n" + FEDERATION_DEFINITIONS
