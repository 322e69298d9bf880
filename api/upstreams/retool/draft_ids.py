"""Ids of drafts as callers spell them, against what the id column can hold. Pure."""

import re
import uuid

from authentication.identity import utf16_length

LONGEST = 255  # UTF-16 code units; a process's business key holds no more
LARGEST_INTEGERS = {"smallint": 2**15 - 1, "integer": 2**31 - 1, "bigint": 2**63 - 1}

_INTEGER = re.compile(r"0|[1-9][0-9]{0,18}")


def as_key(draft_id: str, id_type: str) -> str | None:
    """The id in the column's own spelling, or None when it can not be one of them. `id_type` as SQL names it."""
    if utf16_length(draft_id) > LONGEST or not is_text(draft_id):
        return None
    if id_type == "uuid":
        return _uuid(draft_id)
    if id_type in LARGEST_INTEGERS:
        is_one = _INTEGER.fullmatch(draft_id) and int(draft_id) <= LARGEST_INTEGERS[id_type]
        return draft_id if is_one else None
    return draft_id


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
