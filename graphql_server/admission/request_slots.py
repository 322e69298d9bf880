"""Admission of HTTP requests: how many at once, in all and of one caller."""

import asyncio
from collections.abc import Callable
from functools import partial
from weakref import WeakValueDictionary

from graphql_server.refusals import OVERLOADED, RETRY_AFTER, HttpRefusal

# Seconds. A refusal that came at once would be asked for again at once, and cost more than it saves.
WAITING = 1.0


class RequestSlots:
    """Slots for concurrent requests: so many in all, and so many for each caller. One for the whole service."""

    def __init__(self, most: int, *, most_each: int) -> None:
        self._most = most
        self._most_each = most_each
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
