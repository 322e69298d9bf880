"""What stands between a client and the verbs: limits on lists, and refusals turned into `userErrors`."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from api.context import Context
from api.coordination.audit_log import audited
from api.errors import Refused, UserErrorCode
from api.schema.info import Info
from api.schema.user_error import UserError, user_error
from api.upstreams.retool.draft_ids import is_text

Payload = TypeVar("Payload")
Key = TypeVar("Key")

LARGEST_PAGE = 1000
MOST_KEYS = 10
MOST_ENTITIES, MOST_TASKS = 1000, 100  # of a whole request; the engine tells of closed tasks one at a time only
NAMED = ("draft_id", "task_id", "plan_id", "version_id", "user_id", "approved")  # of inputs, for the audit log


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


async def or_refused(
    info: Info, asked: object, work: Awaitable[Payload], refused: Callable[[Refused, list[UserError]], Payload]
) -> Payload:
    """The payload of a verb; when it refuses, the payload that says why. Either way a line in the audit log."""
    named = {name: getattr(asked, name, None) for name in NAMED}
    try:
        with audited(info.context.viewer, info.field_name, **named) as more:
            payload = await work
            more.update(_outcome(payload))
    except Refused as refusal:
        return refused(refusal, [user_error(refusal)])
    return payload


def _outcome(payload: object) -> dict[str, object]:
    """The draft, which may be a new one; and what is left to mend where nothing was refused outright."""
    errors: list[UserError] = getattr(payload, "user_errors", [])
    refusal = {"outcome": "refused", "code": errors[0].code.value} if errors else {}
    return {"draft_id": getattr(payload, "draft_id", None), **refusal}
