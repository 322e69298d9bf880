"""HTTP calls to a peer at the wire, which answers as told and notes what reaches it."""

import asyncio
import gzip
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from resilience.circuit_breaker import CircuitBreaker
from resilience.http.aiohttp_transport import IDEMPOTENT, AiohttpTransport
from resilience.http.call import Upstream
from resilience.http.proxies import Proxies

pytestmark = pytest.mark.anyio
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
async def peer_and_client(act: Act) -> AsyncIterator[tuple[Peer, httpx.AsyncClient]]:
    peer = Peer(act)
    server = await asyncio.start_server(peer.serve, "127.0.0.1", 0)
    peer.port = server.sockets[0].getsockname()[1]
    transport = AiohttpTransport(ssl.create_default_context(), Proxies({}), user_agent="test")
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


async def test_a_connection_is_kept_for_reads() -> None:
    async with peer_and_client(saying(FINE)) as (peer, client):
        for _ in range(3):
            assert (await client.get("/plan")).json() == {}
        await client.post("/task", content=b"{}", extensions={IDEMPOTENT: True})
    assert peer.came == [(0, "GET /plan HTTP/1.1")] * 3 + [(0, "POST /task HTTP/1.1")]


async def test_a_write_has_a_connection_of_its_own() -> None:
    async with peer_and_client(saying(FINE)) as (peer, client):
        await client.get("/plan")
        await client.post("/complete", content=b"{}")
        await client.put("/plan", content=b"{}")
        await client.get("/plan")
    assert [connection for connection, _ in peer.came] == [0, 1, 2, 0]


async def test_a_kept_connection_that_was_closed_is_no_failure() -> None:
    async with peer_and_client(saying(FINE, then_close=True)) as (peer, client):
        for _ in range(3):
            await client.get("/plan")
            await settle()
    assert [connection for connection, _ in peer.came] == [0, 1, 2]


async def test_what_may_be_sent_twice_is_when_a_kept_connection_ends_without_an_answer() -> None:
    async def act(writer: asyncio.StreamWriter, number: int) -> None:
        if number == 2:
            writer.close()
        else:
            writer.write(FINE)

    async with peer_and_client(act) as (peer, client):
        await client.get("/plan")
        assert (await client.post("/task", content=b"{}", extensions={IDEMPOTENT: True})).json() == {}
    assert peer.came == [(0, "GET /plan HTTP/1.1"), (0, "POST /task HTTP/1.1"), (1, "POST /task HTTP/1.1")]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
async def test_a_write_without_an_answer_is_sent_once(method: str) -> None:
    """Whatever the method: PUT and DELETE do no harm twice by their definition, and here they might."""

    async def act(writer: asyncio.StreamWriter, _number: int) -> None:
        writer.close()

    async with peer_and_client(act) as (peer, client):
        with pytest.raises(httpx.RemoteProtocolError):
            await client.request(method, "/complete", content=b"{}")
    assert peer.came == [(0, f"{method} /complete HTTP/1.1")]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
async def test_a_new_connection_that_ends_without_an_answer_is_a_failure(method: str) -> None:
    """Nothing about it may be old, so another try is for who asked to decide."""

    async def act(writer: asyncio.StreamWriter, _number: int) -> None:
        writer.close()

    async with peer_and_client(act) as (peer, client):
        with pytest.raises(httpx.RemoteProtocolError):
            await client.request(method, "/plan", extensions={IDEMPOTENT: True})
    assert peer.came == [(0, f"{method} /plan HTTP/1.1")]


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
async def test_half_an_answer_is_an_error(answer: bytes) -> None:
    async with peer_and_client(saying(answer, then_close=True)) as (peer, client):
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get("/plan")
        assert len(peer.came) == 1


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
async def test_a_whole_answer_however_it_ends(answer: bytes, body: str) -> None:
    async with peer_and_client(saying(answer, then_close=True)) as (_, client):
        assert (await client.get("/plan")).text == body


async def test_more_than_was_asked_for_spoils_the_connection() -> None:
    async with peer_and_client(saying(FINE + FINE)) as (peer, client):
        await client.get("/plan")
        await settle()
        await client.get("/plan")
    assert [connection for connection, _ in peer.came] == [0, 1]


async def test_what_nobody_asked_for_is_no_answer_to_the_next_request() -> None:
    """Some servers say goodbye to an idle connection with a 408."""

    async def act(writer: asyncio.StreamWriter, number: int) -> None:
        writer.write(FINE)
        if number == 1:
            asyncio.get_running_loop().call_later(0.02, writer.write, b"HTTP/1.1 408 No\r\nContent-Length: 0\r\n\r\n")

    async with peer_and_client(act) as (peer, client):
        await client.get("/plan")
        await settle()
        assert (await client.get("/plan")).status_code == 200
    assert [connection for connection, _ in peer.came] == [0, 1]


async def test_a_cancelled_request_ends_its_connection() -> None:
    async with peer_and_client(silence) as (peer, client):
        asking = asyncio.create_task(client.get("/plan"))
        await until(lambda: len(peer.came) == 1)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await until(lambda: peer.gone == 1)
    assert len(peer.came) == 1


