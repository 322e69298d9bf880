"""uvicorn's HTTP protocol with limits on request heads (slowloris), on unread answers and on connections.

uvicorn has none of these: it waits for ever for a head that has begun, or for a first one; it reads heads of any size;
it keeps an answer in memory until its client has read it; and it accepts connections without end. It also reads
trailers as headers, and tells a lost connection to the newest of several pipelined requests alone.
"""

import asyncio
import logging
import re
import uuid
from http import HTTPStatus
from typing import Any

import msgspec
import orjson
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

# Seconds that an idle connection stays open: longer than clients and load balancers keep theirs (60 seconds is usual),
# or they would send a request just when it is closed.
LONGEST_IDLE = 75
LARGEST_HEAD = 65_536  # bytes
LARGEST_REST = 1_048_576  # bytes of a body that are discarded when its request is answered before they have come
LEAST_READ = 65_536  # bytes of an answer in `receive_seconds`; asyncio's buffer holds as many by itself
MOST_HEADERS = 200
MOST_PIPELINED = 20  # requests that are read while one before them is under way
TOO_LARGE = f"The head of a request may have at most {LARGEST_HEAD} bytes."
INVALID_REQUEST = "This is not a valid HTTP request."
# RFC 9110, section 7.2, and RFC 3986, section 3.2.2: a name or an address, perhaps with a port
HOST = re.compile(rb"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+,;=%-]+)(:[0-9]{0,5})?")
ERROR_RESPONSE = (
    b"HTTP/1.1 %d %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\nX-Request-Id: %b\r\n"
    b"Connection: close\r\n\r\n%b"
)

_log = logging.getLogger(__name__)


def server_options() -> dict[str, Any]:
    """Parameters of `uvicorn.Config`, the same wherever the service listens."""
    return {
        "http": LimitedProtocol,
        "timeout_keep_alive": LONGEST_IDLE,
        "ws": "none",
        "lifespan": "on",
        "log_config": None,
        "access_log": False,
        "server_header": False,
    }


class ConnectionLimits(msgspec.Struct, frozen=True):
    """The limits of connections; the application's lifespan state has them as `connection_limits`.

    `receive_seconds`: for receiving a request's head, and for a client to take each 64 kB of an answer.
    `max_unsent_bytes`: of answers that clients have not yet taken, over all connections.
    """

    receive_seconds: float
    max_connections: int
    max_unsent_bytes: int


