"""The worker: carries out what requests left behind. Runs inside `serve`, or alone by `plan-api worker`.

It looks for work every few seconds rather than by long polling, so that a request, which answers with the result,
usually carries out its own. Each topic has places of its own: publications that wait for a slow store keep no draft
waiting for its registration.
"""

import asyncio
import logging
import random
import socket
import uuid
from collections import Counter
from contextlib import suppress

from api import telemetry
from api.coordination.process.external_tasks import WORK, carry_out
from api.coordination.process.reconcile import sweep
from api.deadline import with_deadline
from api.errors import ApprovalApiError, UpstreamFailed
from api.settings import Settings
from api.upstreams import Upstreams
from api.upstreams.camunda.authorizations import READ_HISTORY, READ_INSTANCES, UPDATE_INSTANCES, demand
from api.upstreams.camunda.records import LockedTask

LONGEST_PAUSE = 30.0  # seconds, while the engine is away
GIVING_BACK = 3.0  # seconds
LONGEST_SWEEP = 120.0  # seconds

_log = logging.getLogger(__name__)

InHand = dict[asyncio.Task[None], LockedTask]


async def work(upstreams: Upstreams, settings: Settings, stop: asyncio.Event) -> None:
    """Look for work until `stop` is set; what is in hand then is finished first.

    Cancelled, it gives back the locks of what it has in hand, so that another replica need not wait for their end.
    """
    worker_id = f"worker-{socket.gethostname()}-{uuid.uuid4().hex}"
    in_hand: InHand = {}
    await _tell_missing(upstreams)
    sweeping = asyncio.create_task(_sweep_now_and_then(upstreams, settings, stop))
    try:
        await _look_again_and_again(upstreams, settings, stop, worker_id, in_hand)
        await _any_done(in_hand, return_when=asyncio.ALL_COMPLETED)
        await sweeping
    finally:
        sweeping.cancel()
        await _give_back(upstreams, in_hand)


async def _tell_missing(upstreams: Upstreams) -> None:
    """A line in the log for what the engine would hide without a word: it answers that nothing waits."""
    with suppress(UpstreamFailed):
        await demand(upstreams.camunda, READ_INSTANCES, UPDATE_INSTANCES, READ_HISTORY)


async def _look_again_and_again(
    upstreams: Upstreams, settings: Settings, stop: asyncio.Event, worker_id: str, in_hand: InHand
) -> None:
    failures = 0
    while not stop.is_set():
        try:
            found = await _look(upstreams, settings, worker_id, in_hand)
        except Exception as failure:  # noqa: BLE001  # a fault of ours must not end the worker: nobody would start it again
            telemetry.WORKER_POLLS.labels("failed").inc()
            _tell(failure, "worker could not look for work")
            failures, found = failures + 1, 0
        else:
            failures = 0
        pause = 0.0 if found else min(settings.worker_poll_seconds * 2.0**failures, LONGEST_PAUSE)
        await _pause(stop, in_hand, pause, is_full=not _free_slots(in_hand, settings.worker_concurrency))


async def _look(upstreams: Upstreams, settings: Settings, worker_id: str, in_hand: InHand) -> int:
    """Lock what waits on topics with free slots, begin it, and tell how much it was."""
    free = _free_slots(in_hand, settings.worker_concurrency)
    if not free:
        return 0
    locked = await upstreams.camunda.fetch_and_lock(
        worker_id, topics=list(free), limit=min(free.values()), lock_seconds=settings.lock_seconds
    )
    for task in locked:
        begun = asyncio.create_task(_one(upstreams, settings, task))
        in_hand[begun] = task
        begun.add_done_callback(in_hand.pop)
        telemetry.WORKER_BUSY.inc()
        begun.add_done_callback(lambda _: telemetry.WORKER_BUSY.dec())
    telemetry.WORKER_POLLS.labels("found" if locked else "nothing").inc()
    return len(locked)


def _free_slots(in_hand: InHand, most: int) -> dict[str, int]:
    """Topics that can take further tasks, and how many."""
    taken = Counter(task.topic_name for task in in_hand.values())
    return {topic: most - taken[topic] for topic in WORK if taken[topic] < most}


async def _one(upstreams: Upstreams, settings: Settings, task: LockedTask) -> None:
    """One task; a failing report is logged, and the task found again after its lock."""
    try:
        await carry_out(upstreams, settings, task)
    except ApprovalApiError as failure:
        _log.warning("external task is left for later", extra={"external_task": task.id, "reason": str(failure)})
    except Exception:  # noqa: BLE001  # told here, as nobody awaits it
        _log.exception("worker failed", extra={"external_task": task.id})


async def _sweep_now_and_then(upstreams: Upstreams, settings: Settings, stop: asyncio.Event) -> None:
    """At random times within the interval, so that replicas started together do not sweep together."""
    after_id: str | None = None
    while True:
        await _until(stop, settings.reconcile_seconds * random.uniform(0.5, 1.5))  # noqa: S311  # no secret
        if stop.is_set():
            return
        try:
            with with_deadline(LONGEST_SWEEP):
                swept = await sweep(upstreams, settings, after_id)
        except Exception as failure:  # noqa: BLE001  # as above
            telemetry.RECONCILIATIONS.labels("failed").inc()
            _tell(failure, "worker could not look for drafts left behind")
            continue
        telemetry.RECONCILIATIONS.labels("done" if swept else "elsewhere").inc()
        if swept is not None:
            after_id = swept.last_id
            telemetry.DRAFTS_WAITING.set(swept.waiting)
            telemetry.DRAFTS_UNKNOWN.set(swept.unknown)
            telemetry.DRAFTS_UNLINKED.set(swept.unlinked)


def _tell(failure: Exception, words: str) -> None:
    if isinstance(failure, ApprovalApiError):
        _log.warning(words, extra={"reason": str(failure)})
    else:
        _log.error("worker failed", exc_info=failure)


async def _pause(stop: asyncio.Event, in_hand: InHand, seconds: float, *, is_full: bool) -> None:
    """Until the time is over, the worker is stopped, or, with every place taken, one of them is free."""
    if is_full:
        await _any_done(in_hand, return_when=asyncio.FIRST_COMPLETED)
        return
    await _until(stop, seconds)


async def _until(stop: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()


async def _any_done(in_hand: InHand, *, return_when: str) -> None:
    if in_hand:
        await asyncio.wait(in_hand, return_when=return_when)


async def _give_back(upstreams: Upstreams, in_hand: InHand) -> None:
    left_over = dict(in_hand)
    for begun in left_over:
        begun.cancel()
    if left_over:
        calls = (upstreams.camunda.unlock(task) for task in left_over.values())
        with suppress(TimeoutError):
            async with asyncio.timeout(GIVING_BACK):
                await asyncio.gather(*calls, return_exceptions=True)
