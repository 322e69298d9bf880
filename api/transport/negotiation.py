"""Which media type an answer has, by the Accept header (RFC 9110, section 12.5.1), and whether a body is JSON.

Pure; used by graphql.py. What a program says is the same with each of its requests, so answers are kept.
"""

from email.message import Message
from functools import lru_cache

JSON = "application/json"
RESPONSE_JSON = "application/graphql-response+json"
KEPT = 64  # answers
LONGEST_ACCEPT = 1_000  # characters; browsers and programs send some 100
LONGEST_CONTENT_TYPE = 200


@lru_cache(KEPT)
def chosen_media_type(accept: str | None) -> str | None:
    """The one of our two media types the client likes best, or None when it takes neither.

    Without a header, or with one that likes both alike, it is `application/json` for old clients' sake (section
    "Legacy Watershed"), unless the newer one is named. One that is too long to be read counts for nothing, which is
    what a server may do (section 12.4.1).
    """
    if accept is None or len(accept) > LONGEST_ACCEPT or not accept.strip():
        return JSON
    liked = {media_type: quality(accept, media_type) for media_type in (RESPONSE_JSON, JSON)}
    usual = RESPONSE_JSON if RESPONSE_JSON in accept.lower() else JSON
    best = max(liked, key=lambda media_type: (liked[media_type], media_type == usual))
    return best if liked[best] > 0 else None


def wants_html(accept: str | None) -> bool:
    """Whether this is a browser's address bar: HTML is named, and liked better than JSON."""
    if accept is None or len(accept) > LONGEST_ACCEPT or "text/html" not in accept.lower():
        return False
    return quality(accept, "text/html") > max(quality(accept, JSON), quality(accept, RESPONSE_JSON))


@lru_cache(KEPT)
def is_json(content_type: str) -> bool:
    """Whether a Content-Type header says JSON in UTF-8; other parameters do not count. One too long says nothing."""
    if len(content_type) > LONGEST_CONTENT_TYPE:
        return False
    header = Message()
    header["Content-Type"] = content_type
    charset = header.get_content_charset("utf-8")
    return bool(content_type) and header.get_content_type() == JSON and charset in ("utf-8", "utf8")


def quality(accept: str, media_type: str) -> float:
    """How much an Accept header likes a media type, 0 to 1; the most specific range that fits counts."""
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