@asynccontextmanager
async def peer_and_upstream(act: Act, slots: int = 5) -> AsyncIterator[tuple[Peer, Upstream]]:
    """A system to call, which asks for a password."""
    async with peer_and_client(act) as (peer, _):
        upstream = Upstream(
            "engine",
            f"http://127.0.0.1:{peer.port}",
            deadline=20,
            tries=1,
            breaker=CircuitBreaker("engine", slots=slots, failures=0, pause=0),
            auth="Basic dTpw",
            tls=ssl.create_default_context(),
            user_agent="test",
            observe=lambda *_: None,
        )
        async with upstream:
            yield peer, upstream


async def test_no_more_connections_than_slots() -> None:
    async with peer_and_upstream(saying(FINE), slots=2) as (peer, upstream):
        await asyncio.gather(*(upstream.call("GET", "/plan") for _ in range(20)))
    assert (len(peer.came), peer.connections) == (20, 2)


async def test_nobody_there() -> None:
    transport = AiohttpTransport(ssl.create_default_context(), Proxies({}), user_agent="test")
    async with httpx.AsyncClient(transport=transport) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get("http://127.0.0.1:1/plan")


async def test_a_header_is_one_line() -> None:
    async with peer_and_client(saying(FINE)) as (peer, client):
        with pytest.raises(httpx.LocalProtocolError):
            await client.get("/plan", headers={"X-Word": "one\r\nX-Other: two"})
    assert peer.came == []


async def test_what_is_said_of_a_body_is_about_this_one() -> None:
    """Whatever else a request has in common with earlier ones."""
    async with peer_and_upstream(saying(FINE)) as (peer, upstream):
        bodies: tuple[object, ...] = (None, {}, None, [1, 2])
        for body in bodies:
            await upstream.call("POST", "/task", body=body, headers={"X-Word": "one"}, idempotent=True)
        await upstream.call("GET", "/task", headers={"X-Word": "one"})
    kind = "Content-Type: application/json\r\n"
    start = f"Host: 127.0.0.1:{peer.port}\r\nAccept: */*\r\nAccept-Encoding: identity\r\nConnection: keep-alive\r\n"
    start += "User-Agent: test\r\n"
    end = "X-Word: one\r\nAuthorization: Basic dTpw\r\n"
    told = [("", 0), (kind, 2), ("", 0), (kind, 5)]
    posts = [f"POST /task HTTP/1.1\r\n{start}{said}{end}Content-Length: {length}\r\n\r\n" for said, length in told]
    assert peer.heads == [*posts, f"GET /task HTTP/1.1\r\n{start}{end}\r\n"]


async def test_a_large_body_is_sent_whole() -> None:
    text = "x" * 3_000_000
    async with peer_and_upstream(saying(FINE)) as (peer, upstream):
        await upstream.call("PUT", "/plan", body=text)
    assert f"Content-Length: {len(text) + 2}\r\n" in peer.heads[0]
    assert peer.came == [(0, "PUT /plan HTTP/1.1")]


async def test_a_body_of_unknown_length_has_one_when_it_is_sent() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"[1,"
        yield b"2]"

    async with peer_and_client(saying(FINE)) as (peer, client):
        await client.post("/task", content=pieces())
    assert "content-length: 5\r\n" in peer.heads[0].lower()
    assert "transfer-encoding" not in peer.heads[0].lower()


async def test_a_compressed_answer_is_read() -> None:
    packed = gzip.compress(b'{"count": 1}')
    answer = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (len(packed), packed)
    async with peer_and_upstream(saying(answer)) as (_, upstream):
        assert (await upstream.call("GET", "/count")).json() == {"count": 1}


HEADERS = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nServer: it\r\n"
BODY = b'{"resourceType":"Bundle","total":0}'
WHOLE = {
    "by length": HEADERS + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY,
    "in chunks": HEADERS + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY),
}


@pytest.mark.parametrize("is_used", [True, False])
@pytest.mark.parametrize("whole", WHOLE.values(), ids=WHOLE.keys())
async def test_an_answer_that_is_cut_off_anywhere_is_none(whole: bytes, *, is_used: bool) -> None:
    """Nobody may take the rest of it for the whole. A connection that was used before is tried once more."""
    answer, taken = FINE, []

    async def act(writer: asyncio.StreamWriter, _number: int) -> None:
        writer.write(answer)
        if answer is not FINE:
            writer.close()

    async with peer_and_client(act) as (_, client):
        for end in range(len(whole)):
            if is_used:
                answer = FINE
                await client.get("/first")
            answer = whole[:end]
            try:
                response = await client.post("/x", json={}, extensions={IDEMPOTENT: True})
            except httpx.TransportError:
                continue
            taken.append((answer[-20:], response.status_code, response.content))
    assert taken == []


@pytest.mark.parametrize("idempotent", [True, False])
async def test_no_server_is_asked_to_close(*, idempotent: bool) -> None:
    """It could end its answer by closing, which looks the same when the answer is cut off."""
    async with peer_and_client(saying(FINE)) as (peer, client):
        url = f"http://127.0.0.1:{peer.port}/x"
        request = httpx.Request("PUT", url, json={}, extensions={IDEMPOTENT: idempotent})
        answer = await client._transport.handle_async_request(request)  # the client would add headers
        await answer.aread()
    (head,) = peer.heads
    assert "connection: keep-alive\r\n" in head.lower()
