"""How requests reach an HTTP system: httpx's interface over connections of our own. Plugged in by calling.connect().

httpx's own pool looks through all its connections for every request, and takes four times as long with a hundred of
them. A kept connection may be closed by the other end at any moment. So what may be sent twice is sent on a kept one,
and once more on a new one when nothing came; what may not has a new connection, and is sent once.
"""

import asyncio
import re
import ssl
from collections import deque
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain

import httpx

from api.upstreams.http.wire import Answer, Header, NothingCame, Wire

REPEATABLE = "repeatable"  # the extension of a request that says it may be sent twice
SAFE = ("GET", "HEAD", "OPTIONS")
WITH_BODY = ("POST", "PUT", "PATCH")  # they have a length even where they have none (RFC 9110, section 8.6)
FRAMING = (b"content-length", b"transfer-encoding")
KEPT_HEADS = 1000
LONGEST_IDLE = 20.0  # seconds; the engine closes after 60
FORBIDDEN = re.compile(rb"[\r\n\0]")


@dataclass
class Pool:
    """Connections to one origin. `name`: as requests say it."""

    name: bytes
    host: str
    port: int
    tls: ssl.SSLContext | None
    places: asyncio.Semaphore
    idle: deque[Wire] = field(default_factory=deque)

    async def place(self, seconds: float | None) -> None:
        """One of the places, to be released. Raises httpx.PoolTimeout."""
        if not self.places.locked():  # nothing to wait for, so no time to be watched
            await self.places.acquire()
            return
        try:
            async with asyncio.timeout(seconds):
                await self.places.acquire()
        except TimeoutError as error:
            raise httpx.PoolTimeout("no connection was free in time") from error

    def kept(self) -> Wire | None:
        """The one used last, so that the others grow old."""
        oldest = asyncio.get_running_loop().time() - LONGEST_IDLE
        while self.idle:
            wire = self.idle.pop()
            if wire.is_reusable and wire.free_since > oldest:
                return wire
            wire.transport.abort()
        return None

    def give_back(self, wire: Wire) -> None:
        """Keep it for the next request, if it can be."""
        if wire.is_reusable:
            wire.free_since = asyncio.get_running_loop().time()
            self.idle.append(wire)

    async def new(self, seconds: float | None) -> Wire:
        """In the place of one that is kept, if there is any. Raises httpx.ConnectTimeout, httpx.ConnectError."""
        if self.idle:
            self.idle.popleft().transport.abort()
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(seconds):
                _, wire = await loop.create_connection(
                    Wire, self.host, self.port, ssl=self.tls, server_hostname=self.host if self.tls else None
                )
        except TimeoutError as error:
            raise httpx.ConnectTimeout("no connection in time") from error
        except (OSError, ssl.SSLError) as error:
            raise httpx.ConnectError(str(error)) from error
        return wire


class Transport(httpx.AsyncBaseTransport):
    """At most `connections` to each origin. Bodies are whole, both ways; no proxies, no HTTP/2."""

    def __init__(self, tls: ssl.SSLContext, connections: int) -> None:
        self._tls = tls
        self._connections = connections
        self._pools: dict[tuple[str, str, int], Pool] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """As httpx has it. Raises httpx.TransportError."""
        pool = self._pool(request.url)
        timeouts = request.extensions.get("timeout", {})
        body = await request.aread()
        head = _head(pool, request, len(body))
        await pool.place(timeouts.get("pool"))
        try:
            answer = await _asked(pool, request, head, body, timeouts)
        finally:
            pool.places.release()
        response = httpx.Response(answer.status, headers=answer.headers, stream=httpx.ByteStream(answer.body))
        if not answer.is_encoded:
            # what reading it would come to, in a hundredth of the time
            response._content = answer.body  # noqa: SLF001  # httpx has no other way to say that it is read
        return response

    async def aclose(self) -> None:
        """Close those that nobody uses, at once: TLS would wait for the other end's goodbye, and the loop may end."""
        for pool in self._pools.values():
            while pool.idle:
                pool.idle.pop().transport.abort()
        await asyncio.sleep(0)

    def _pool(self, url: httpx.URL) -> Pool:
        is_secure = url.scheme == "https"
        key = (url.scheme, url.host, url.port or (443 if is_secure else 80))
        pool = self._pools.get(key)
        if pool is None:
            host = url.raw_host.decode("ascii")
            tls = self._tls if is_secure else None
            pool = self._pools[key] = Pool(url.netloc, host, key[2], tls, asyncio.Semaphore(self._connections))
        return pool


async def _asked(
    pool: Pool, request: httpx.Request, head: bytes, body: bytes, timeouts: dict[str, float | None]
) -> Answer:
    has_body = request.method != "HEAD"
    is_repeatable = request.method in SAFE or request.extensions.get(REPEATABLE, False)
    wire = pool.kept() if is_repeatable else None
    if wire is not None:
        try:
            answer = await wire.exchange(head, body, has_body=has_body, seconds=timeouts.get("read"))
        except NothingCame:
            pass
        else:
            pool.give_back(wire)
            return answer
    wire = await pool.new(timeouts.get("connect"))
    try:
        answer = await wire.exchange(head, body, has_body=has_body, seconds=timeouts.get("read"))
    except NothingCame as error:
        raise httpx.RemoteProtocolError("hung up without an answer") from error
    pool.give_back(wire)
    return answer


def _head(pool: Pool, request: httpx.Request, length: int) -> bytes:
    """The request's first lines. What a body needs is said here, as all of it is known by now."""
    kept = _lines(request.method, pool.name, request.url.raw_path, tuple(request.headers.raw))
    if length or request.method in WITH_BODY:
        return b"%bContent-Length: %d\r\n\r\n" % (kept, length)
    return kept + b"\r\n"


@lru_cache(KEPT_HEADS)
def _lines(method: str, host: bytes, target: bytes, headers: tuple[Header, ...]) -> bytes:
    """All but the length. Raises httpx.LocalProtocolError."""
    names = {name.lower() for name, _ in headers}
    told = [header for header in headers if header[0].lower() not in FRAMING]
    if b"host" not in names:
        told = [(b"Host", host), *told]
    if FORBIDDEN.search(b"".join([target, *chain.from_iterable(told)])):
        raise httpx.LocalProtocolError("a line break in a header")
    lines = b"".join(b"%b: %b\r\n" % header for header in told)
    return b"%b %b HTTP/1.1\r\n%b" % (method.encode("ascii"), target, lines)
