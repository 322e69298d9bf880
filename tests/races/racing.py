"""Running a race: the API whose upstream calls pass a turnstile, actors that leave together, and the rounds."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx

from graphql_server.http.request_id import request_id
from resilience.postgres.pool import Connection
from tests.races.schedule import Schedule
from tests.serving import Api, Someone
from tests.wiretap import Send, Steps, tapped, tapped_database

Answer = TypeVar("Answer")
Payload = dict[str, Any]


@dataclass
class Turnstile:
    """What every upstream call of a served API passes: `parts` are for `serving`.

    Calls count for the actor that their request's id names; those of no request, a worker's, for `worker`. A request
    that its sender gave up (`given_up` of them) still goes on and arrives: nobody can call back what is on its way.
    """

    worker: str = "worker"
    schedule: Schedule = field(default_factory=Schedule)
    given_up: int = 0
    held: int = 0
    on_their_way: set[asyncio.Task[httpx.Response]] = field(default_factory=set)

    @property
    def parts(self) -> dict[str, Any]:
        """What `serving` takes."""
        return {"transports": tapped(self._request), "connection_class": tapped_database(wait=self._statement)}

    async def turn(self) -> None:
        """Wait as the schedule says; `held` are those that wait."""
        named = request_id.get()
        self.held += 1
        try:
            await self.schedule.turn(self.worker if named == "-" else named)
        finally:
            self.held -= 1

    async def _request(self, request: httpx.Request, send: Send) -> httpx.Response:
        """Before a request leaves. Looking for work is not counted: a worker does it again and again."""
        if request.url.path.endswith("/external-task/fetchAndLock"):
            return await send(request)
        sending = asyncio.create_task(self._send(request, send))
        self.on_their_way.add(sending)
        sending.add_done_callback(self.on_their_way.discard)
        try:
            return await asyncio.shield(sending)
        except asyncio.CancelledError:
            self.given_up += 1
            sending.add_done_callback(lambda sent: sent.cancelled() or sent.exception())
            raise

    async def _send(self, request: httpx.Request, send: Send) -> httpx.Response:
        await self.turn()
        return await send(request)

    async def _statement(self, _connection: Connection, steps: Steps) -> Steps:
        """Before a statement leaves."""
        await self.turn()
        return steps


@dataclass(frozen=True)
class Actor(Someone):
    """Somebody in a race; `name` tells apart what one person does twice."""

    name: str = ""

    @property
    def headers(self) -> dict[str, str]:
        return {**super().headers, "X-Request-Id": self.name}


def acting(someone: Someone, name: str) -> Actor:
    """This person as an actor."""
    return Actor(someone.id, someone.groups, name)


@dataclass
class Racing:
    """The API and its turnstile."""

    api: Api
    turnstile: Turnstile

    def run(self, schedule: Schedule, actors: Mapping[str, Callable[[], Payload]]) -> dict[str, Payload]:
        """Let the actors go by this schedule; what each was answered."""
        self.turnstile.schedule = schedule
        return at_once(schedule, actors)


def at_once(schedule: Schedule, actors: Mapping[str, Callable[[], Answer]]) -> dict[str, Answer]:
    """Let the actors go, each in a thread of its own; what each came to, in the order they ended."""
    answers: dict[str, Answer] = {}

    def go(name: str, act: Callable[[], Answer]) -> None:
        try:
            answers[name] = act()
        finally:
            schedule.end(name)

    with ThreadPoolExecutor(len(actors)) as pool:
        for run in [pool.submit(go, name, act) for name, act in actors.items()]:
            run.result()
    return answers


@contextmanager
def told_by(seed: int) -> Iterator[None]:
    """A failure in the block says how to run its round again."""
    try:
        yield
    except BaseException as failure:
        failure.add_note(f"run this round again with --seed {seed} --rounds 1")
        raise
