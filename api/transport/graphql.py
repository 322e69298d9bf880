"""GraphQL over HTTP: the endpoint `/graphql`, by the GraphQL-over-HTTP specification (draft), whose sections are named.

With `application/graphql-response+json` the status says what happened; with `application/json` a well-formed request
is always answered 200. Every answer is a GraphQL response in JSON, also a refusal before execution.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import orjson
from graphql import GraphQLError
from starlette.requests import Request
from starlette.responses import Response
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types import ExecutionResult
from strawberry.types.graphql import OperationType

from api.context import make_context
from api.errors import Unauthenticated, UpstreamFailed
from api.identity import Viewer
from api.schema import schema_for
from api.settings import Settings
from api.transport.graphql_errors import error_entries, request_error
from api.transport.state import State, admitted, challenge, state_of
from graphql_server.documents.answer_size import counting_bytes
from graphql_server.errors import OVERLOADED, RETRY_AFTER, HttpRefusal, OverLimit
from graphql_server.graphiql import page, tabs_of
from graphql_server.http.conditional_get import revalidated
from graphql_server.http.cross_site import refuse_cross_site
from graphql_server.http.disconnect import cancelled_on_disconnect
from graphql_server.http.negotiation import JSON, RESPONSE_JSON, chosen_media_type, is_json, wants_html
from graphql_server.http.request_body import received

GRAPHIQL_ASSETS = "/graphiql"
EXAMPLES = Path(__file__).parent / "examples.graphql"
VARY = "Accept, Authorization, X-API-Key, X-User-Id, X-User-Groups"  # what an answer depends on besides its URL
TOO_LARGE = "ANSWER_TOO_LARGE"


class Parameters(msgspec.Struct, frozen=True, rename="camel"):
    """The parameters of a request (section "Request Parameters"). Unknown ones are ignored, as the section demands."""

    query: str | None = None
    variables: dict[str, Any] | None = None
    operation_name: str | None = None
    extensions: dict[str, Any] | None = None
    document_id: str | None = None


async def graphql(request: Request) -> Response:
    """Answer one GraphQL request, or a browser's request for GraphiQL."""
    state = state_of(request)
    if request.method == "GET" and state.settings.graphiql and wants_html(request.headers.get("accept")):
        return _graphiql(state)
    media_type = chosen_media_type(request.headers.get("accept"))
    try:
        if media_type is None:
            raise HttpRefusal(406, f"Not acceptable; accept {RESPONSE_JSON} or {JSON}.")
        refuse_cross_site(request, state.settings.cors_origins, setting="CORS_ORIGINS")
        viewer = await admitted(request)
        result = await _execute(request, viewer, await _parameters(request))
    except HttpRefusal as refusal:
        body = request_error(refusal.message, code=refusal.code)
        return _answer(refusal.status, media_type or JSON, body, refusal.headers)
    except Unauthenticated as refusal:
        body = request_error(str(refusal), code="UNAUTHENTICATED")
        return _answer(401, media_type or JSON, body, challenge(refusal))
    except UpstreamFailed as failure:
        body = request_error(failure.message, code=failure.code, upstream=failure.upstream, retryable=failure.retryable)
        return _answer(503, media_type or JSON, body)
    answer = _executed(result, media_type or JSON, state.settings)
    return answer if result.errors or request.method != "GET" else revalidated(request, answer, vary=VARY)


def _graphiql(state: State) -> Response:
    """The GraphiQL page. Its links are relative, since a proxy may serve it below another path."""
    assets, tabs = GRAPHIQL_ASSETS.lstrip("/"), tabs_of(EXAMPLES.read_text("utf-8"))
    return page(title="plan-api", endpoint="graphql", assets=assets, note=state.note, tabs=tabs)


async def _execute(request: Request, viewer: Viewer, parameters: Parameters) -> ExecutionResult:
    state = state_of(request)
    context = make_context(viewer, state.upstreams, state.settings, state.large_answers)
    work = schema_for(state.settings).execute(
        state.operations.text(parameters.query, parameters.document_id, parameters.extensions or {}),
        variable_values=parameters.variables,
        context_value=context,
        operation_name=parameters.operation_name or None,
        allowed_operation_types=_allowed(request.method),
    )
    try:
        with counting_bytes(state.settings.max_answer_bytes) as size:
            result = _admitted_result(await cancelled_on_disconnect(request, context, work))
        return _too_large(size.limit) if size.is_over else result
    except CannotGetOperationTypeError as error:
        return ExecutionResult(data=None, errors=[GraphQLError(_no_operation(error.operation_name))])
    except InvalidOperationTypeError as error:
        kind = error.operation_type.value
        if kind == OperationType.MUTATION.value:
            raise HttpRefusal(405, "Mutations are not allowed by GET; use POST.", {"Allow": "POST"}) from error
        raise HttpRefusal(400, f"{kind.capitalize()}s are not supported.") from error
    finally:
        # graphql-core's executor is a reference cycle that holds all this; what was read need not wait for the
        # garbage collector.
        context.renew_loaders()


