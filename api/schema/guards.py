"""What stands between a client and the verbs: limits on lists, and refusals turned into `userErrors`."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from api.errors import Refused, UserErrorCode
from api.schema.user_error import UserError, user_error

Payload = TypeVar("Payload")

LARGEST_PAGE = 1000


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


def checked_text(text: str | None, field: str) -> str | None:
    """The text, if PostgreSQL, which is behind two of the systems, can hold it. Raises Refused (INVALID)."""
    if text is not None and "\x00" in text:
        raise Refused(UserErrorCode.INVALID, f"{field} must not contain NUL.", field=field)
    return text


async def or_refused(work: Awaitable[Payload], refused: Callable[[Refused, list[UserError]], Payload]) -> Payload:
    """The payload of a verb; when it refuses, the payload that says why."""
    try:
        return await work
    except Refused as refusal:
        return refused(refusal, [user_error(refusal)])
