"""The `errors` of GraphQL responses: message, code, request id. Unexpected exceptions are masked and logged."""

import logging
from collections.abc import Callable, Mapping, Sequence

from graphql import FieldNode, GraphQLError, GraphQLSyntaxError

from graphql_server.http.request_id import request_id
from graphql_server.refusals import OverLimit

MASKED = "Internal error. The service's log has the details under this request id."
TOO_DEEP = "The request is nested too deeply."

Described = tuple[str, Mapping[str, object]]
"""What clients are told of an error: a message, and `extensions` with its code."""
Known = Callable[[BaseException], Described | None]
"""The description of an error that the service knows; None for others, which are masked."""

_log = logging.getLogger(__name__)


def request_error(message: str, *, code: str = "BAD_REQUEST", **more: object) -> dict[str, object]:
    """The response body for a request that was not executed."""
    return {"errors": [{"message": message, "extensions": {"code": code, **more, "requestId": request_id.get()}}]}


def error_entries(errors: Sequence[GraphQLError], known: Known, *, suggestions: bool) -> list[dict[str, object]]:
    """The entries of `errors`. `suggestions`: whether messages may suggest names similar to a wrong one."""
    return [_entry(error, known, suggestions=suggestions) for error in errors]


def _entry(error: GraphQLError, known: Known, *, suggestions: bool) -> dict[str, object]:
    message, extensions = _message(error, known)
    message = message if suggestions else message.partition(" Did you mean ")[0]
    entry: dict[str, object] = {"message": message}
    if error.locations:
        entry["locations"] = [{"line": place.line, "column": place.column} for place in error.locations]
    if error.path:
        entry["path"] = error.path
    return {**entry, "extensions": {**extensions, "requestId": request_id.get()}}


def _message(error: GraphQLError, known: Known) -> Described:
    cause = error.original_error
    while isinstance(cause, GraphQLError) and cause.original_error:
        cause = cause.original_error
    if isinstance(cause, RecursionError):
        cause = OverLimit("QUERY_TOO_DEEP", TOO_DEEP)
    if isinstance(cause, OverLimit):
        return cause.message, {"code": cause.code}
    if cause is not None and (described := known(cause)):
        return described
    if _is_about_the_request(error, cause):
        is_unreadable = isinstance(error, GraphQLSyntaxError)
        return error.message, {"code": "GRAPHQL_PARSE_FAILED" if is_unreadable else "GRAPHQL_VALIDATION_FAILED"}
    _log.error("unexpected error", exc_info=cause or error)
    return MASKED, {"code": "INTERNAL_ERROR"}


def _is_about_the_request(error: GraphQLError, cause: BaseException | None) -> bool:
    """Whether an error was found in the document or its variables; anything else of this kind is a fault of ours.

    An argument may turn out wrong as late as its field is resolved; such an error points at the argument, others
    at the field.
    """
    if error.path is None:
        return bool(error.locations) or cause is None
    culprit = cause if isinstance(cause, GraphQLError) else error if cause is None else None
    nodes = (culprit.nodes if culprit else None) or []
    return bool(nodes) and not any(isinstance(node, FieldNode) for node in nodes)
