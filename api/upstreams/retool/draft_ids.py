"""Ids of drafts as callers spell them, against what the id column and a process's business key can hold. Pure."""

from authentication.identity import utf16_length
from resilience.postgres import keys

LONGEST = 255  # UTF-16 code units; a process's business key holds no more


def as_key(draft_id: str, id_type: str) -> str | None:
    """The id in the column's own spelling, or None when it can not be one of them. `id_type` as SQL names it."""
    return keys.as_key(draft_id, id_type) if utf16_length(draft_id) <= LONGEST else None
