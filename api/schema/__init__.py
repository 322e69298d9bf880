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


def schema_text() -> str:
    """The schema in GraphQL's own language, as committed in schema.graphql."""
    return schema.as_str() + "\n"
