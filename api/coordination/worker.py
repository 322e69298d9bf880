"""The worker: carries out what requests left behind. Runs inside `serve`, or alone by `plan-api worker`.

It looks for work every few seconds rather than by long polling, so that a request, which answers with the result,
usually carries out its own.
"""

import asyncio
import logging
import socket
import uuid

from api.coordination.external_tasks import carry_out
from api.errors import ApprovalApiError
from api.settings import Settings
from api.upstreams import Upstreams
from api.upstreams.camunda import LockedTask

LONGEST_PAUSE = 30.0  # seconds, while the engine is away

_log = logging.getLogger(__name__)


async def work(upstreams: Upstreams, settings: Settings, stop: asyncio.Event) -> None:
    """Look for work until `stop` is set; what is under way then is finished first."""
    worker_id = f"worker-{socket.gethostname()}-{uuid.uuid4().hex}"
    pause = settings.worker_poll_seconds
    while not stop.is_set():
        try:
            found = await look(upstreams, settings, worker_id)
        except ApprovalApiError as failure:
            _log.warning("worker could not look for work", extra={"reason": str(failure)})
            pause = min(max(pause, settings.worker_poll_seconds) * 2, LONGEST_PAUSE)
        except Exception:  # noqa: BLE001  # a fault of ours must not end the worker: nobody would start it again
            _log.exception("worker failed")
            pause = min(max(pause, settings.worker_poll_seconds) * 2, LONGEST_PAUSE)
        else:
            pause = 0 if found else settings.worker_poll_seconds
        await _pause(stop, pause)


async def look(upstreams: Upstreams, settings: Settings, worker_id: str) -> int:
    """Lock what waits, carry it out side by side, and tell how much it was."""
    locked = await upstreams.camunda.fetch_and_lock(
        worker_id, limit=settings.worker_concurrency, lock_seconds=settings.lock_seconds
    )
    async with asyncio.TaskGroup() as group:
        for task in locked:
            group.create_task(_one(upstreams, settings, task))
    return len(locked)


async def _one(upstreams: Upstreams, settings: Settings, task: LockedTask) -> None:
    """One task; a failing report is logged, and the task found again after its lock."""
    try:
        await carry_out(upstreams, settings, task)
    except ApprovalApiError as failure:
        _log.warning("external task is left for later", extra={"external_task": task.id, "reason": str(failure)})


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        pass
