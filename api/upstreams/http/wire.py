"""One HTTP/1.1 connection to a system: a request out, a whole answer back. Used by transport.py alone."""

import asyncio
import ssl
from typing import NamedTuple, cast

import httptools
import httpx

LARGEST_HEAD = 100_000  # bytes

Header = tuple[bytes, bytes]


class Answer(NamedTuple):
    """What came back. `is_encoded`: the body is to be decoded, as its Content-Encoding says."""

    status: int
    headers: list[Header]
    body: bytes
    is_encoded: bool


class NothingCame(Exception):
    """The connection ended before a byte of the answer: the system may never have seen the request."""


class Wire(asyncio.Protocol):
    """A connection. One exchange at a time; `is_reusable` says whether another may follow."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self.is_reusable = False
        self.free_since = 0.0
        self._loop = asyncio.get_running_loop()
        self._answer: asyncio.Future[Answer] | None = None
        self._timeout: asyncio.Timeout | None = None
        self._seconds: float | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ready for a first exchange."""
        self.transport = cast("asyncio.Transport", transport)
        self.is_reusable = True

    async def exchange(self, head: bytes, body: bytes, *, has_body: bool, seconds: float | None) -> Answer:
        """Send and wait, at most so many seconds for each piece of the answer. `has_body`: whether one can come.

        Raises NothingCame, httpx.ReadTimeout, httpx.ReadError or httpx.RemoteProtocolError. After any of them, or a
        cancellation, the connection is closed.
        """
        self.is_reusable = False
        self._begin(has_body=has_body)
        self._answer = self._loop.create_future()
        self._seconds = seconds
        self.transport.write(head + body)
        try:
            if seconds is None:
                return await self._answer
            async with asyncio.timeout(seconds) as self._timeout:
                return await self._answer
        except TimeoutError as error:
            raise httpx.ReadTimeout("nothing came in time") from error
        finally:
            self._answer = self._timeout = None
            if not self.is_reusable:
                self.transport.abort()

    def _begin(self, *, has_body: bool = True) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._has_body = has_body
        self._headers: list[Header] = []
        self._parts: list[bytes] = []
        self._came = 0
        self._is_in_body = self._is_encoded = False
        self._ends_with_connection = True

    def data_received(self, data: bytes) -> None:
        """Let the parser have it. Nothing is to come between exchanges."""
        if self._answer is None or self._answer.done():
            self.is_reusable = False
            self.transport.abort()
            return
        self._came += len(data)
        if self._timeout is not None and self._seconds is not None:
            self._timeout.reschedule(self._loop.time() + self._seconds)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._fail(httpx.RemoteProtocolError(f"no HTTP: {error}"))
        if not self._is_in_body and self._came > LARGEST_HEAD:
            self._fail(httpx.RemoteProtocolError("an endless head"))

    def connection_lost(self, exc: Exception | None) -> None:
        """The end of the answer, where nothing else marks it; else half an answer, or none."""
        self.is_reusable = False
        if self._answer is None or self._answer.done():
            return
        if not self._came:
            self._fail(NothingCame(str(exc or "hung up")))
        elif exc is not None and not isinstance(exc, ssl.SSLError):
            self._fail(httpx.ReadError(str(exc)))
        elif self._is_in_body and self._ends_with_connection:
            self._succeed(keep=False)
        else:
            self._fail(httpx.RemoteProtocolError("the answer was not whole"))

    def _fail(self, error: Exception) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)

    def _succeed(self, *, keep: bool) -> None:
        if self._answer is None or self._answer.done():
            self.is_reusable = False  # a second answer to one request
            return
        self.is_reusable = keep
        body = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._answer.set_result(Answer(self._parser.get_status_code(), self._headers, body, self._is_encoded))

    # What httptools calls

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header. Only its length or chunks mark a body's end before the connection's."""
        self._headers.append((name, value))
        lowered = name.lower()
        if lowered in (b"content-length", b"transfer-encoding"):
            self._ends_with_connection = False
        elif lowered == b"content-encoding":
            self._is_encoded = True

    def on_headers_complete(self) -> None:
        """An answer without a body ends here, whatever its headers promise."""
        self._is_in_body = self._parser.get_status_code() >= 200
        if self._is_in_body and not self._has_body:
            self._succeed(keep=False)

    def on_body(self, body: bytes) -> None:
        """A piece."""
        self._parts.append(body)

    def on_message_complete(self) -> None:
        """The whole answer, or only one that says it is still to come (1xx)."""
        if self._parser.get_status_code() >= 200:
            self._succeed(keep=self._parser.should_keep_alive())
        else:
            self._headers, self._parts = [], []
            self._ends_with_connection, self._is_encoded = True, False
