"""Conditional GETs (RFC 9110, section 13): a client that has the answer already is told so, without a body.

Called by graphql.py for the answer of a GET that has no errors. The answer was worked out afresh all the same; what is
saved is its way to the client. An answer is one person's own, so no shared cache may keep it.
"""

import hashlib
import re

from starlette.requests import Request
from starlette.responses import Response

# What an answer depends on beside its address: the media type, and who asks.
VARY = "Accept, Authorization, X-API-Key, X-User-Id, X-User-Groups"
KEPT = ("etag", "cache-control", "vary")  # what a 304 has of the answer's headers (section 15.4.5)

_ENTITY_TAG = re.compile(r'(?:W/)?("[^"]*")')


def revalidated(request: Request, answer: Response) -> Response:
    """The answer with an ETag; or 304 in its place, when `If-None-Match` names that."""
    answer.headers["ETag"] = entity_tag(answer)
    answer.headers["Cache-Control"] = "private, no-cache"
    answer.headers["Vary"] = VARY
    if not _names(request.headers.getlist("if-none-match"), answer.headers["ETag"]):
        return answer
    return Response(status_code=304, headers={name: answer.headers[name] for name in KEPT})


def entity_tag(answer: Response) -> str:
    """The same for the same bytes of the same media type, on every replica."""
    fingerprint = hashlib.blake2b(answer.headers["Content-Type"].encode(), digest_size=16)
    fingerprint.update(answer.body)
    return f'"{fingerprint.hexdigest()}"'


def _names(conditions: list[str], entity_tag: str) -> bool:
    """Whether `If-None-Match` names it, compared weakly as section 13.1.2 has it; `*` names whatever there is."""
    condition = ",".join(conditions)
    return condition.strip() == "*" or entity_tag in _ENTITY_TAG.findall(condition)
