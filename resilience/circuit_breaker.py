"""A circuit breaker and a bulkhead for one system: whether it is called at present, and how many calls at once.

Bulkhead: a system that hangs uses up its own slots and no others. Callers share the slots fairly, and none has more
than a quarter of them. The worker and the service's own calls count as one caller without that bound.

Circuit breaker: a system that failed several times in a row is not called for a moment; callers have that failure at
once. Then one probe is let through, and decides. A refused credential opens it at the first time: some systems lock a
user out for seconds after one wrong password, and every further one may prolong it.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from resilience.caller import present_caller
from resilience.failures import Busy, Denied, TimedOut, Unreachable, UpstreamFailed
from resilience.fair_semaphore import FairSemaphore, QueueFull

LOCKED_OUT = 8.0  # seconds; Camunda 7 refused the right password for 5 to 6 seconds after one wrong one

WAITING = 10  # for each slot; one request may make ten calls at once
SHARE, LEAST = 1 / 4, 2  # of the slots, for one caller, or for several together; so many each in any case


class CircuitBreaker:
    """The slots and the circuit of one system. `failures` in a row open it for `pause` seconds; 0 keeps it closed."""

    def __init__(self, name: str, *, slots: int, failures: int, pause: float) -> None:
        self.name = name
        most = max(LEAST, int(SHARE * slots))
        self._slots = FairSemaphore(slots, most_each=most, least=LEAST, most_waiting=WAITING * slots)
        self._failures = failures
        self._pause = pause
        self._failed = 0
        self._opened_by: UpstreamFailed | None = None
        self._open_until = 0.0
        self._is_probed = False

    @asynccontextmanager
    async def slot(self, seconds: float) -> AsyncIterator[None]:
        """Hold one of the slots during the block; wait for it at most so long. Failures inside count.

        Raises Busy when the queue is full and no caller has more waiting than this one, TimedOut, and while the circuit
        is open the failure that opened it.
        """
        caller = present_caller()
        # 1. Refused at once while the circuit is open: nobody queues for a system that is not called.
        self._refuse_if_open()
        await self._acquire(caller, seconds)
        is_probe = False
        try:
            # 2. It may have opened while this call queued. If its time is over, this call is the probe; the check and
            #    the mark are in one turn of the event loop, so that there is never more than one.
            self._refuse_if_open()
            is_probe = self._is_probed = self._opened_by is not None
            try:
                yield
            except UpstreamFailed as failure:
                self._count(failure)
                raise
            # 3. A success closes the circuit, whoever had it.
            self._failed, self._opened_by = 0, None
        finally:
            # 4. A probe that was cancelled has decided nothing: the next call is another.
            self._is_probed = self._is_probed and not is_probe
            self._slots.release(caller)

    def _refuse_if_open(self) -> None:
        opened_by = self._opened_by
        if opened_by is not None and (self._is_probed or time.monotonic() < self._open_until):
            raise type(opened_by)(self.name, opened_by.message, status=opened_by.status)

    async def _acquire(self, caller: str | None, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._slots.acquire(caller)
        except QueueFull as error:
            raise Busy(self.name, f"Too many calls to {self.name} are waiting; try again") from error
        except TimeoutError as error:
            raise TimedOut(self.name, f"{self.name} has more calls than it answers in time") from error

    def _count(self, failure: UpstreamFailed) -> None:
        """Count a failure: an absent or silent system opens the circuit in the end, a refused credential at once.

        Any other failure is an answer, so the system is there. A 403 is about what was asked, not about who asks.
        """
        if isinstance(failure, Unreachable | TimedOut):
            self._failed += 1
            if self._failed >= self._failures:
                self._open(failure, self._pause)
        elif not isinstance(failure, Denied):
            self._failed, self._opened_by = 0, None
        elif failure.status != 403:
            self._open(failure, max(self._pause, LOCKED_OUT))

    def _open(self, failure: UpstreamFailed, seconds: float) -> None:
        if self._failures:
            self._opened_by, self._open_until = failure, time.monotonic() + seconds
