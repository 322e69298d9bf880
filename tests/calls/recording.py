"""Every request that leaves for one of the three systems, written down at the wire as it passes.

`Recording` is given to `serving`: an httpx transport before the real one, a psycopg cursor that sends as ever.
"""

import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import httpx

from api.settings import Settings
from resilience.postgres.pool import Connection
from tests.serving import Api, serving
from tests.wiretap import Send, Tapped, tapped_database

SQL = "SQL"
BASES = re.compile(r"^/(engine-rest|fhir)(?=/|$)")
NAMED = re.compile(r"/[^/]*(?:\d[^/]*-|:)[^/]*")  # a part of a path that is an id


@dataclass(frozen=True)
class Call:
    """One request: where to, of which kind, what was sent, and from when to when it was under way (seconds)."""

    system: str
    kind: str
    sent: str
    begun: float
    ended: float


class Recording:
    """The calls in the order they were answered."""

    def __init__(self) -> None:
        self.calls: list[Call] = []

    async def before_call(self, kind: str) -> None:
        """What happens before a call of this kind leaves: nothing, here."""

    def after_call(self) -> None:
        """And after its answer has come."""

    @contextmanager
    def before(self, settings: Settings) -> Iterator[Api]:
        """The API with this recording before its upstreams."""
        with serving(settings, transports=self.transports, connection_class=self.connection_class()) as api:
            yield api

    def transports(self, name: str, inner: httpx.AsyncBaseTransport) -> httpx.AsyncBaseTransport:
        """For `build_app`."""
        return Tapped(inner, partial(self._request, name))

    def connection_class(self) -> type[Connection]:
        """For `build_app`."""
        return tapped_database(statement=self._statement)

    async def _request(self, name: str, request: httpx.Request, send: Send) -> httpx.Response:
        path = NAMED.sub("/{id}", BASES.sub("", request.url.path)) or "/"
        sent = (await request.aread()).decode()
        async with self.noting(name, f"{request.method} {path}", sent):
            answer = await send(request)
            await answer.aread()
            return answer

    async def _statement(self, _connection: Connection, text: str, execute: Callable[[], Awaitable[Any]]) -> Any:
        async with self.noting("retool", SQL, text):
            return await execute()

    @asynccontextmanager
    async def noting(self, system: str, kind: str, sent: str) -> AsyncIterator[None]:
        """Note one call, from the beginning of the block to its end."""
        await self.before_call(kind)
        begun = time.monotonic()
        try:
            yield
        finally:
            self.calls.append(Call(system, kind, sent, begun, time.monotonic()))
            self.after_call()

    def counts(self) -> dict[str, int]:
        """How many calls there were of each kind."""
        return dict(sorted(Counter(call.kind for call in self.calls).items()))

    def sent(self, kind: str) -> list[str]:
        """What the calls of one kind sent: a statement, or a body."""
        return [call.sent for call in self.calls if call.kind == kind]
