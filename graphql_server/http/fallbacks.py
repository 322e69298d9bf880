"""The answers where no endpoint answers: unknown paths, wrong methods, unexpected exceptions."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from graphql_server.http.graphql_errors import MASKED, request_error
from graphql_server.http.problem_details import problem


async def masked(_request: Request, _error: Exception) -> Response:
    """The answer to an unexpected exception, which the server logs with the request id."""
    return JSONResponse(request_error(MASKED, code="INTERNAL_ERROR"), 500)


async def not_found(request: Request, _error: Exception) -> Response:
    """The answer to an unknown path."""
    hint = " Leave out the trailing slash." if request.url.path.endswith("/") else ""
    return problem(404, "NOT_FOUND", f"Not found.{hint}")


async def method_not_allowed(_request: Request, error: Exception) -> Response:
    """The answer to a method that the path does not allow; the header Allow has those it does."""
    headers = error.headers if isinstance(error, HTTPException) else None
    allowed = (headers or {}).get("Allow", "another")
    return problem(405, "BAD_REQUEST", f"Method not allowed; use {allowed}.", headers)


async def disconnected(_request: Request, _error: Exception) -> Response:
    """The answer to a client that disconnected before its request was complete; nobody reads it."""
    return Response(status_code=400)


HANDLERS: Mapping[Any, Any] = MappingProxyType(
    {404: not_found, 405: method_not_allowed, ClientDisconnect: disconnected, Exception: masked}
)
"""Starlette's `exception_handlers`."""
