"""The process that a draft is in: the one its row names, if that names the draft as well. Read fresh, for the verbs."""

import asyncio
from dataclasses import dataclass, field

from api.errors import Refused, UserErrorCode
from api.upstreams import Upstreams
from api.upstreams.camunda.confirmed_history import known_processes, known_variables
from api.upstreams.camunda.records import ProcessInstance, Scalar
from api.upstreams.retool.records import Draft


@dataclass(frozen=True)
class Linked:
    """`process` is None where the row names none, or none that the engine has, or another draft's: `is_foreign`."""

    process: ProcessInstance | None = None
    variables: dict[str, Scalar] = field(default_factory=dict)
    is_foreign: bool = False


async def linked_process(upstreams: Upstreams, draft: Draft) -> Linked:
    """Two requests, side by side; none for a draft that was never submitted. Raises UpstreamFailed."""
    process_id = draft.camunda_process_id
    if process_id is None:
        return Linked()
    processes, variables = await asyncio.gather(
        known_processes(upstreams.camunda, [process_id]), known_variables(upstreams.camunda, [process_id])
    )
    process, values = processes.get(process_id), variables.get(process_id, {})
    if upstreams.camunda.own.links(values, draft.id):
        return Linked(process, values)
    return Linked(is_foreign=process is not None)


async def linked_variables(upstreams: Upstreams, draft: Draft) -> dict[str, Scalar]:
    """The variables of the process that a draft is or was last in; none of another draft's. Raises UpstreamFailed."""
    process_id = draft.camunda_process_id
    if process_id is None:
        return {}
    values = (await known_variables(upstreams.camunda, [process_id])).get(process_id, {})
    return values if upstreams.camunda.own.links(values, draft.id) else {}


def names_another() -> Refused:
    """What is refused of a draft whose row names another draft's process."""
    message = "This draft is not in approval: it names another draft's process. It can be submitted for itself."
    return Refused(UserErrorCode.NOT_SUBMITTED, message, field="draftId")
