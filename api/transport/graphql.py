"""The endpoint `/graphql`: who asks and is admitted, the service's own errors, and GraphiQL for browsers."""

import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from api.context import Context, make_context
from api.errors import Misconfigured, Refused, Unauthenticated, UpstreamFailed
from api.schema import schema_for
from api.settings import Settings
from api.transport.state import admitted, challenge, state_of
from api.transport.trusted_operations import open_operations
from graphql_server.graphiql import page, tabs_of
from graphql_server.http.endpoint import Endpoint, EndpointLimits
from graphql_server.http.graphql_errors import Described
from graphql_server.http.negotiation import wants_html
from graphql_server.refusals import HttpRefusal

GRAPHIQL_ASSETS = "/graphiql"
EXAMPLES = Path(__file__).parent / "examples.graphql"
VARY = "Accept, Authorization, X-API-Key, X-User-Id, X-User-Groups"  # what an answer depends on besides its URL

_log = logging.getLogger(__name__)


def graphql_endpoint(settings: Settings) -> Callable[[Request], Awaitable[Response]]:
    """The handler of GraphQL requests, and of a browser's request for GraphiQL. Raises Misconfigured."""
    endpoint = Endpoint(
        schema_for(settings),
        open_operations(settings),
        msgspec.convert(settings, EndpointLimits, from_attributes=True),
        open_context,
        described,
        VARY,
        settings.cors_origins,
        origins_setting="CORS_ORIGINS",
        advice="Ask for fewer things at once, or without documents (planData, resource).",
    )

    async def graphql(request: Request) -> Response:
        if request.method == "GET" and settings.graphiql and wants_html(request.headers.get("accept")):
            return _graphiql(state_of(request).note)
        return await endpoint.answer(request)

    return graphql


async def open_context(request: Request) -> Context:
    """The context of an admitted request. Raises HttpRefusal."""
    state = state_of(request)
    try:
        viewer = await admitted(request)
    except Unauthenticated as refusal:
        raise HttpRefusal(401, str(refusal), challenge(refusal), code="UNAUTHENTICATED") from refusal
    except UpstreamFailed as failure:
        more = {"upstream": failure.upstream, "retryable": failure.retryable}
        raise HttpRefusal(503, failure.message, code=failure.code, more=more) from failure
    return make_context(viewer, state.upstreams, state.settings, state.large_answers)


def described(error: BaseException) -> Described | None:
    """What clients are told of an error of this service; None for others, which are masked."""
    match error:
        case UpstreamFailed():
            return error.message, {"code": error.code, "upstream": error.upstream, "retryable": error.retryable}
        case Refused():
            field = {"field": error.field} if error.field else {}
            return error.message, {"code": error.code.value, **field}
        case Misconfigured():
            _log.error("misconfigured", extra={"reason": str(error)})
            return str(error), {"code": error.code}
    return None


def _graphiql(note: str) -> Response:
    """The GraphiQL page. Its links are relative, since a proxy may serve it below another path."""
    assets, tabs = GRAPHIQL_ASSETS.lstrip("/"), tabs_of(EXAMPLES.read_text("utf-8"))
    return page(title="plan-api", endpoint="graphql", assets=assets, note=note, tabs=tabs)
