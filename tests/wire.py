"""Faults at the wire: a TCP proxy before a real system, which can pass, refuse, hang, cut, delay or answer by itself.

Used by the tests in degraded/, which point the settings at the proxy's port; nothing of ours is replaced.
"""

import asyncio
import socket
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

CHUNK = 65_536
HTML = b"<html><body><h1>502 Bad Gateway</h1></body></html>"


@dataclass(frozen=True)
class Pass:
    """Everything goes through, each chunk of an answer after `delay` seconds."""

    delay: float = 0


@dataclass(frozen=True)
class Refuse:
    """Nobody listens: connections are refused, open ones are gone."""


@dataclass(frozen=True)
class Hang:
    """Connections are made and stay open, and nothing comes back on any of them."""


@dataclass(frozen=True)
class Cut:
    """Every connection breaks once so many bytes came back on it."""

    after: int


@dataclass(frozen=True)
class Say:
    """An HTTP answer of the proxy's own, after the whole request was read; `missing` bytes of it never come."""

    status: int = 200
    body: bytes = b""
    kind: str = "application/json"
    missing: int = 0

    @property
    def answer(self) -> bytes:
        length = len(self.body) + self.missing
        head = f"HTTP/1.1 {self.status} Said\r\nContent-Type: {self.kind}\r\nContent-Length: {length}\r\n"
        return head.encode() + b"Connection: close\r\n\r\n" + self.body


Fault = Pass | Refuse | Hang | Cut | Say
PASS = Pass()


class Wire:
    """The proxy's port and what it does at present. Made by `wire`."""

    def __init__(self, host: str, port: int, holder: socket.socket, loop: asyncio.AbstractEventLoop) -> None:
        self.target = (host, port)
        self.port: int = holder.getsockname()[1]
        self.fault: Fault = PASS
        self.answers = 0
        self._loop = loop
        self._listener: asyncio.Server | None = None
        self._connections: dict[asyncio.Task[None], list[asyncio.StreamWriter]] = {}
        self._changed = asyncio.Event()

    @property
    def is_asked(self) -> bool:
        """Whether anybody is connected."""
        return bool(self._connections)

    @contextmanager
    def during(self, fault: Fault) -> Iterator[None]:
        """Have this fault until the block ends."""
        self.become(fault)
        try:
            yield
        finally:
            self.become(PASS)

    def become(self, fault: Fault) -> None:
        """Have this fault from now on. Connections that hung are lost then; Hang and Cut befall open ones too."""
        self._run(self._become(fault))

    def close(self) -> None:
        self._run(self._close())

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _become(self, fault: Fault) -> None:
        former, self.fault = self.fault, fault
        if not (former == PASS and isinstance(fault, Hang | Cut)):
            await self._drop()
        if isinstance(fault, Refuse):
            await self._stop_listening()
        elif self._listener is None:
            self._listener = await asyncio.start_server(self._serve, "127.0.0.1", self.port, reuse_port=True)
        self._changed.set()
        self._changed = asyncio.Event()

    async def _close(self) -> None:
        await self._stop_listening()
        await self._drop()

    async def _stop_listening(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            # a connection accepted a moment ago becomes one of ours first: asyncio would lose it without closing it
            for each in listener.sockets:
                self._loop.remove_reader(each.fileno())
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            listener.close()

    async def _drop(self) -> None:
        tasks = list(self._connections)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections[task] = writers = [writer]
        # what a client or a system does to its end is no fault of the proxy's
        try:
            with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await self._connect(reader, writer, writers)
        finally:
            del self._connections[task]
            for each in writers:
                each.transport.abort()

    async def _connect(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, writers: list[asyncio.StreamWriter]
    ) -> None:
        if isinstance(self.fault, Refuse):
            return
        if isinstance(self.fault, Say):
            await self._say(reader, writer, self.fault)
            return
        await self._unless_hanging()
        far_reader, far_writer = await asyncio.open_connection(*self.target)
        writers.append(far_writer)
        ways = {
            asyncio.create_task(self._there(reader, far_writer)),
            asyncio.create_task(self._back(far_reader, writer)),
        }
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _say(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, fault: Say) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        lengths = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        await reader.readexactly(int(lengths[0]) if lengths else 0)
        self.answers += 1
        writer.write(fault.answer)
        await writer.drain()
        writer.write_eof()
        await reader.read()

    async def _there(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(CHUNK):
            await self._unless_hanging()
            writer.write(chunk)
            await writer.drain()

    async def _back(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        come = 0
        while chunk := await reader.read(CHUNK):
            await self._unless_hanging()
            if isinstance(self.fault, Cut):
                chunk = chunk[: self.fault.after - come]
                come += len(chunk)
            if isinstance(self.fault, Pass) and self.fault.delay:
                await asyncio.sleep(self.fault.delay)
            writer.write(chunk)
            await writer.drain()
            if isinstance(self.fault, Cut) and come >= self.fault.after:
                await self._hang_up(writer)
                return

    async def _hang_up(self, writer: asyncio.StreamWriter) -> None:
        writer.write_eof()
        await asyncio.sleep(0)

    async def _unless_hanging(self) -> None:
        while isinstance(self.fault, Hang):
            await self._changed.wait()


@contextmanager
def wire(host: str, port: int) -> Iterator[Wire]:
    """A proxy before host:port, in a thread of its own until the block ends."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    # bound but not listening: keeps the port ours while connections to it are refused
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind(("127.0.0.1", 0))
        thread.start()
        proxy = Wire(host, port, holder, loop)
        try:
            proxy.become(PASS)
            yield proxy
        finally:
            proxy.close()
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()
