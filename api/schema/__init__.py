"""The GraphQL schema: `schema`, which `transport` executes, and its text, which `plan-api schema` prints.

Types read records and loaders; mutations call `coordination`. Nothing outside `schema` and `transport` knows GraphQL.
"""

from copy import copy
from functools import partial

from strawberry.federation.schema import FederationAny
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.types import Info

from api.errors import Refused, UserErrorCode
from api.schema.arguments import LARGEST_PAGE, demand_few
from api.schema.mutation import Mutation
from api.schema.query import Query
from api.settings import Settings
from columnar.executor import ColumnarExecutor
from graphql_server.documents.answer_cost import CostRules
from graphql_server.documents.document import Documents
from graphql_server.documents.preparation import Preparation
from graphql_server.federation import FederationSchema, text_of
from graphql_server.scalars import SCALARS
from plandiff.problems import MOST_PROBLEMS

# The longest that lists without a `limit` are taken to be. What no limit of ours bounds is bounded by what people do.
LENGTHS = {
    "ApprovalStatus.openTasks": 20,
    "ApprovalStatus.decisions": 50,
    "Draft.problems": 2 * (MOST_PROBLEMS + 1),
    "SubmitForApprovalPayload.problems": 2 * (MOST_PROBLEMS + 1),
    "userErrors": 10,
}
KEYS = {"Draft": ("id",), "Task": ("id",), "PlanVersion": ("id", "versionId")}


def entity_key(representation: object) -> dict[str, str]:
    """The type and key in a gateway's representation. Raises Refused (INVALID) for what is no entity of this schema."""
    named = representation if isinstance(representation, dict) else {}
    type_name = named.get("__typename")
    names = KEYS.get(type_name, ()) if isinstance(type_name, str) else ()
    key = {name: named[name] for name in names if isinstance(named.get(name), str)}
    if not names or len(key) < len(names):
        types = ", ".join(f"{name} by {' and '.join(fields)}" for name, fields in KEYS.items())
        raise Refused(UserErrorCode.INVALID, f"A representation must be one of: {types}.", field="representations")
    return {"__typename": str(type_name), **key}


class Schema(FederationSchema):
    """The federation schema, with limits on the entities that a request asks for."""

    def entities_resolver(self, info: Info, representations: list[FederationAny]) -> list[FederationAny]:
        """As inherited, after a check that every representation is valid and that they are not too many."""
        try:
            keys = [entity_key(each) for each in representations]
            demand_few(info.context, entities=len(keys), tasks=sum(key["__typename"] == "Task" for key in keys))
        except Refused as refusal:
            info.context.refusal = refusal  # of the whole request: the list can not be null
            raise
        return super().entities_resolver(info, [FederationAny(key) for key in keys])


documents = Documents(CostRules(LARGEST_PAGE, LENGTHS))
schema = Schema(
    query=Query,
    mutation=Mutation,
    federation_version="2.9",  # the newest that Apollo, Hive and WunderGraph all compose
    config=StrawberryConfig(scalar_map=SCALARS),
    extensions=[partial(Preparation, documents)],
    execution_context_class=ColumnarExecutor,
)
stock_schema = copy(schema)
stock_schema.execution_context_class = StrawberryGraphQLCoreExecutionContext


def schema_for(settings: Settings) -> Schema:
    """The schema with the executor of the setting EXECUTOR. Both give the same answers."""
    return stock_schema if settings.executor == "stock" else schema


def mistakes_in(text: str) -> str | None:
    """The first mistake that keeps a document from being executed, or None."""
    return documents.mistake_in(text, schema._schema)  # noqa: SLF001  # graphql-core's own, as in graphql_server/documents


def schema_text() -> str:
    """The schema in GraphQL's own language, as committed in schema.graphql; it stands on its own."""
    return text_of(schema)
