"""A TCP balancer: each connection goes to the next replica. `python -m tests.bench.balancer <port> …`, on PORT."""

import asyncio
import sys
from collections.abc import Callable
from itertools import cycle
from typing import cast

import uvloop

from tests.bench.query import environment


class End(asyncio.Protocol):
    """One end of a connection; what comes goes out at the other."""

    def __init__(self, opened: Callable[["End"], None] | None = None) -> None:
        self.other: End | None = None
        self.waiting: list[bytes] = []
        self.opened = opened

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        if self.opened is not None:
            self.opened(self)

    def join(self, other: "End") -> None:
        self.other = other
        for data in self.waiting:
            other.transport.write(data)

    def data_received(self, data: bytes) -> None:
        if self.other is None:
            self.waiting.append(data)
        else:
            self.other.transport.write(data)

    def connection_lost(self, _error: Exception | None) -> None:
        if self.other is not None:
            self.other.transport.close()


async def main(ports: list[int]) -> None:
    """Serve until the process is ended."""
    loop, following, opening = asyncio.get_running_loop(), cycle(ports), set[asyncio.Task[None]]()

    async def connect(near: End) -> None:
        far = End()
        await loop.create_connection(lambda: far, "127.0.0.1", next(following))
        far.join(near)
        near.join(far)

    def opened(near: End) -> None:
        task = loop.create_task(connect(near))
        opening.add(task)
        task.add_done_callback(opening.discard)

    server = await loop.create_server(lambda: End(opened), "127.0.0.1", int(environment("PORT")))
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main([int(word) for word in sys.argv[1:]]))
