"""The notification of a publication that gives up, which no process model can throw."""

import logging

import msgspec

from api.errors import UpstreamFailed
from api.notification_events import FAILED
from api.upstreams import Upstreams
from api.upstreams.camunda.notification_variables import NotificationVariables
from api.upstreams.camunda.process_variables import excess_length
from api.upstreams.camunda.records import NOTIFICATION_KEY, NOTIFY, PUBLICATION, LockedTask

_log = logging.getLogger(__name__)


async def notify_of_failure(upstreams: Upstreams, task: LockedTask) -> None:
    """Notify of a publication that gives up, where its approval notifies: no model can catch an incident.

    It comes before the incident. Crash between: the publication is tried again and gives up again, which is an event
    of its own. The store's words, which may quote the plan, are not in it. Raises UpstreamFailed.
    """
    if task.topic_name != PUBLICATION or task.raw.get(NOTIFY) is not True:
        return
    own = msgspec.to_builtins(NotificationVariables(event=FAILED, of=task.process_instance_id))
    plain = {name: value for name, value in task.raw.items() if isinstance(value, str | bool | int | float)}
    fitting = {name: value for name, value in plain.items() if not excess_length(str(value))}
    try:
        await upstreams.camunda.start(NOTIFICATION_KEY, task.variables.draft_id or "", {**fitting, **own})
    except UpstreamFailed as failed:
        if failed.status not in (404, 500):
            raise
        _log.warning("a notification could not be started", extra={"reason": str(failed)})
