"""`verb`: the decorator that makes a mutation of a function of coordination.

Around each: the line in the audit log, refusals as `userErrors`, and loaders that have read nothing before the write.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any, TypeVar

import strawberry

from api.context import Context
from api.coordination.audit_log import audited
from api.coordination.rules.permissions import acting_viewer
from api.errors import Refused
from api.identity import Viewer
from api.schema.info import Info
from api.schema.user_error import UserError, user_error

Input = TypeVar("Input")
Payload = TypeVar("Payload")
Verb = Callable[[Context, Viewer, Input], Awaitable[Payload]]
"""The request's context, the person it is done for, and the input → the payload. Raises Refused."""

INPUT = strawberry.argument(description="The input.")
NAMED = ("draft_id", "task_id", "plan_id", "version_id", "user_id", "approved")  # of inputs, for the audit log


def _nothing(_refusal: Refused) -> Mapping[str, object]:
    return {}


def verb(
    description: str,
    *,
    acts_for_user_id: bool = True,
    on_refusal: Callable[[Refused], Mapping[str, object]] = _nothing,
) -> Callable[[Verb[Input, Payload]], Any]:
    """A mutation with one argument, `input`, and a nullable payload: the last parameter and the result of the function.

    `acts_for_user_id`: the input's `user_id`, if it has one, is the person the mutation is done for.
    `on_refusal`: further fields of the payload of a refusal.
    """

    def decorate(function: Verb[Input, Payload]) -> Any:
        *_, input_type, payload_type = function.__annotations__.values()

        async def resolver(self: object, info: Info, input: Input) -> Payload | None:  # noqa: A002, ARG001  # the schema's word, strawberry's signature
            context, named = info.context, {name: getattr(input, name, None) for name in NAMED}
            try:
                with audited(context.viewer, info.field_name, **named) as line:
                    user_id = named["user_id"] if acts_for_user_id else None
                    viewer = acting_viewer(context.viewer, user_id)
                    # No verb reads by loaders, so the first read by the new ones comes after the write: the payload
                    # shows what is now, with the rights of the person it was done for.
                    context.renew_loaders(viewer)
                    payload = await function(context, viewer, input)
                    line.update(_outcome(payload))
            except Refused as refusal:
                refused: Payload = payload_type(user_errors=[user_error(refusal)], **on_refusal(refusal))
                return refused
            return payload

        resolver.__name__ = function.__name__
        resolver.__doc__ = function.__doc__
        resolver.__annotations__ |= {"input": Annotated[input_type, INPUT], "return": payload_type | None}
        return strawberry.mutation(resolver=resolver, description=description)

    return decorate


def _outcome(payload: object) -> dict[str, object]:
    """The draft, which may be a new one; and the error of a payload that has one although the verb did not refuse."""
    errors: list[UserError] = getattr(payload, "user_errors", [])
    refusal = {"outcome": "refused", "code": errors[0].code.value} if errors else {}
    return {"draft_id": getattr(payload, "draft_id", None), **refusal}
