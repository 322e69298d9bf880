"""The HTTP transport against a peer at the wire, which answers as told and notes what reaches it."""

import asyncio
import gzip
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from api.upstreams.http.client import Client
from api.upstreams.http.connections import REPEATABLE, Transport

FINE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
Act = Callable[[asyncio.StreamWriter, int], Coroutine[Any, Any, None]]


class Peer:
    """Requests as (connection, request line), in the order they came; `act` answers the n-th."""

    def __init__(self, act: Act) -> None:
        self.act = act
        self.came: list[tuple[int, str]] = []
        self.heads: list[str] = []
        self.gone = 0
        self.connections = 0
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection, self.connections = self.connections, self.connections + 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = next((int(line[15:]) for line in head.lower().split("\r\n") if "content-length" in line), 0)
                await reader.readexactly(length)
                self.came.append((connection, head.split("\r\n")[0]))
                self.heads.append(head)
                await self.act(writer, len(self.came))
        except (asyncio.IncompleteReadError, ConnectionError):
            self.gone += 1
            writer.close()


def saying(answer: bytes, *, then_close: bool = False) -> Act:
    async def act(writer: asyncio.StreamWriter, _number: int) -> None:
        writer.write(answer)
        if then_close:
            writer.close()

    return act


async def silence(_writer: asyncio.StreamWriter, _number: int) -> None:
    """No answer."""


@asynccontextmanager
async def peer_and_client(act: Act, connections: int = 5) -> AsyncIterator[tuple[Peer, httpx.AsyncClient]]:
    peer = Peer(act)
    server = await asyncio.start_server(peer.serve, "127.0.0.1", 0)
    peer.port = server.sockets[0].getsockname()[1]
    transport = Transport(ssl.create_default_context(), connections)
    base = f"http://127.0.0.1:{peer.port}"
    async with server:
        async with httpx.AsyncClient(transport=transport, base_url=base, timeout=5) as client:
            yield peer, client
        await settle()  # the peer sees that the client is gone


async def settle() -> None:
    """What the other end did arrives."""
    await asyncio.sleep(0.05)


async def until(holds: Callable[[], bool]) -> None:
    """Look again and again until it holds."""
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110  # the peer tells nobody
            await asyncio.sleep(0.01)


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    def runs() -> None:
        asyncio.run(test())

    runs.__doc__ = test.__doc__
    return runs


@run
async def test_a_connection_is_kept_for_reads() -> None:
    async with peer_and_client(saying(FINE)) as (peer, client):
        for _ in range(3):
            assert (await client.get("/plan")).json() == {}
        await client.post("/task", content=b"{}", extensions={REPEATABLE: True})
    assert peer.came == [(0, "GET /plan HTTP/1.1")] * 3 + [(0, "POST /task HTTP/1.1")]


@run
async def test_a_write_has_a_connection_of_its_own() -> None:
    async with peer_and_client(saying(FINE)) as (peer, client):
        await client.get("/plan")
        await client.post("/complete", content=b"{}")
        await client.put("/plan", content=b"{}")
        await client.get("/plan")
    assert [connection for connection, _ in peer.came] == [0, 1, 2, 2]


@run
async def test_a_kept_connection_that_was_closed_is_no_failure() -> None:
    async with peer_and_client(saying(FINE, then_close=True)) as (peer, client):
        for _ in range(3):
            await client.get("/plan")
            await settle()
    assert [connection for connection, _ in peer.came] == [0, 1, 2]


@run
async def test_what_may_be_sent_twice_is_when_a_kept_connection_ends_without_an_answer() -> None:
    async def act(writer: asyncio.StreamWriter, number: int) -> None:
        if number == 2:
            writer.close()
        else:
            writer.write(FINE)

    async with peer_and_client(act) as (peer, client):
        await client.get("/plan")
        assert (await client.post("/task", content=b"{}", extensions={REPEATABLE: True})).json() == {}
    assert peer.came == [(0, "GET /plan HTTP/1.1"), (0, "POST /task HTTP/1.1"), (1, "POST /task HTTP/1.1")]


@run
async def test_a_write_without_an_answer_is_sent_once() -> None:
    async def act(writer: asyncio.StreamWriter, _number: int) -> None:
        writer.close()

    async with peer_and_client(act) as (peer, client):
        with pytest.raises(httpx.RemoteProtocolError):
            await client.post("/complete", content=b"{}")
    assert peer.came == [(0, "POST /complete HTTP/1.1")]


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"no HTTP at all\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000,
    ],
)
def test_half_an_answer_is_an_error(answer: bytes) -> None:
    async def ask() -> None:
        async with peer_and_client(saying(answer, then_close=True)) as (peer, client):
            with pytest.raises(httpx.RemoteProtocolError):
                await client.get("/plan")
            assert len(peer.came) == 1

    asyncio.run(ask())


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n", "{}"),
        (b"HTTP/1.1 200 OK\r\n\r\nto the end", "to the end"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", ""),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "{}"),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", ""),
    ],
)
def test_a_whole_answer_however_it_ends(answer: bytes, body: str) -> None:
    async def ask() -> None:
        async with peer_and_client(saying(answer, then_close=True)) as (_, client):
            assert (await client.get("/plan")).text == body

    asyncio.run(ask())


