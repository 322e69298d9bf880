"""Checks of arguments: limits, offsets, sort keys, keys of entities, texts. Each raises Refused (INVALID)."""

from collections.abc import Sequence
from typing import TypeVar

from api.context import Context
from api.errors import Refused, UserErrorCode
from resilience.postgres.keys import is_text

Key = TypeVar("Key")

LARGEST_PAGE = 1000
MOST_KEYS = 10
MOST_ENTITIES, MOST_TASKS = 1000, 100  # of a whole request; the engine answers for closed tasks one at a time


def checked_limit(limit: int, *, at_most: int = LARGEST_PAGE) -> int:
    """A limit from 0 to `at_most`. Raises Refused (INVALID) for others."""
    if not 0 <= limit <= at_most:
        raise Refused(UserErrorCode.INVALID, f"limit must be from 0 to {at_most}.", field="limit")
    return limit


def checked_offset(offset: int) -> int:
    """An offset of 0 or more. Raises Refused (INVALID) for others."""
    if offset < 0:
        raise Refused(UserErrorCode.INVALID, "offset must be 0 or more.", field="offset")
    return offset


def checked_sort(keys: Sequence[Key] | None) -> Sequence[Key]:
    """Sort keys, at most `MOST_KEYS`. Raises Refused (INVALID) for more."""
    if keys is not None and len(keys) > MOST_KEYS:
        raise Refused(UserErrorCode.INVALID, f"A list can be sorted by at most {MOST_KEYS} keys.", field="sort")
    return keys or ()


def demand_few(context: Context, *, entities: int = 0, tasks: int = 0, field: str = "representations") -> None:
    """Count the entities and tasks that the whole request asks for by key. Raises Refused (INVALID) past the limits.

    A field that is refused counts nothing, so that a smaller one after it is answered.
    """
    entities, tasks = context.entities_asked + entities, context.tasks_asked + tasks
    if entities > MOST_ENTITIES:
        message = f"One request may ask for at most {MOST_ENTITIES} entities; ask for the others in another request."
        raise Refused(UserErrorCode.INVALID, message, field=field)
    if tasks > MOST_TASKS:
        message = f"One request may ask for at most {MOST_TASKS} tasks by id; ask for the others in another request."
        raise Refused(UserErrorCode.INVALID, message, field=field)
    context.entities_asked, context.tasks_asked = entities, tasks


def checked_text(text: str | None, field: str) -> str | None:
    """The text, if PostgreSQL, which two of the systems use, can store it. Raises Refused (INVALID)."""
    if text is not None and not is_text(text):
        message = f"{field} must not contain NUL, nor half of a surrogate pair."
        raise Refused(UserErrorCode.INVALID, message, field=field)
    return text
