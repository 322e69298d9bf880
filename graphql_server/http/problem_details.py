"""Problem details (RFC 9457): a refusal outside GraphQL, as JSON."""

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType

import orjson
from starlette.responses import Response

from graphql_server.http.request_id import request_id

NOTHING: Mapping[str, object] = MappingProxyType({})


def problem(
    status: int,
    code: str,
    detail: str,
    headers: Mapping[str, str] | None = None,
    *,
    more: Mapping[str, object] = NOTHING,
) -> Response:
    """A response with problem details. `more`: further members (section 3.2)."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": str(code),
        "requestId": request_id.get(),
        **more,
    }
    return Response(orjson.dumps(body), status, headers, media_type="application/problem+json")
