"""The event of an approval that a notification is about, by the variables that the approval had then. Pure."""

from datetime import UTC, datetime
from urllib.parse import quote

import msgspec

from api.notification_events import REMINDER, SUBMITTED, WAITING, WITHDRAWN
from api.upstreams.camunda.notification_variables import NotificationVariables
from api.upstreams.camunda.process_variables import (
    CHANGE_VARIABLES,
    Decision,
    Move,
    ProcessVariables,
    Variables,
    decisions_in,
    moves_in,
)
from api.upstreams.camunda.records import LockedTask
from webhooks import Event


def notification_in(values: Variables) -> NotificationVariables:
    """The record of a notification. Raises ValidationError of msgspec for what our model does not write."""
    return msgspec.convert(values, NotificationVariables, strict=False)


def event_of(task: LockedTask, source: str, link: str | None) -> Event:
    """The event that a notification is about. Pure, so that each repeat says the same."""
    given, values = notification_in(task.raw), task.variables
    name, draft_id = given.event, values.draft_id or ""
    waiting = msgspec.json.decode(given.tasks) if given.tasks else []
    decisions = list(decisions_in(task.raw).items())
    decided = decisions[-1][0] if decisions and name not in (SUBMITTED, WAITING, REMINDER) else None
    task_id = waiting[0]["id"] if waiting else decided
    by, acted_by = _who(name, values, task.raw)
    headline = headline_of(task.raw)
    data = {
        "event": name,
        "draftId": draft_id,
        "planId": values.aidbox_plan_id,
        "processId": given.of,
        "taskId": task_id,
        "waitingTasks": waiting,
        "submittedBy": values.submitted_by,
        "by": by,
        "actedBy": acted_by,
        "outcome": values.outcome.value if values.outcome and name not in (WAITING, REMINDER) else None,
        "reason": values.reason,
        "baseVersion": values.base_version,
        "version": values.published_version,
        "publishAt": values.publish_at,
        "headline": headline,
        "link": _filled(link, draft_id, task_id),
    }
    whom = ", ".join(each["assignee"] or " or ".join(each["groups"]) for each in waiting)
    said = f"{name} for {whom}" if whom else f"{name} ({by})" if by else name
    return Event(
        id=task.process_instance_id,
        type=f"plan-api.approval.{name}",
        source=f"/plan-api/{source}",
        subject=draft_id,
        time=given.time or task.create_time or datetime.now(UTC),
        data=data,
        title=f"Draft {draft_id}: {said}{f'. {headline}' if headline else ''}",
        link=_filled(link, draft_id, task_id),
    )


def _who(event: str, values: ProcessVariables, raw: Variables) -> tuple[str | None, str | None]:
    """In whose name the event was caused, and who acted where that is another person."""
    if event in (SUBMITTED, WAITING, REMINDER):
        return values.submitters
    if event == WITHDRAWN:
        return values.withdrawn_by, values.withdrawal_acted_by
    acts: list[Decision | Move] = [*decisions_in(raw).values(), *moves_in(raw)]
    latest = max(acts, key=lambda act: act.at, default=None)
    return (latest.by, latest.acted_by) if latest else (values.approved_by or values.rejected_by, None)


def headline_of(raw: Variables) -> str | None:
    """What a submission changes in a few words, by the variables of its changes; None where it was not compared."""
    is_new, count, areas, cost, _ = (raw.get(name) for name in CHANGE_VARIABLES)
    if is_new:
        return "A new plan"
    if count is None:
        return None
    of_cost = f"; costs {round(cost, 1):+g} %" if isinstance(cost, int | float) and cost else ""
    changed = f"{count} change{'' if count == 1 else 's'}"
    return f"{changed}: {str(areas).replace(',', ', ')}{of_cost}" if areas else changed


def _filled(link: str | None, draft_id: str, task_id: str | None) -> str | None:
    """The link of a template; without a task its place stays empty."""
    if link is None:
        return None
    return link.replace("{draftId}", quote(draft_id, safe="")).replace("{taskId}", quote(task_id or "", safe=""))
