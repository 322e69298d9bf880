"""The worker: carries out external tasks that no request has, and sweeps drafts. Part of `serve`, or `plan-api worker`.

It polls every few seconds rather than by long polling, so that a request, which answers with the result, usually
carries out its own tasks. Each topic has its own slots (a bulkhead): publications that wait for a slow store delay no
registration.
"""

import asyncio
import logging
import random
import socket
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress

from api import telemetry
from api.coordination.policy import Policy, policy_of
from api.coordination.process.external_tasks import WORK, carry_out
from api.coordination.process.reconcile import sweep
from api.coordination.process.task_result import Work
from api.errors import ServiceError, UpstreamFailed
from api.settings import Settings
from api.upstreams import Upstreams
from api.upstreams.camunda.authorizations import READ_HISTORY, READ_INSTANCES, UPDATE_INSTANCES, demand
from api.upstreams.camunda.records import LockedTask
from resilience.deadline import with_deadline

LONGEST_PAUSE = 30.0  # seconds, while the engine is away
UNLOCK_SECONDS = 3.0  # seconds
LONGEST_SWEEP = 120.0  # seconds

_log = logging.getLogger(__name__)

Running = dict[asyncio.Task[None], LockedTask]


async def work(upstreams: Upstreams, settings: Settings, stop: asyncio.Event, further: Mapping[str, Work]) -> None:
    """Poll until `stop` is set, then finish the running tasks. `further`: the work of topics that no request has.

    On cancellation it releases the locks of running tasks, so that another replica need not wait until they expire.
    """
    policy, topics = policy_of(settings), {**WORK, **further}
    worker_id = f"worker-{socket.gethostname()}-{uuid.uuid4().hex}"
    running: Running = {}
    await _log_missing_permissions(upstreams)
    sweeping = asyncio.create_task(_sweep_periodically(upstreams, settings, policy, stop))
    try:
        await _poll(upstreams, settings, policy, topics, stop, worker_id, running)
        await _any_done(running, return_when=asyncio.ALL_COMPLETED)
        await sweeping
    finally:
        sweeping.cancel()
        await _unlock_all(upstreams, running)


async def _log_missing_permissions(upstreams: Upstreams) -> None:
    """Log missing permissions, since without them the engine answers silently that nothing waits."""
    with suppress(UpstreamFailed):
        await demand(upstreams.camunda, READ_INSTANCES, UPDATE_INSTANCES, READ_HISTORY)


async def _poll(
    upstreams: Upstreams,
    settings: Settings,
    policy: Policy,
    topics: Mapping[str, Work],
    stop: asyncio.Event,
    worker_id: str,
    running: Running,
) -> None:
    failures = 0
    while not stop.is_set():
        try:
            found = await _poll_once(upstreams, policy, topics, worker_id, running, settings.worker_concurrency)
        except Exception as failure:  # noqa: BLE001  # a bug must not end the worker, since nothing would restart it
            telemetry.WORKER_POLLS.labels("failed").inc()
            _log_failure(failure, "worker could not poll the engine")
            failures, found = failures + 1, 0
        else:
            failures = 0
        pause = 0.0 if found else min(settings.worker_poll_seconds * 2.0**failures, LONGEST_PAUSE)
        await _pause(stop, running, pause, is_full=not _free_slots(topics, running, settings.worker_concurrency))


async def _poll_once(
    upstreams: Upstreams, policy: Policy, topics: Mapping[str, Work], worker_id: str, running: Running, most: int
) -> int:
    """Lock waiting tasks of topics with free slots and start them; their number."""
    free = _free_slots(topics, running, most)
    if not free:
        return 0
    locked = await upstreams.camunda.fetch_and_lock(
        worker_id, topics=list(free), limit=min(free.values()), lock_seconds=policy.lock_seconds
    )
    for task in locked:
        job = asyncio.create_task(_carry_out_logged(upstreams, policy, topics, task))
        running[job] = task
        job.add_done_callback(running.pop)
        telemetry.WORKER_BUSY.inc()
        job.add_done_callback(lambda _: telemetry.WORKER_BUSY.dec())
    telemetry.WORKER_POLLS.labels("found" if locked else "nothing").inc()
    return len(locked)


def _free_slots(topics: Iterable[str], running: Running, most: int) -> dict[str, int]:
    """Topics with free slots, and how many they have."""
    taken = Counter(task.topic_name for task in running.values())
    return {topic: most - taken[topic] for topic in topics if taken[topic] < most}


async def _carry_out_logged(upstreams: Upstreams, policy: Policy, topics: Mapping[str, Work], task: LockedTask) -> None:
    """Carry out a task. A failure to report it is logged; the task is fetched again once its lock expires."""
    try:
        await carry_out(upstreams, policy, task, topics)
    except ServiceError as failure:
        _log.warning(
            "external task could not be reported yet", extra={"external_task": task.id, "reason": str(failure)}
        )
    except Exception:  # noqa: BLE001  # logged here, as nobody awaits the job
        _log.exception("worker failed", extra={"external_task": task.id})


async def _sweep_periodically(upstreams: Upstreams, settings: Settings, policy: Policy, stop: asyncio.Event) -> None:
    """Sweep with jitter, so that replicas that were started together do not sweep together."""
    after_id: str | None = None
    while True:
        await _wait(stop, settings.reconcile_seconds * random.uniform(0.5, 1.5))  # noqa: S311  # no secret
        if stop.is_set():
            return
        try:
            with with_deadline(LONGEST_SWEEP):
                swept = await sweep(upstreams, policy, after_id)
        except Exception as failure:  # noqa: BLE001  # as above
            telemetry.RECONCILIATIONS.labels("failed").inc()
            _log_failure(failure, "worker could not sweep the drafts")
            continue
        telemetry.RECONCILIATIONS.labels("done" if swept else "elsewhere").inc()
        if swept is not None:
            after_id = swept.last_id
            telemetry.DRAFTS_WAITING.set(swept.waiting)
            telemetry.DRAFTS_UNKNOWN.set(swept.unknown)
            telemetry.DRAFTS_UNLINKED.set(swept.unlinked)


def _log_failure(failure: Exception, words: str) -> None:
    if isinstance(failure, ServiceError):
        _log.warning(words, extra={"reason": str(failure)})
    else:
        _log.error("worker failed", exc_info=failure)


async def _pause(stop: asyncio.Event, running: Running, seconds: float, *, is_full: bool) -> None:
    """Wait until the time is over or the worker is stopped; without free slots, until a task is done."""
    if is_full:
        await _any_done(running, return_when=asyncio.FIRST_COMPLETED)
        return
    await _wait(stop, seconds)


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()


async def _any_done(running: Running, *, return_when: str) -> None:
    if running:
        await asyncio.wait(running, return_when=return_when)


async def _unlock_all(upstreams: Upstreams, running: Running) -> None:
    left_over = dict(running)
    for job in left_over:
        job.cancel()
    if left_over:
        calls = (upstreams.camunda.unlock(task) for task in left_over.values())
        with suppress(TimeoutError):
            async with asyncio.timeout(UNLOCK_SECONDS):
                await asyncio.gather(*calls, return_exceptions=True)
