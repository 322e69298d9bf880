"""A replica that dies of SIGKILL, once each of its requests has come to the call it is to be stopped at.

A request that is stopped does nothing any more, so it is to the systems as if the process had died at that call.
"""

import asyncio
import json
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from multiprocessing.connection import Connection
from typing import Any

from api.coordination.policy import policy_of
from api.coordination.process.reconcile import Sweep, sweep
from api.coordination.process.worker import work
from api.settings import Settings
from api.upstreams import open_upstreams
from notifications import notification_work
from tests.crash.moves import Moves
from tests.crash.tripwire import Point, Tripwires
from tests.serving import Api, Someone, serving

SIDE_BY_SIDE = 8  # requests that are not stopped yet
NO_DRAFT = "00000000-0000-0000-0000-000000000000"
# a request that is stopped keeps its place, and its time is not over before the others are stopped too
PATIENCE = {
    **dict.fromkeys(("request_seconds", "retool_timeout", "camunda_timeout", "aidbox_timeout"), 300),
    **dict.fromkeys(("camunda_connections", "aidbox_connections"), 500),
    "retool_pool_size": 100,
    "max_requests_per_caller": 500,
}

processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(["tests.crash.doomed"])


@dataclass(frozen=True)
class Asked:
    """A mutation, who asks it, and its input."""

    operation: str
    someone: Someone
    fields: Mapping[str, object]

    def of(self, api: Api, request: str) -> dict[str, Any]:
        """The whole answer to it, as a request of this id."""
        body = {"query": self.operation, "variables": {"input": self.fields}}
        response = api.client.post("/graphql", json=body, headers={"X-Request-Id": request, **self.someone.headers})
        answer: dict[str, Any] = json.loads(response.content, parse_float=Decimal)
        return answer


def warm(api: Api) -> None:
    """Let a replica ask what it asks only once, so that the first request of all is like the others."""
    api.ask(f'{{ draft(id: "{NO_DRAFT}") {{ id }} }}', Someone("nobody"))


def stop_requests(
    settings: Settings, points: Mapping[str, Point], asked: Mapping[str, Asked], moves: Moves
) -> set[str]:
    """Ask all these of a replica that dies of it; the ids of the requests that were stopped at their points."""
    return _last_words(_serve_and_die, settings.model_copy(update=PATIENCE), points, asked, moves)


def stop_workers(settings: Settings, points: Sequence[Point]) -> set[str]:
    """Let a worker come to each point, with a task that waits, and all of them die; the points they came to."""
    return _last_words(_work_and_die, settings.model_copy(update=PATIENCE), points)


def stop_sweep(settings: Settings, point: Point, after_id: str) -> set[str]:
    """Let a sweep from this draft id on come to a point and die there; the point it came to."""
    return _last_words(_sweep_and_die, settings.model_copy(update=PATIENCE), point, after_id)


def _last_words(target: Callable[..., None], *args: object) -> set[str]:
    """What a process says before it kills itself."""
    hears, tells = processes.Pipe(duplex=False)
    with hears, tells:
        replica = processes.Process(target=target, args=(*args, tells))
        replica.start()
        tells.close()
        said: set[str] = hears.recv()
        replica.join()
    assert replica.exitcode == -signal.SIGKILL
    return said


def _serve_and_die(
    settings: Settings, points: Mapping[str, Point], asked: Mapping[str, Asked], moves: Moves, tells: Connection
) -> None:
    ended: set[str] = set()
    over, places = threading.Semaphore(0), threading.Semaphore(SIDE_BY_SIDE)

    def end(request: str) -> None:
        """A request that was stopped may still be answered, as out of time."""
        if request not in ended:
            ended.add(request)
            over.release()
            places.release()

    def ask(api: Api, request: str) -> None:
        asked[request].of(api, request)
        end(request)

    tripwires = Tripwires(points, stopped=end, meddle=moves.after)
    parts: dict[str, Any] = {"transports": tripwires.transports, "connection_class": tripwires.connection_class}
    with serving(settings, **parts) as api, ThreadPoolExecutor(len(points)) as pool:
        warm(api)
        for request in points:
            places.acquire()
            pool.submit(ask, api, request)
        for _ in points:
            over.acquire()
        _die(tells, tripwires.dead)


def _work_and_die(settings: Settings, points: Sequence[Point], tells: Connection) -> None:
    asyncio.run(_stop_one_after_another(settings, points, tells))


async def _stop_one_after_another(settings: Settings, points: Sequence[Point], tells: Connection) -> None:
    """Each is stopped with its task locked before the next begins, so that each has a task of its own."""
    stopped = [await _stop_worker(settings, point) for point in points]
    assert len(stopped) == len(points)
    _die(tells, {str(point) for point in points})


async def _stop_worker(settings: Settings, point: Point) -> asyncio.Task[None]:
    stopped, tripwires = _tripwires(point)
    working = asyncio.create_task(run_worker(settings, tripwires, asyncio.Event()))
    await stopped.wait()
    return working


def _tripwires(point: Point) -> tuple[asyncio.Event, Tripwires]:
    """For a replica that does only one thing, and what is set when it stops."""
    stopped = asyncio.Event()
    return stopped, Tripwires({"": point}, stopped=lambda _: stopped.set(), who=lambda: "")


async def run_worker(settings: Settings, tripwires: Tripwires, stop: asyncio.Event) -> None:
    """A worker alone, as `plan-api worker` runs it."""
    async with open_upstreams(
        settings, transports=tripwires.transports, connection_class=tripwires.connection_class
    ) as upstreams:
        await work(upstreams, settings, stop, notification_work(settings))


def _sweep_and_die(settings: Settings, point: Point, after_id: str, tells: Connection) -> None:
    asyncio.run(_stop_sweep(settings, point, after_id, tells))


async def _stop_sweep(settings: Settings, point: Point, after_id: str, tells: Connection) -> None:
    stopped, tripwires = _tripwires(point)
    sweeping = asyncio.create_task(run_sweep(settings, tripwires, after_id))
    await stopped.wait()
    assert not sweeping.done()
    _die(tells, {str(point)})


async def run_sweep(settings: Settings, tripwires: Tripwires, after_id: str | None) -> Sweep | None:
    """One of the worker's sweeps."""
    async with open_upstreams(
        settings, transports=tripwires.transports, connection_class=tripwires.connection_class
    ) as upstreams:
        return await sweep(upstreams, policy_of(settings), after_id)


def _die(tells: Connection, words: set[str]) -> None:
    tells.send(words)
    os.kill(os.getpid(), signal.SIGKILL)
