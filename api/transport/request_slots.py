"""Admission of HTTP requests: how many at once, in all and of one caller; the size and the timeout of a body.

`HttpRefusal` is every refusal of the transport, with its HTTP status.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from starlette.requests import Request

from api.errors import OVERLOADED
from api.settings import Settings

RETRY_AFTER = {"Retry-After": "1"}  # seconds
# The rest of the body is not read, so the connection cannot serve another request.
CLOSE = {"Connection": "close"}


class HttpRefusal(Exception):
    """A request that is not executed: the HTTP status, the message and the code that say why."""

    def __init__(
        self, status: int, message: str, headers: Mapping[str, str] | None = None, *, code: str = "BAD_REQUEST"
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers or {}
        self.code = code


class RequestSlots:
    """Slots for concurrent requests: so many in all, and so many for each caller. One for the whole service."""

    def __init__(self, settings: Settings) -> None:
        self._most = settings.max_requests
        self._most_each = settings.max_requests_per_caller
        self._taken = 0
        self._callers: Counter[str] = Counter()

    @contextmanager
    def taken(self, caller: str) -> Iterator[None]:
        """Hold a slot for this caller during the block. Raises HttpRefusal, 503 or (the caller's own limit) 429.

        To be taken after authentication, so that anonymous requests take no slots.
        """
        if self._taken >= self._most:
            message = f"The service is executing {self._most} requests, its limit. Try again in a second."
            raise HttpRefusal(503, message, RETRY_AFTER, code=OVERLOADED)
        if self._callers[caller] >= self._most_each:
            message = f"{self._most_each} of your requests are being executed, the limit. Try again in a second."
            raise HttpRefusal(429, message, RETRY_AFTER, code="TOO_MANY_REQUESTS")
        self._taken += 1
        self._callers[caller] += 1
        try:
            yield
        finally:
            self._taken -= 1
            self._callers[caller] -= 1
            if not self._callers[caller]:
                del self._callers[caller]


async def received(request: Request, *, at_most: int, seconds: float) -> bytes:
    """The body of a request. Raises HttpRefusal: 413 when it has more bytes, 408 when it does not arrive in time."""
    try:
        async with asyncio.timeout(seconds):
            return await _whole(request, at_most)
    except TimeoutError as error:
        message = f"The body did not arrive within {seconds:g} seconds."
        raise HttpRefusal(408, message, CLOSE, code="REQUEST_TOO_SLOW") from error


async def _whole(request: Request, at_most: int) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > at_most:
            raise HttpRefusal(413, f"The body may have at most {at_most} bytes.", CLOSE, code="REQUEST_TOO_LARGE")
    return bytes(body)
