"""Topics notify and notify-<receiver>: receivers of webhooks are told of an approval's events, each at least once.

Process models throw a signal, which starts the process benefit-notification in the same transaction of the engine. The
process waits for its receivers, and no approval waits for it.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import msgspec

from api.coordination.policy import Policy
from api.coordination.process.task_result import Done, TaskResult, Work
from api.errors import Unreachable
from api.notification_events import REMINDER, WAITING
from api.settings import Settings
from api.upstreams import Upstreams
from api.upstreams.camunda.candidates import candidate_groups
from api.upstreams.camunda.notification_variables import NotificationVariables
from api.upstreams.camunda.process_variables import excess_length
from api.upstreams.camunda.records import NOTIFY, LockedTask
from notifications.approval_event import event_of, notification_in
from notifications.limits import limits_of
from resilience.deadline import seconds_left
from webhooks import DeliveryFailed, Limits, Receiver, deliver


def notification_work(settings: Settings) -> dict[str, Work]:
    """The work of all topics of notifications. Each receiver has its own topic, and so its own slots."""
    limits, receivers = limits_of(settings), settings.webhook_urls
    delivery = partial(_deliver, limits, settings.webhook_link, settings.webhook_plan_data)
    work: dict[str, Work] = {f"{NOTIFY}-{receiver.name}": partial(delivery, receiver) for receiver in receivers}
    return {NOTIFY: partial(_choose, receivers), **work}


async def _choose(receivers: Sequence[Receiver], upstreams: Upstreams, _policy: Policy, task: LockedTask) -> TaskResult:
    """The receivers that want this event, and the tasks that wait at present. Nothing is sent yet.

    Crash before the report: the task is repeated. Crash after: each receiver's delivery waits in the engine.
    """
    given = notification_in(task.raw)
    names = [receiver.name for receiver in receivers if receiver.wants(given.event)]
    asks = names and given.event in (WAITING, REMINDER)
    tasks = await _waiting_tasks(upstreams, given.of) if asks else None
    chosen = NotificationVariables(receivers=",".join(names), count=len(names), tasks=tasks)
    return Done(msgspec.to_builtins(chosen))


async def _waiting_tasks(upstreams: Upstreams, process_id: str) -> str:
    """The open tasks of an approval and whom each is for, as JSON; as many as a variable can hold."""
    found = [task for tasks in (await upstreams.camunda.open_tasks_by_process([process_id])).values() for task in tasks]
    groups = await candidate_groups(upstreams.camunda, (), found)
    shown = [
        {"id": task.id, "step": task.task_definition_key, "assignee": task.assignee, "groups": groups[task]}
        for task in found
    ]
    while excess_length(text := msgspec.json.encode(shown).decode()):
        shown.pop()
    return text


async def _deliver(
    limits: Limits,
    link: str | None,
    has_plan: bool,  # noqa: FBT001  # a setting, bound once
    receiver: Receiver,
    upstreams: Upstreams,
    _policy: Policy,
    task: LockedTask,
) -> TaskResult:
    """Send an event to one receiver. Crash after: it is sent again, with the same id. Raises Unreachable."""
    event = event_of(task, upstreams.camunda.own.draft_source, link)
    if has_plan and receiver.format == "standard":
        draft, revision = await upstreams.retool.draft(event.subject), task.variables.draft_revision
        plan = msgspec.Raw(draft.plan_data) if draft and draft.revision == revision else None
        event = replace(event, data={**event.data, "plan": plan})
    try:
        await deliver(receiver, event, replace(limits, seconds=seconds_left(limits.seconds)))
    except DeliveryFailed as failure:
        raise Unreachable("webhook", str(failure)) from failure
    return Done({})
