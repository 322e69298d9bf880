"""How much of one system is asked at once, and whether asking makes sense at present. Used by calling.py and retool.py.

A system that hangs keeps its own places and no others. One that failed several times running is left alone for a
moment, and then asked once to see: whoever asks in between has the same failure at once. So does whoever asks after
the system refused our credentials: the engine locks a user out for seconds after one wrong password, and every
further one may prolong it.

Callers share a system's places fairly; the worker and what the service asks on its own account count as one of them.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from api.caller import present_caller
from api.errors import Busy, Denied, TimedOut, Unreachable, UpstreamFailed
from api.upstreams.fair_semaphore import FairSemaphore, QueueFull

LOCKED_OUT = 8.0  # seconds; Camunda 7 refused the right password for 5 to 6 seconds after one wrong one

WAITING = 10  # for each place; one large answer alone asks the store ten times


class Capacity:
    """The places of one system. `failures` running close it for `pause` seconds; with 0 it never closes."""

    def __init__(self, name: str, *, places: int, failures: int, pause: float) -> None:
        self.name = name
        self._places = FairSemaphore(places, most_waiting=WAITING * places)
        self._failures = failures
        self._pause = pause
        self._failed = 0
        self._closed_by: UpstreamFailed | None = None
        self._closed_until = 0.0
        self._is_tried = False

    @asynccontextmanager
    async def place(self, seconds: float) -> AsyncIterator[None]:
        """A place until the block ends, waited for so long at most. What the block raises is taken note of.

        Raises Busy when more than ten times as many as there are places wait and no caller has more waiting than this
        one, TimedOut, and while it is closed the failure that closed it.
        """
        caller = present_caller()
        self._demand_open()
        await self._taken(caller, seconds)
        looks_again = False
        try:
            self._demand_open()
            looks_again = self._is_tried = self._closed_by is not None
            try:
                yield
            except UpstreamFailed as failure:
                self._note(failure)
                raise
            self._failed, self._closed_by = 0, None
        finally:
            self._is_tried = self._is_tried and not looks_again
            self._places.release(caller)

    def _demand_open(self) -> None:
        closed_by = self._closed_by
        if closed_by is not None and (self._is_tried or time.monotonic() < self._closed_until):
            raise type(closed_by)(self.name, closed_by.message, status=closed_by.status)

    async def _taken(self, caller: str | None, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._places.acquire(caller)
        except QueueFull as error:
            raise Busy(self.name, f"{self.name} is asked as much as it may be already") from error
        except TimeoutError as error:
            raise TimedOut(self.name, f"{self.name} was asked too much to be asked in time") from error

    def _note(self, failure: UpstreamFailed) -> None:
        if isinstance(failure, Unreachable | TimedOut):
            self._failed += 1
            if self._failed >= self._failures:
                self._close(failure, self._pause)
        elif not isinstance(failure, Denied):
            self._failed, self._closed_by = 0, None
        elif failure.status != 403:  # that one is about what was asked
            self._close(failure, max(self._pause, LOCKED_OUT))

    def _close(self, failure: UpstreamFailed, seconds: float) -> None:
        if self._failures:
            self._closed_by, self._closed_until = failure, time.monotonic() + seconds
