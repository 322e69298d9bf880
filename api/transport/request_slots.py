"""Admission of HTTP requests: how many at once, in all and of one caller; the size and the timeout of a body.

`HttpRefusal` is every refusal of the transport, with its HTTP status.
"""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from weakref import WeakValueDictionary

from starlette.requests import Request

from api.settings import Settings
from graphql_server.errors import OVERLOADED

RETRY_AFTER = {"Retry-After": "1"}  # seconds
# Seconds. A refusal that came at once would be asked for again at once, and cost more than it saves.
WAITING = 1.0
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
        self._callers: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    async def acquire(self, caller: str) -> Callable[[], None]:
        """Wait up to WAITING seconds for one of the caller's slots; the result releases it, and is called once.

        Raises HttpRefusal, 503 (the service's limit, at once) or 429 (the caller's own). To be called after
        authentication, so that anonymous requests take no slots.
        """
        # The semaphore of a caller lives as long as anybody holds or awaits it.
        own = self._callers.setdefault(caller, asyncio.Semaphore(self._most_each))
        try:
            async with asyncio.timeout(WAITING):
                await own.acquire()
        except TimeoutError as error:
            message = f"{self._most_each} of your requests are being executed, the limit. Try again in a second."
            raise HttpRefusal(429, message, RETRY_AFTER, code="TOO_MANY_REQUESTS") from error
        if self._taken >= self._most:
            own.release()
            message = f"The service is executing {self._most} requests, its limit. Try again in a second."
            raise HttpRefusal(503, message, RETRY_AFTER, code=OVERLOADED)
        self._taken += 1
        return partial(self._release, own)

    def _release(self, own: asyncio.Semaphore) -> None:
        self._taken -= 1
        own.release()


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
