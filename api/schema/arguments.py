"""Checks of arguments: limits, offsets, sort keys, keys of entities, texts. Each raises Refused (INVALID)."""

from collections.abc import Sequence
from typing import TypeVar

from api.context import Context
from api.errors import Refused, UserErrorCode
from api.upstreams.retool.draft_ids import is_text

Key = TypeVar("Key")

LARGEST_PAGE = 1000
MOST_KEYS = 10
MOST_ENTITIES, MOST_TASKS = 1000, 100  # of a whole request; the engine tells of closed tasks one at a time only


def checked_limit(limit: int, *, at_most: int = LARGEST_PAGE) -> int:
    """The limit, if it is from 0 to `at_most`. Raises Refused (INVALID)."""
    if not 0 <= limit <= at_most:
        raise Refused(UserErrorCode.INVALID, f"limit must be from 0 to {at_most}.", field="limit")
    return limit


def checked_offset(offset: int) -> int:
    """The offset, if it is none below 0. Raises Refused (INVALID)."""
    if offset < 0:
        raise Refused(UserErrorCode.INVALID, "offset must be 0 or more.", field="offset")
    return offset


def checked_sort(keys: Sequence[Key] | None) -> Sequence[Key]:
    """The keys a list is sorted by, if they are at most `MOST_KEYS`. Raises Refused (INVALID)."""
    if keys is not None and len(keys) > MOST_KEYS:
        raise Refused(UserErrorCode.INVALID, f"A list is sorted by at most {MOST_KEYS} keys.", field="sort")
    return keys or ()


def demand_few(context: Context, *, entities: int = 0, tasks: int = 0, field: str = "representations") -> None:
    """Add to what the whole request asks for by keys, aliases included. Raises Refused (INVALID) past the limits.

    A field that is refused adds nothing, so that a smaller one after it is answered.
    """
    entities, tasks = context.entities_asked + entities, context.tasks_asked + tasks
    if entities > MOST_ENTITIES:
        message = (
            f"One request may ask for at most {MOST_ENTITIES} entities in all: ask for the others in another request."
        )
        raise Refused(UserErrorCode.INVALID, message, field=field)
    if tasks > MOST_TASKS:
        message = (
            f"One request may ask for at most {MOST_TASKS} tasks by id in all: ask for the others in another request."
        )
        raise Refused(UserErrorCode.INVALID, message, field=field)
    context.entities_asked, context.tasks_asked = entities, tasks


def checked_text(text: str | None, field: str) -> str | None:
    """The text, if PostgreSQL, which is behind two of the systems, can be asked for it. Raises Refused (INVALID)."""
    if text is not None and not is_text(text):
        message = f"{field} must not contain NUL, nor half of a surrogate pair."
        raise Refused(UserErrorCode.INVALID, message, field=field)
    return text