def _admitted_result(result: ExecutionResult) -> ExecutionResult:
    """The result, unless the answer was too large to be computed beside the others (503)."""
    cause = result.errors[0].original_error if result.errors else None
    if isinstance(cause, OverLimit) and cause.code == OVERLOADED:
        raise HttpRefusal(503, cause.message, RETRY_AFTER, code=OVERLOADED)
    return result


def _too_large(limit: int) -> ExecutionResult:
    """The result in place of an answer that is too large."""
    message = (
        f"The answer has more than {limit} bytes and is not sent; a mutation was carried out all the same. "
        "Ask for fewer things at once, or without documents (planData, resource)."
    )
    return ExecutionResult(data=None, errors=[GraphQLError(message, original_error=OverLimit(TOO_LARGE, message))])


def _no_operation(name: str | None) -> str:
    return "The query contains no operation." if name is None else f"The query contains no operation named {name}."


def _allowed(method: str) -> tuple[OperationType, ...]:
    """The types of operations a method may execute: a GET must change nothing (section "GET")."""
    return (OperationType.QUERY,) if method == "GET" else (OperationType.QUERY, OperationType.MUTATION)


async def _parameters(request: Request) -> Parameters:
    if request.method == "GET":
        return _from_query(request)
    if request.method != "POST":
        raise HttpRefusal(405, "Method not allowed; use GET or POST.", {"Allow": "GET, POST"})
    if not is_json(request.headers.get("content-type", "")):
        raise HttpRefusal(415, f"The body must be {JSON} in UTF-8.")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise HttpRefusal(415, "The body must not be compressed.", {"Accept-Encoding": "identity"})
    settings = state_of(request).settings
    body = await received(request, at_most=settings.max_body_bytes, seconds=settings.receive_seconds)
    if body.lstrip()[:1] == b"[":
        raise HttpRefusal(
            400, "Batched requests (a list) are not supported; send one request at a time.", code="BATCH_REFUSED"
        )
    parameters: Parameters = _decoded(body, Parameters)
    return parameters


def _from_query(request: Request) -> Parameters:
    given = request.query_params
    return Parameters(
        query=given.get("query"),
        variables=_object(given.get("variables")),
        operation_name=given.get("operationName") or None,
        extensions=_object(given.get("extensions")),
        document_id=given.get("documentId"),
    )


def _object(text: str | None) -> dict[str, Any] | None:
    return _decoded(text.encode(errors="replace"), dict[str, Any]) if text else None


def _decoded(body: bytes, kind: Any) -> Any:
    try:
        return msgspec.json.decode(body, type=kind)
    except RecursionError as error:
        raise HttpRefusal(400, "The request is nested too deeply.") from error
    except (msgspec.DecodeError, ValueError) as error:
        raise HttpRefusal(400, f"The body is not a valid GraphQL-over-HTTP request: {error}") from error


def _executed(result: ExecutionResult, media_type: str, settings: Settings) -> Response:
    """The response to an execution. One that did not begin has no `data` (section "Response")."""
    errors = result.errors or []
    began = result.data is not None or any(error.path for error in errors)
    body: dict[str, object] = {"data": result.data} if began else {}
    if errors:
        body["errors"] = error_entries(errors, suggestions=settings.suggestions)
    content = orjson.dumps(body)
    if began and len(content) > settings.max_answer_bytes:
        return _executed(_too_large(settings.max_answer_bytes), media_type, settings)
    return _answer(400 if media_type == RESPONSE_JSON and not began else 200, media_type, content)


def _answer(
    status: int, media_type: str, body: Mapping[str, object] | bytes, headers: Mapping[str, str] | None = None
) -> Response:
    content_type = f"{media_type}; charset=utf-8"
    fixed = {"Content-Type": content_type, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    return Response(content, status, headers={**fixed, **(headers or {})})