class BadHead(Exception):
    """A request head that is refused before the application sees it, with a status and a message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = "REQUEST_TOO_LARGE" if status == 431 else "BAD_REQUEST"


def check_head(version: str, url: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    """Raise BadHead for what RFC 9112 has a server refuse and the parser lets pass.

    A Host that is missing, repeated or malformed (section 3.2), and a body whose framing another server on the way may
    read otherwise (section 6.1): `gzip, chunked` would be taken for plain chunks.
    """
    if len(headers) > MOST_HEADERS:
        raise BadHead(431, f"A request may have at most {MOST_HEADERS} headers.")
    if len(url) + sum(len(name) + len(value) for name, value in headers) > LARGEST_HEAD:
        raise BadHead(431, TOO_LARGE)
    hosts = [value for name, value in headers if name == b"host"]
    if len(hosts) > 1 or (not hosts and version != "1.0"):
        raise BadHead(400, "A request must have the header Host once.")
    if hosts and not HOST.fullmatch(hosts[0].strip()):
        raise BadHead(400, "The header Host must be a name or an address, with or without a port.")
    codings = [value.strip().lower() for name, value in headers if name == b"transfer-encoding"]
    if codings and version == "1.0":
        raise BadHead(400, "HTTP/1.0 has no Transfer-Encoding.")
    if codings and codings != [b"chunked"]:
        raise BadHead(501, "The only Transfer-Encoding that is understood here is: chunked.")


class LimitedProtocol(HttpToolsProtocol):
    """One connection. Its timer runs from the start, and while a request is awaited after a first part of it came.

    Public attributes are those that connections read of each other.
    """

    config: Config
    app_state: dict[str, Any]
    cycle: RequestResponseCycle | None  # type: ignore[assignment]  # None before the first request, whatever uvicorn says
    _head_timer: asyncio.TimerHandle | None = None
    _head_bytes: int = 0
    _discarded_bytes: int = 0
    _in_body: bool = False
    unsent_timer: asyncio.TimerHandle | None = None
    unsent_bytes: int = 0
    watched_since: float = 0.0
    idle_since: float = 0.0
    _refusal: BadHead | None = None
    _running: RequestResponseCycle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Start to wait for a first request."""
        super().connection_made(transport)
        limits: ConnectionLimits = self.app_state["connection_limits"]
        self._timeout = limits.receive_seconds
        self._most_unsent = limits.max_unsent_bytes
        self.idle_since = self.loop.time()
        self._start_head_timer()
        if len(self.connections) > limits.max_connections:
            self._close_an_idle_one()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timers, and tell the request under way, which uvicorn does for the newest pipelined one alone."""
        self.pipeline.clear()
        if self._running is not None and not self._running.response_complete:
            self._running.disconnected = True
            self._running.message_event.set()
        self._stop_head_timer()
        self._stop_watching()
        super().connection_lost(exc)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header from the parser; a trailer, which comes after the body, is discarded (RFC 9110, section 6.5.1).

        A gateway that sets and removes headers lets trailers through, so they must not say who asks.
        """
        if not self._in_body:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Check the head before the application is called. The parser calls this where the body begins, be it empty."""
        try:
            check_head(self.parser.get_http_version(), self.url, self.headers)
            if len(self.pipeline) >= MOST_PIPELINED:
                raise BadHead(400, "Too many requests wait on this connection for the ones before them.")
        except BadHead as refusal:
            self._refusal = refusal
            raise
        self._in_body = True
        super().on_headers_complete()
        if not self.pipeline:
            self._running = self.cycle

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  # uvicorn's signature
        """Refuse the request with a GraphQL error; one before it that is still under way is answered first."""
        if self.is_under_way() and not self._in_body:
            self.cycle.keep_alive = False  # type: ignore[union-attr]  # there is one under way
            return
        refusal = self._refusal or BadHead(400, INVALID_REQUEST)
        if not self.transport.is_closing():
            self._write_error(refusal.status, refusal.message, refusal.code)
            self.transport.close()
            self._watch_unsent()

    def on_response_complete(self) -> None:
        """Watch that the client reads what of the answer is still unsent."""
        self._running = self.pipeline[-1][0] if self.pipeline else self._running
        super().on_response_complete()
        self.idle_since = self.loop.time()
        if not self.flow.write_paused:
            self._watch_unsent()

    def pause_writing(self) -> None:
        """The client reads more slowly than is written: watch it, and the unsent bytes of all connections."""
        super().pause_writing()
        self._watch_unsent()
        self._bound_unsent()

    def resume_writing(self) -> None:
        """The client has read nearly all of it."""
        super().resume_writing()
        self._watch_unsent()

    def on_message_complete(self) -> None:
        """The body has ended; what comes next is another head."""
        self._in_body = False
        super().on_message_complete()

    def data_received(self, data: bytes) -> None:
        """Feed the parser, then see what the connection waits for."""
        # 1. A request is under way: its own limits apply, and no head is awaited.
        # 2. It is answered already, and the rest of its body is discarded, so that the client reads the answer.
        # 3. A further part of a head has come. In 2 and 3 time and size are limited.
        rest = self._in_body
        super().data_received(data)
        if self.is_under_way():
            self._stop_head_timer()
            return
        self._start_head_timer()
        if rest:
            self._discarded_bytes += len(data)
        else:
            self._head_bytes += len(data)
        if self._head_bytes > LARGEST_HEAD or self._discarded_bytes > LARGEST_REST:
            self._end(431, TOO_LARGE, "REQUEST_TOO_LARGE")

    def is_under_way(self) -> bool:
        """Whether a request is being answered."""
        return self.cycle is not None and not self.cycle.response_complete

    def _start_head_timer(self) -> None:
        if self._head_timer is None:
            words = f"The head of a request has to come within {self._timeout:g} seconds."
            self._head_timer = self.loop.call_later(self._timeout, self._end, 408, words, "REQUEST_TOO_SLOW")

    def _stop_head_timer(self) -> None:
        self._head_bytes = self._discarded_bytes = 0
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _end(self, status: int, message: str, code: str) -> None:
        """Close, with an error response to a client that has sent something and had no answer on this connection."""
        if self.is_under_way() or self.transport.is_closing():
            return
        if self.cycle is None and self._head_bytes:
            self._write_error(status, message, code)
        self.transport.close()
        self._watch_unsent()

    def _write_error(self, status: int, message: str, code: str) -> None:
        own_id, phrase = uuid.uuid4().hex, HTTPStatus(status).phrase.encode()
        _log.info("request refused by its framing", extra={"code": code, "refused_request": own_id})
        extensions = {"code": code, "requestId": own_id}
        body = orjson.dumps({"errors": [{"message": message, "extensions": extensions}]})
        self.transport.write(ERROR_RESPONSE % (status, phrase, len(body), own_id.encode(), body))

    def _watch_unsent(self) -> None:
        """Look at the unsent bytes now and again in `receive_seconds`.

        Each write in between starts another watch, so that bytes which are gone by then were read by the client.
        """
        self._stop_watching()
        self.unsent_bytes = self.transport.get_write_buffer_size()
        if self.unsent_bytes:
            self.watched_since = self.loop.time()
            self.unsent_timer = self.loop.call_later(self._timeout, self._look_at_unsent)

    def _look_at_unsent(self) -> None:
        """Abort, unless the client has read all or enough of what was written for it."""
        size = self.transport.get_write_buffer_size()
        if size and self.unsent_bytes - size < LEAST_READ:
            self.transport.abort()
        else:
            self._watch_unsent()

    def _stop_watching(self) -> None:
        if self.unsent_timer is not None:
            self.unsent_timer.cancel()
            self.unsent_timer = None

    def _bound_unsent(self) -> None:
        """Abort other connections until `max_unsent_bytes` holds: first those that read nothing, the oldest first."""
        waiting = [each for each in self._others() if each.unsent_timer is not None]
        sizes = {each: each.transport.get_write_buffer_size() for each in waiting}
        total = self.unsent_bytes + sum(sizes.values())
        for each in sorted(waiting, key=lambda each: (sizes[each] < each.unsent_bytes, each.watched_since)):
            if total <= self._most_unsent:
                return
            total -= sizes[each]
            each.transport.abort()

    def _close_an_idle_one(self) -> None:
        """Close the connection that has been idle for longest, or this new one when all others are busy."""
        idle = [each for each in self._others() if not each.is_under_way() and not each.transport.is_closing()]
        min(idle, key=lambda each: each.idle_since, default=self).transport.close()

    def _others(self) -> list["LimitedProtocol"]:
        return [each for each in self.connections if isinstance(each, LimitedProtocol) and each is not self]
