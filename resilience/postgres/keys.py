"""Keys as callers spell them, against what a column of PostgreSQL can hold. Pure."""

import re
import uuid

LARGEST_INTEGERS = {"smallint": 2**15 - 1, "integer": 2**31 - 1, "bigint": 2**63 - 1}

_INTEGER = re.compile(r"0|[1-9][0-9]{0,18}")


def as_key(text: str, key_type: str) -> str | None:
    """The key in the column's own spelling, or None when it can not be one of them. `key_type` as SQL names it."""
    if not is_text(text):
        return None
    if key_type == "uuid":
        return _uuid(text)
    if key_type in LARGEST_INTEGERS:
        return text if _INTEGER.fullmatch(text) and int(text) <= LARGEST_INTEGERS[key_type] else None
    return text


def is_text(value: str) -> bool:
    """Whether PostgreSQL can be asked for it: no NUL, no half of a surrogate pair."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return "\x00" not in value


def _uuid(text: str) -> str | None:
    try:
        return str(uuid.UUID(text))
    except ValueError:
        return None
