"""Content negotiation: the media type of an answer by the Accept header (RFC 9110, section 12.5.1); is a body JSON?

A program sends the same headers with each of its requests, so results are cached.
"""

from email.message import Message
from functools import lru_cache

JSON = "application/json"
RESPONSE_JSON = "application/graphql-response+json"
CACHED = 64  # results of each function
LONGEST_ACCEPT = 1_000  # characters; browsers and programs send some 100
LONGEST_CONTENT_TYPE = 200


@lru_cache(CACHED)
def chosen_media_type(accept: str | None) -> str | None:
    """The media type that the client prefers, or None when it accepts neither of the two.

    Without a header, or with one that has both at one quality, it is `application/json` for old clients (section
    "Legacy Watershed"), unless the newer one is named. A header that is too long is ignored, as a server
    may do (section 12.4.1).
    """
    if accept is None or len(accept) > LONGEST_ACCEPT or not accept.strip():
        return JSON
    qualities = {media_type: quality(accept, media_type) for media_type in (RESPONSE_JSON, JSON)}
    usual = RESPONSE_JSON if RESPONSE_JSON in accept.lower() else JSON
    best = max(qualities, key=lambda media_type: (qualities[media_type], media_type == usual))
    return best if qualities[best] > 0 else None


def wants_html(accept: str | None) -> bool:
    """Whether the client prefers HTML to JSON, as a browser's address bar does."""
    if accept is None or len(accept) > LONGEST_ACCEPT or "text/html" not in accept.lower():
        return False
    return quality(accept, "text/html") > max(quality(accept, JSON), quality(accept, RESPONSE_JSON))


@lru_cache(CACHED)
def is_json(content_type: str) -> bool:
    """Whether a Content-Type header says JSON in UTF-8; other parameters are ignored, and so is a too long header."""
    if len(content_type) > LONGEST_CONTENT_TYPE:
        return False
    header = Message()
    header["Content-Type"] = content_type
    charset = header.get_content_charset("utf-8")
    return bool(content_type) and header.get_content_type() == JSON and charset in ("utf-8", "utf8")


def quality(accept: str, media_type: str) -> float:
    """The quality of a media type in an Accept header, 0 to 1, by the most specific range that matches."""
    kind = media_type.partition("/")[0]
    fits = {media_type: 2, f"{kind}/*": 1, "*/*": 0}
    found = [(fits[name], weight) for name, weight in _ranges(accept) if name in fits]
    return max(found)[1] if found else 0.0


def _ranges(accept: str) -> list[tuple[str, float]]:
    ranges = []
    for part in accept.lower().split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        weights = [value.strip() for key, _, value in (p.partition("=") for p in parameters) if key.strip() == "q"]
        ranges.append((name, _weight(weights[0]) if weights else 1.0))
    return ranges


def _weight(text: str) -> float:
    try:
        return min(max(float(text), 0.0), 1.0)
    except ValueError:
        return 0.0