@run
async def test_more_than_was_asked_for_spoils_the_connection() -> None:
    async with peer_and_client(saying(FINE + FINE)) as (peer, client):
        await client.get("/plan")
        await settle()
        await client.get("/plan")
    assert [connection for connection, _ in peer.came] == [0, 1]


@run
async def test_no_answer_in_time() -> None:
    async with peer_and_client(silence) as (peer, client):
        with pytest.raises(httpx.ReadTimeout):
            await client.get("/plan", timeout=httpx.Timeout(5, read=0.05))
        await until(lambda: (len(peer.came), peer.gone) == (1, 1))


@run
async def test_a_cancelled_request_ends_its_connection() -> None:
    async with peer_and_client(silence) as (peer, client):
        asking = asyncio.create_task(client.get("/plan"))
        await until(lambda: len(peer.came) == 1)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await until(lambda: peer.gone == 1)
    assert len(peer.came) == 1


@run
async def test_no_more_connections_than_allowed() -> None:
    async with peer_and_client(saying(FINE), connections=2) as (peer, client):
        await asyncio.gather(*(client.get("/plan") for _ in range(20)))
        await client.post("/complete", content=b"{}")  # in the place of a kept one
        await until(lambda: peer.connections - peer.gone == 2)
    assert len(peer.came) == 21


@run
async def test_nobody_there() -> None:
    transport = Transport(ssl.create_default_context(), 1)
    async with httpx.AsyncClient(transport=transport) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get("http://127.0.0.1:1/plan")


@run
async def test_a_header_is_one_line() -> None:
    async with peer_and_client(saying(FINE)) as (peer, client):
        with pytest.raises(httpx.LocalProtocolError):
            await client.get("/plan", headers={"X-Word": "one\r\nX-Other: two"})
    assert peer.came == []


@run
async def test_what_is_said_of_a_body_is_about_this_one() -> None:
    """Whatever else a request has in common with earlier ones."""
    async with peer_and_client(saying(FINE)) as (peer, client):
        own = Client(str(client.base_url), transport=client._transport, auth=None)
        for content in (b"", b"{}", b"", b"[1, 2]"):
            await own.request("POST", "/task", content=content, headers={"X-Word": "one"}, extensions={})
        await own.request("GET", "/task", headers={"X-Word": "one"}, extensions={})
    usual = f"Host: 127.0.0.1:{peer.port}\r\nAccept: */*\r\nUser-Agent: plan-api\r\nX-Word: one\r\n"
    asked = f"POST /task HTTP/1.1\r\n{usual}"
    lengths = [f"{asked}Content-Length: {length}\r\n\r\n" for length in (0, 2, 0, 6)]
    assert peer.heads == [*lengths, f"GET /task HTTP/1.1\r\n{usual}\r\n"]


@run
async def test_headers_of_one_request_are_not_those_of_the_next() -> None:
    class Signed(httpx.Auth):
        def __init__(self) -> None:
            self.number = 0

        async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
            self.number += 1
            request.headers["Authorization"] = f"Bearer {self.number}"
            yield request

    async with peer_and_client(saying(FINE)) as (peer, client):
        own = Client(str(client.base_url), transport=client._transport, auth=Signed())
        for _ in range(2):
            await own.request("GET", "/task", headers={}, extensions={})
    said = [line for head in peer.heads for line in head.split("\r\n") if line.startswith("Authorization")]
    assert said == ["Authorization: Bearer 1", "Authorization: Bearer 2"]


@run
async def test_a_body_of_unknown_length_has_one_when_it_is_sent() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"[1,"
        yield b"2]"

    async with peer_and_client(saying(FINE)) as (peer, client):
        await client.post("/task", content=pieces())
    assert "content-length: 5\r\n" in peer.heads[0].lower()
    assert "transfer-encoding" not in peer.heads[0].lower()


@run
async def test_a_compressed_answer_is_read() -> None:
    packed = gzip.compress(b'{"count": 1}')
    answer = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (len(packed), packed)
    async with peer_and_client(saying(answer)) as (_, client):
        own = Client(str(client.base_url), transport=client._transport, auth=None)
        assert (await own.request("GET", "/count", headers={}, extensions={})).json() == {"count": 1}
