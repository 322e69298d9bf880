"""The parameters of a GraphQL request, from its URL or its body (GraphQL over HTTP, section "Request Parameters")."""

from typing import Any

import msgspec
from starlette.requests import Request
from strawberry.types.graphql import OperationType

from graphql_server.http.negotiation import JSON, is_json
from graphql_server.http.request_body import received
from graphql_server.refusals import HttpRefusal


class Parameters(msgspec.Struct, frozen=True, rename="camel"):
    """The parameters of a request. Unknown ones are ignored, as the section demands."""

    query: str | None = None
    variables: dict[str, Any] | None = None
    operation_name: str | None = None
    extensions: dict[str, Any] | None = None
    document_id: str | None = None


def allowed_operations(method: str) -> tuple[OperationType, ...]:
    """The types of operations a method may execute: a GET must change nothing (section "GET")."""
    return (OperationType.QUERY,) if method == "GET" else (OperationType.QUERY, OperationType.MUTATION)


async def read_parameters(request: Request, *, max_bytes: int, seconds: float) -> Parameters:
    """The parameters of a request. Raises HttpRefusal for what is no GraphQL request, or a larger or slower one."""
    if request.method == "GET":
        return _from_query(request)
    if request.method != "POST":
        raise HttpRefusal(405, "Method not allowed; use GET or POST.", {"Allow": "GET, POST"})
    if not is_json(request.headers.get("content-type", "")):
        raise HttpRefusal(415, f"The body must be {JSON} in UTF-8.")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise HttpRefusal(415, "The body must not be compressed.", {"Accept-Encoding": "identity"})
    body = await received(request, at_most=max_bytes, seconds=seconds)
    if body.lstrip()[:1] == b"[":
        raise HttpRefusal(
            400, "Batched requests (a list) are not supported; send one request at a time.", code="BATCH_REFUSED"
        )
    return parameters_in(body)


def parameters_in(body: bytes) -> Parameters:
    """The parameters in a body. Raises HttpRefusal."""
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
