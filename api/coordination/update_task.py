"""The verb that sets when a task is due, when to look at it again, and how urgent it is."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from api.coordination.claim import visible_open_task
from api.coordination.decide import closed
from api.coordination.rules.permissions import demand_holder, demand_running
from api.errors import Gone, Refused, UserErrorCode
from api.upstreams import Upstreams
from authentication.identity import Viewer

HIGHEST_PRIORITY = 100


async def update_task(upstreams: Upstreams, viewer: Viewer, task_id: str, given: Mapping[str, Any]) -> None:
    """Change the dates and the priority of a task: one's own, or anybody's for an administrator. Idempotent.

    `given`: `due`, `follow_up` and `priority`; what is absent stays as it is, and None clears a date.
    Raises Refused, UpstreamFailed.
    """
    priority = given.get("priority", 0)
    if priority is None or not 0 <= priority <= HIGHEST_PRIORITY:
        message = f"priority must be from 0 to {HIGHEST_PRIORITY}."
        raise Refused(UserErrorCode.INVALID, message, field="priority")
    for name in ("due", "follow_up"):
        _demand_plausible(given.get(name), name)
    task = (await visible_open_task(upstreams, viewer, task_id)).task
    demand_holder(viewer, task.assignee)
    demand_running(task)
    due, follow_up = given.get("due", task.due), given.get("follow_up", task.follow_up)
    priority = given.get("priority", task.priority)
    if (due, follow_up, priority) == (task.due, task.follow_up, task.priority):
        return
    try:
        await upstreams.camunda.update(task, due=due, follow_up=follow_up, priority=priority)
    except Gone as lost:
        raise await closed(upstreams, viewer, task_id) from lost


def _demand_plausible(moment: datetime | None, name: str) -> None:
    """Refuse what the engine's databases cannot store. Raises Refused (INVALID)."""
    if moment is not None and not 1970 <= moment.year <= 9998:
        field = "dueAt" if name == "due" else "followUpAt"
        raise Refused(UserErrorCode.INVALID, f"{field} must be from the year 1970 on.", field=field)
