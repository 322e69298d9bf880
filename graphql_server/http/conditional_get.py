"""Conditional GETs (RFC 9110, section 13): a client that already has the answer gets 304, without a body.

For the answer of a GET that has no errors. The query was executed all the same; what is saved is the transfer. An
answer is one person's own, so no shared cache may store it.
"""

import hashlib
import re

from starlette.requests import Request
from starlette.responses import Response

HEADERS_OF_304 = ("etag", "cache-control", "vary")  # of the answer's headers (section 15.4.5)

_ENTITY_TAG = re.compile(r'(?:W/)?("[^"]*")')


def revalidated(request: Request, answer: Response, *, vary: str) -> Response:
    """The answer with an ETag; or 304 in its place, when `If-None-Match` has that tag.

    `vary`: the request headers that an answer depends on besides its URL: the media type, and who asks.
    """
    answer.headers["ETag"] = entity_tag(answer)
    answer.headers["Cache-Control"] = "private, no-cache"
    answer.headers["Vary"] = vary
    if not _names(request.headers.getlist("if-none-match"), answer.headers["ETag"]):
        return answer
    return Response(status_code=304, headers={name: answer.headers[name] for name in HEADERS_OF_304})


def entity_tag(answer: Response) -> str:
    """The entity tag of an answer: equal for equal bytes of one media type, on every replica."""
    fingerprint = hashlib.blake2b(answer.headers["Content-Type"].encode(), digest_size=16)
    fingerprint.update(answer.body)
    return f'"{fingerprint.hexdigest()}"'


def _names(conditions: list[str], entity_tag: str) -> bool:
    """Whether `If-None-Match` has the tag, by weak comparison (section 13.1.2); `*` matches any."""
    condition = ",".join(conditions)
    return condition.strip() == "*" or entity_tag in _ENTITY_TAG.findall(condition)
