"""`verb`: the decorator that makes a mutation of a function of coordination; `verbs`: one for many inputs at once.

Around each: the line in the audit log, refusals as `userErrors`, and loaders that have read nothing before the write.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Annotated, Any, TypeVar

import strawberry

from api.context import Context
from api.coordination.audit_log import audit, audited
from api.coordination.rules.permissions import acting_viewer
from api.errors import Busy, Refused, UserErrorCode
from api.schema.info import Info
from api.schema.user_error import UserError, user_error
from authentication.identity import Viewer
from resilience.deadline import seconds_left

Input = TypeVar("Input")
Payload = TypeVar("Payload")
Verb = Callable[[Context, Viewer, Input], Awaitable[Payload]]
"""The request's context, the person it is done for, and the input → the payload. Raises Refused."""

INPUT = strawberry.argument(description="The input.")
NAMED = ("draft_id", "task_id", "plan_id", "version_id", "user_id", "approved")  # of inputs, for the audit log
REPEATABLE = "repeatable"  # in the metadata of a mutation: its function, and what is around each call of it
MOST_AT_ONCE = 200  # inputs of a bulk mutation
SIDE_BY_SIDE = 8  # of them carried out at the same time
FOR_PAYLOADS = 0.25  # of a request's time


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
        input_type, payload_type = _types(function)

        async def resolver(self: object, info: Info, input: Input) -> Payload | None:  # noqa: A002, ARG001  # the schema's word, strawberry's signature
            user_id = getattr(input, "user_id", None) if acts_for_user_id else None

            async def done() -> Payload:
                return await function(info.context, _acting(info.context, user_id), input)

            return await once(info, input, done)

        async def once(info: Info, named: object, work: Callable[[], Awaitable[Payload]]) -> Payload:
            try:
                return await _with_audit(info, named, work)
            except Refused as refusal:
                refused: Payload = payload_type(user_errors=[user_error(refusal)], **on_refusal(refusal))
                return refused

        field = _mutation(resolver, function, input_type, payload_type, description)
        field.metadata = {REPEATABLE: (function, once)}
        return field

    return decorate


def verbs(
    description: str,
    *,
    payload: type[Any],
    one: Any,
    key: Callable[[Any], str],
) -> Callable[[Callable[[Any], Sequence[Any]]], Any]:
    """A mutation that carries out a verb for each of many inputs, and answers with a payload for each, in their order.

    `one`: the mutation of one; the function gives its inputs in the mutation's own. What a system's fault kept from
    being carried out is null, with an error of its own path; others are not affected. `key`: what no two inputs may
    share, since two on the same task or draft would race. Repeated as a whole it is as idempotent as its verb.
    """
    function_of_one, once = one.metadata[REPEATABLE]

    def decorate(function: Callable[[Any], Sequence[Any]]) -> Any:
        input_type, _ = _types(function)

        async def resolver(self: object, info: Info, input: Any) -> Any:  # noqa: A002, ARG001  # as above
            inputs = function(input)
            try:
                viewer = _acting(info.context, input.user_id)
                _demand_distinct([key(each) for each in inputs])
            except Refused as refusal:
                audit(info.context.viewer, info.field_name, "refused", code=refusal.code.value)
                return payload(user_errors=[user_error(refusal)])
            slots = asyncio.Semaphore(SIDE_BY_SIDE)

            async def result(each: Any) -> Any:
                async def done() -> Any:
                    _demand_no_other_person(each, input.user_id)
                    return await function_of_one(info.context, viewer, each)

                async with slots:
                    _demand_time(info.context)
                    return await once(info, each, done)

            # An exception in a list is, to graphql-core, the error of its item.
            return payload(results=await asyncio.gather(*map(result, inputs), return_exceptions=True))

        return _mutation(resolver, function, input_type, payload, description)

    return decorate


def _types(function: Callable[..., Any]) -> tuple[Any, Any]:
    """The types of the last parameter and of the result."""
    *_, input_type, payload_type = function.__annotations__.values()
    return input_type, payload_type


def _mutation(
    resolver: Callable[..., Any], function: Callable[..., Any], input_type: Any, payload_type: Any, description: str
) -> Any:
    """The field, named after the function."""
    resolver.__name__, resolver.__doc__ = function.__name__, function.__doc__
    resolver.__annotations__ |= {"input": Annotated[input_type, INPUT], "return": payload_type | None}
    return strawberry.mutation(resolver=resolver, description=description)


def _acting(context: Context, user_id: str | None) -> Viewer:
    """The person a mutation is done for.

    No verb reads by loaders, so the first read by the new ones comes after the write: the payload shows what is now,
    with the rights of that person.
    """
    viewer = acting_viewer(context.viewer, user_id)
    context.renew_loaders(viewer)
    return viewer


async def _with_audit(info: Info, named: object, work: Callable[[], Awaitable[Payload]]) -> Payload:
    """The payload of a verb, and its line in the audit log with the ids that its input names."""
    ids = {name: getattr(named, name, None) for name in NAMED}
    with audited(info.context.viewer, info.field_name, **ids) as line:
        payload = await work()
        line.update(_outcome(payload))
        return payload


def _demand_distinct(keys: Sequence[str]) -> None:
    """Refuse too many inputs, and two on the same thing. Raises Refused (INVALID)."""
    if len(keys) > MOST_AT_ONCE:
        raise Refused(UserErrorCode.INVALID, f"At most {MOST_AT_ONCE} at once; send the others in another request.")
    if repeated := [key for key, count in Counter(keys).items() if count > 1]:
        raise Refused(UserErrorCode.INVALID, f"{repeated[0]} is given more than once; nothing was done.")


def _demand_time(context: Context) -> None:
    """Begin nothing late, so that there is time for the payloads of what was done. Raises Busy."""
    whole = context.settings.request_seconds
    if seconds_left(whole) < whole * FOR_PAYLOADS:
        raise Busy("plan-api", "Not begun: this request had no time left for it; send it again")


def _demand_no_other_person(item: object, user_id: str | None) -> None:
    """Refuse an input in the name of another person than the whole mutation's. Raises Refused (INVALID)."""
    own = getattr(item, "user_id", None)
    if own is not None and own != user_id:
        message = "All inputs of one mutation are done for one person; give userId beside their list."
        raise Refused(UserErrorCode.INVALID, message, field="userId")


def _outcome(payload: object) -> dict[str, object]:
    """The draft, which may be a new one; and the error of a payload that has one although the verb did not refuse."""
    errors: list[UserError] = getattr(payload, "user_errors", [])
    refusal = {"outcome": "refused", "code": errors[0].code.value} if errors else {}
    return {"draft_id": getattr(payload, "draft_id", None), **refusal}
