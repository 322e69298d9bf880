"""Faults at one chosen call of one request: it is never sent, its answer is never seen, or it breaks off half-way.

A replica gets `Tripwires.transports` and `Tripwires.connection_class`; requests are told apart by their X-Request-Id.
A call is one HTTP request or one SQL statement on the wire, a repeat of it being a second one.
"""

import asyncio
import os
import re
import socket
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any, TypeVar
from weakref import WeakSet

import httpx
from psycopg import waiting

from graphql_server.http.request_id import request_id
from resilience.postgres.pool import Connection
from tests.wiretap import Send, Steps, Tapped, tapped_database

Answer = TypeVar("Answer")
Meddle = Callable[[str], Awaitable[None]]

LONGEST_READ = 1 << 20
_PREFIX = re.compile(r"^/(engine-rest|fhir)(?=/|$)")
_ID = re.compile(r"(?<=/)(?:retool\.)?[0-9a-f]{8}-[0-9a-f-]{27}(?=/|$)")  # of a Provenance after its source


class Mode(StrEnum):
    """What happens at a call. Of the first two the request never hears again; after the last it goes on."""

    BEFORE = "before"
    AFTER = "after"
    CUT = "cut"


@dataclass(frozen=True)
class Point:
    """The nth call (from 0) of those alike in a request, and what happens there."""

    call: str
    nth: int
    mode: Mode

    def __str__(self) -> str:
        return f"{self.mode} {self.call} #{self.nth}"


async def let_be(_call: str) -> None:
    """Nothing else happens."""


class Tripwires:
    """Notes the calls of every request and lets the points given befall them. `calls` and `met` are by request id.

    `stopped` hears of each request that will do nothing any more. `meddle` is told `METHOD /path` of every HTTP
    request that was answered with success, before anybody sees the answer.
    """

    def __init__(
        self,
        points: Mapping[str, Point],
        *,
        stopped: Callable[[str], None] = lambda _: None,
        meddle: Meddle = let_be,
        who: Callable[[], str] = request_id.get,
    ) -> None:
        self.points = dict(points)
        self.calls: dict[str, list[str]] = defaultdict(list)
        self.met: set[str] = set()
        self.meddle = meddle
        self._stopped = stopped
        self._who = who
        self.dead: set[str] = set()

    def transports(self, name: str, inner: httpx.AsyncBaseTransport) -> httpx.AsyncBaseTransport:
        """As `build_app` takes them."""
        return Tapped(inner, partial(self._request, name))

    @property
    def connection_class(self) -> type[Connection]:
        """As `build_app` takes it."""
        losing: WeakSet[Connection] = WeakSet()
        return tapped_database(statement=partial(self._statement, losing), wait=partial(_breaking_off, losing))

    async def _request(self, name: str, request: httpx.Request, send: Send) -> httpx.Response:
        path = request.url.path
        label = f"{name} {request.method} {_ID.sub('{id}', _PREFIX.sub('', path)) or '/'}"

        async def sent(mode: Mode | None) -> httpx.Response:
            response = await send(request)
            content = await _content(response)
            if response.is_success:
                await self.meddle(f"{request.method} {path}")
            if mode is Mode.CUT and not content:
                raise httpx.RemoteProtocolError("Server disconnected without sending a response.")
            stream = _Half(content) if mode is Mode.CUT else httpx.ByteStream(content)
            return httpx.Response(response.status_code, headers=response.headers, stream=stream)

        return await self.around(label, sent)

    async def _statement(
        self, losing: WeakSet[Connection], connection: Connection, text: str, execute: Callable[[], Awaitable[Any]]
    ) -> Any:
        async def sent(mode: Mode | None) -> Any:
            (losing.add if mode is Mode.CUT else losing.discard)(connection)
            return await execute()

        return await self.around(f"retool {text.split(maxsplit=1)[0]}", sent)

    async def around(self, call: str, send: Callable[[Mode | None], Awaitable[Answer]]) -> Answer:
        """Let `send` do a call, unless its request is stopped before; the answer, unless it is stopped after.

        `send` hears what befalls the call, and breaks the answer itself.
        """
        request = self._who()
        await self._unless_dead(request)
        mode = self._befalls(request, call)
        if mode is Mode.BEFORE:
            await self._die(request)
        answer = await send(mode)
        if mode is Mode.AFTER:
            await self._die(request)
        await self._unless_dead(request)
        return answer

    def _befalls(self, request: str, call: str) -> Mode | None:
        calls, point = self.calls[request], self.points.get(request)
        calls.append(call)
        if point is None or request in self.met or (point.call, point.nth + 1) != (call, calls.count(call)):
            return None
        self.met.add(request)
        return point.mode

    async def _die(self, request: str) -> None:
        self.dead.add(request)
        self._stopped(request)
        await self._unless_dead(request)

    async def _unless_dead(self, request: str) -> None:
        """What a stopped request does beside goes no further either."""
        if request in self.dead:
            await asyncio.Event().wait()


async def _content(response: httpx.Response) -> bytes:
    """The whole body as it came over the wire."""
    assert isinstance(response.stream, httpx.AsyncByteStream)
    content = b"".join([chunk async for chunk in response.stream])
    await response.stream.aclose()
    return content


class _Half(httpx.AsyncByteStream):
    """The first half of a body, and then the end of the connection."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self.content[: len(self.content) // 2]
        raise httpx.RemoteProtocolError("peer closed connection without sending complete message body")


async def _breaking_off(losing: WeakSet[Connection], connection: Connection, steps: Steps) -> Steps:
    return _losing_the_answer(steps, connection.pgconn.socket) if connection in losing else steps


def _losing_the_answer(gen: Generator[Any, Any, Answer], descriptor: int) -> Generator[Any, Any, Answer]:
    """psycopg's own steps; the first of them that is to read finds the connection broken.

    The server answers a statement once it is committed, so the work is done when the answer is lost.
    """
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            if wanted == waiting.Wait.R:
                _lose(descriptor)
            wanted = gen.send(ready)
    except StopIteration as end:
        answer: Answer = end.value
        return answer


def _lose(descriptor: int) -> None:
    with socket.socket(fileno=os.dup(descriptor)) as wire:
        wire.recv(LONGEST_READ)
        wire.shutdown(socket.SHUT_RDWR)
