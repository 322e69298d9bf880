"""Taps on the calls to the three systems: functions that note a call, delay it, break it or answer in its place.

For `serving(settings, transports=tapped(…), connection_class=tapped_database(…))`, and for `open_upstreams`. The real
systems stay behind the taps; what a tap does not match passes as it is.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Container, Generator
from functools import partial
from itertools import count
from typing import Any

import httpx
import psycopg

from resilience.http.call import Transports
from resilience.postgres.pool import Connection

Send = Callable[[httpx.Request], Awaitable[httpx.Response]]
Tap = Callable[[httpx.Request, Send], Awaitable[httpx.Response]]
"""A request and what sends it on → its answer."""

StatementTap = Callable[[Connection, str, Callable[[], Awaitable[Any]]], Awaitable[Any]]
"""A connection, the text of a statement and what executes it → the result."""

Steps = Generator[Any, Any, Any]
WaitTap = Callable[[Connection, Steps], Awaitable[Steps]]
"""A connection and psycopg's own steps of an exchange with the server → the steps to take."""


class Tapped(httpx.AsyncBaseTransport):
    """A transport whose requests pass these taps, the first of them first. It closes nothing; `Upstream` does."""

    def __init__(self, inner: httpx.AsyncBaseTransport, *taps: Tap) -> None:
        self.send: Send = inner.handle_async_request
        for tap in reversed(taps):
            self.send = partial(_through, tap, self.send)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self.send(request)


async def _through(tap: Tap, send: Send, request: httpx.Request) -> httpx.Response:
    return await tap(request, send)


def tapped(*taps: Tap, system: str | None = None, call: str = ".*") -> Transports:
    """Taps on calls like `METHOD /path`, a regular expression, of one system, or of every system that speaks HTTP."""
    pattern = re.compile(call)

    def matching(tap: Tap) -> Tap:
        async def passed(request: httpx.Request, send: Send) -> httpx.Response:
            is_of = pattern.fullmatch(f"{request.method} {request.url.path}")
            return await (tap(request, send) if is_of else send(request))

        return passed

    def transports(name: str, inner: httpx.AsyncBaseTransport) -> httpx.AsyncBaseTransport:
        return Tapped(inner, *map(matching, taps)) if system in (None, name) else inner

    return transports


def noting(calls: list[httpx.Request]) -> Tap:
    """Adds each request to `calls` before it is sent."""

    async def noted(request: httpx.Request, send: Send) -> httpx.Response:
        calls.append(request)
        return await send(request)

    return noted


def before(act: Callable[[], object]) -> Tap:
    """Carries `act` out in a thread, and sends the request after that."""

    async def acted(request: httpx.Request, send: Send) -> httpx.Response:
        await asyncio.to_thread(act)
        return await send(request)

    return acted


def failing(error: Callable[[str], Exception]) -> Tap:
    """Raises an error, made of a text that names the request, which is not sent."""

    async def failed(request: httpx.Request, _send: Send) -> httpx.Response:
        raise error(f"broken by a test: {request.method} {request.url}")

    return failed


def only(numbers: Container[int], tap: Tap) -> Tap:
    """A tap for the calls of these numbers, counted from 1; the others pass."""
    counter = count(1)

    async def counted(request: httpx.Request, send: Send) -> httpx.Response:
        return await (tap(request, send) if next(counter) in numbers else send(request))

    return counted


def only_while(is_on: Callable[[], bool], tap: Tap) -> Tap:
    """A tap for calls while `is_on`; the others pass."""

    async def decided(request: httpx.Request, send: Send) -> httpx.Response:
        return await (tap(request, send) if is_on() else send(request))

    return decided


def meanwhile(system: str, call: str, act: Callable[[], object]) -> Transports:
    """Carries `act` out just before the first call like `METHOD /path` is sent to the system."""
    return tapped(only({1}, before(act)), system=system, call=call)


async def _executed(_connection: Connection, _text: str, execute: Callable[[], Awaitable[Any]]) -> Any:
    return await execute()


async def _unchanged(_connection: Connection, steps: Steps) -> Steps:
    return steps


def tapped_database(*, statement: StatementTap = _executed, wait: WaitTap = _unchanged) -> type[Connection]:
    """Connections with a tap on each statement, and one on each exchange with the server, of which BEGIN is one."""

    class Cursor(psycopg.AsyncCursor[Any]):
        async def execute(self, query: Any, *arguments: Any, **options: Any) -> Any:
            text = query if isinstance(query, str) else query.as_string(self)
            return await statement(self.connection, text, partial(super().execute, query, *arguments, **options))

    class TappedConnection(psycopg.AsyncConnection[Any]):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            self.cursor_factory = Cursor

        async def wait(self, gen: Any, *arguments: Any, **options: Any) -> Any:
            return await super().wait(await wait(self, gen), *arguments, **options)

    return TappedConnection
