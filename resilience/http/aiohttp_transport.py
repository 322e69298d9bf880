"""HTTP connections of aiohttp behind httpx's transport interface.

A server may close an idle connection at any moment, and then nobody can tell whether it has read the request that was
just written to it. So an idempotent request goes out on a pooled connection, and once more on a new one when that ended
without an answer. Any other request has a new connection and is sent once.
"""

import ssl
from collections.abc import Mapping
from functools import lru_cache
from io import BytesIO
from typing import ClassVar
from weakref import WeakSet

import aiohttp
import httpx
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from yarl import URL

from resilience.http.proxies import Proxies

IDEMPOTENT = "idempotent"
"""The extension of an httpx.Request that says whether it may be sent twice."""

USUAL_HEADERS = {
    "Accept": "*/*",
    "Accept-Encoding": "identity",
    # Said on every connection: asked to close it, a server may end its answer by closing, and then nobody can tell an
    # answer that was cut off from a whole one. Connections that are not reused are closed by us.
    "Connection": "keep-alive",
}
SAFE = ("GET", "HEAD", "OPTIONS")
FRAMING = (b"content-length", b"transfer-encoding")
LONGEST_IDLE = 20.0  # seconds; servers close after 60 or later, as a rule
LARGEST_HEADER = 100_000  # bytes, of a status line or a header
LARGEST_CHUNK = 1_048_576  # bytes; aiohttp warns of larger bodies that are sent in one piece
CACHED_URLS = 1000


class Disconnected(aiohttp.ClientError):
    """A connection ended before its answer began. aiohttp itself would send PUT and DELETE again."""


class StaleConnection(Disconnected):
    """A pooled connection did: the server may have closed it before the request came."""


class PooledRequest(aiohttp.ClientRequest):
    """A request that knows whether its connection has served others before it."""

    is_on_used_connection = False
    _used: ClassVar[WeakSet[ResponseHandler]] = WeakSet()

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        """Write the request. Raises StaleConnection for a connection on which the server said something unasked.

        Some servers say goodbye with a 408, which aiohttp would take for the answer to the next request.
        """
        protocol = conn.protocol
        assert protocol is not None  # noqa: S101  # of a connection that was just taken
        self.is_on_used_connection = protocol in self._used
        if protocol.should_close:
            raise StaleConnection
        self._used.add(protocol)
        return await super().send(conn)


async def sent_once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """A middleware that raises Disconnected where aiohttp would send the request again."""
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        is_used = isinstance(request, PooledRequest) and request.is_on_used_connection
        raise (StaleConnection if is_used else Disconnected)(str(error)) from error


class AiohttpTransport(httpx.AsyncBaseTransport):
    """Connections to any origin, directly or through `proxies`. Bodies are whole; no cookies, no redirects.

    Whoever uses it bounds how many requests are sent at once and how long they take. Made in a running event loop.
    """

    def __init__(self, tls: ssl.SSLContext, proxies: Proxies, *, user_agent: str) -> None:
        headers = {**USUAL_HEADERS, "User-Agent": user_agent}
        self._proxies = proxies
        self._pooled = _session(aiohttp.TCPConnector(ssl=tls, limit=0, keepalive_timeout=LONGEST_IDLE), headers)
        self._unpooled = _session(aiohttp.TCPConnector(ssl=tls, limit=0, force_close=True), headers)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and read its answer. Raises httpx.TransportError, or httpx.DecodingError."""
        try:
            if request.method in SAFE or request.extensions.get(IDEMPOTENT, False):
                try:
                    return await self._sent(self._pooled, request)
                except StaleConnection:
                    pass
            return await self._sent(self._unpooled, request)
        except aiohttp.ClientConnectorError as error:
            raise httpx.ConnectError(str(error)) from error
        except aiohttp.ClientHttpProxyError as error:
            raise httpx.ProxyError(f"the proxy answered with status {error.status}") from error
        except aiohttp.ClientOSError as error:
            raise httpx.ReadError(str(error)) from error
        except aiohttp.InvalidURL as error:
            raise httpx.UnsupportedProtocol(str(error)) from error
        except aiohttp.ClientError as error:
            raise httpx.RemoteProtocolError(f"{type(error).__name__}: {error}") from error
        except ValueError as error:
            raise httpx.LocalProtocolError(str(error)) from error

    async def _sent(self, session: aiohttp.ClientSession, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        # What frames the body is aiohttp's to say, as all of it is here.
        raw = [(name, value) for name, value in request.headers.raw if name.lower() not in FRAMING]
        async with session.request(
            request.method,
            _url(str(request.url)),
            headers=[(name.decode("ascii"), value.decode("ascii")) for name, value in raw],
            data=BytesIO(body) if len(body) > LARGEST_CHUNK else body or None,
            skip_auto_headers=None if body or request.method in SAFE else ["Content-Type"],
            allow_redirects=False,
            proxy=self._proxies.of(request.url),
        ) as response:
            content = await response.read()
        answer = httpx.Response(response.status, headers=response.raw_headers, stream=httpx.ByteStream(content))
        if "Content-Encoding" not in response.headers:
            # As reading it would do, 50 µs cheaper: httpx has no public way to say that nothing is to be decoded.
            answer._content = content  # noqa: SLF001
        return answer

    async def aclose(self) -> None:
        """Close all connections at once."""
        await self._pooled.close()
        await self._unpooled.close()


def _session(connector: aiohttp.TCPConnector, headers: Mapping[str, str]) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=connector,
        request_class=PooledRequest,
        middlewares=[sent_once],
        headers=headers,
        timeout=aiohttp.ClientTimeout(),
        cookie_jar=aiohttp.DummyCookieJar(),
        # httpx decodes, by the header
        auto_decompress=False,
        max_line_size=LARGEST_HEADER,
        max_field_size=LARGEST_HEADER,
        read_bufsize=LARGEST_CHUNK,
    )


@lru_cache(CACHED_URLS)
def _url(url: str) -> URL:
    return URL(url, encoded=True)
