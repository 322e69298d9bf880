"""Clients: so many at once, each on a kept connection, each asking again as soon as it is answered.

Written on the bare protocol, so that asking costs next to nothing beside answering. Used by running.py.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

LONGEST = 120.0  # seconds of one request


@dataclass
class Load:
    """What a run of requests came to: seconds of each, and seconds in all."""

    latencies: list[float] = field(default_factory=list)
    seconds: float = 0.0


class Client(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.missing = -1
        self.answer: asyncio.Future[bytes] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def ask(self, request: bytes) -> asyncio.Future[bytes]:
        """The body of the answer. Raises AssertionError for any status but 200."""
        self.answer = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return self.answer

    def data_received(self, data: bytes) -> None:
        if self.missing < 0:
            head, _, data = data.partition(b"\r\n\r\n")
            lines = head.lower().split(b"\r\n")
            self.missing = next(int(line[15:]) for line in lines if line.startswith(b"content-length:"))
            if b" 200" not in lines[0]:
                self._settle(error=AssertionError(head + data))
                return
        self.parts.append(data)
        self.missing -= len(data)
        if self.missing == 0:
            body, self.parts, self.missing = b"".join(self.parts), [], -1
            self._settle(body)

    def connection_lost(self, exc: Exception | None) -> None:
        self._settle(error=exc or ConnectionResetError("the server hung up"))

    def _settle(self, body: bytes = b"", error: Exception | None = None) -> None:
        if self.answer is None or self.answer.done():
            return
        if error is None:
            self.answer.set_result(body)
        else:
            self.answer.set_exception(error)


@asynccontextmanager
async def connected(port: int, count: int) -> AsyncIterator[list[Client]]:
    """So many clients of a server on this machine."""
    loop = asyncio.get_running_loop()
    made = await asyncio.gather(*(loop.create_connection(Client, "127.0.0.1", port) for _ in range(count)))
    clients = [client for _, client in made]
    try:
        yield clients
    finally:
        for client in clients:
            client.transport.close()


async def ask_all(clients: Sequence[Client], request: bytes, times: int) -> Load:
    """The request so many times in all, shared among the clients as they become free."""
    load, left = Load(), iter(range(times))

    async def asking(client: Client) -> None:
        for _ in left:
            begun = time.perf_counter()
            async with asyncio.timeout(LONGEST):
                await client.ask(request)
            load.latencies.append(time.perf_counter() - begun)

    begun = time.perf_counter()
    await asyncio.gather(*(asking(client) for client in clients))
    load.seconds = time.perf_counter() - begun
    return load


def http_request(path: str, headers: dict[str, str], body: bytes) -> bytes:
    """A POST as it goes over the wire."""
    told = {"Host": "localhost", "Content-Type": "application/json", "Content-Length": str(len(body)), **headers}
    lines = "".join(f"{name}: {value}\r\n" for name, value in told.items())
    return f"POST {path} HTTP/1.1\r\n{lines}\r\n".encode() + body
