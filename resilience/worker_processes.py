"""Worker processes for CPU-bound work beside the event loop, each with a deadline, shared fairly among callers.

Threads would not do: they share the interpreter lock with the event loop, so that each of its turns would wait up to
5 ms while one computes, and a thread can not be ended. A process is killed when the request's deadline is over or its
client leaves, and it runs at a lower priority than the service. The processes are anyio's: started when first needed,
reused, and gone with the event loop.
"""

import asyncio
import logging
import os
from functools import partial
from typing import TypeVar
from weakref import WeakValueDictionary

from anyio import BrokenWorkerProcess, CapacityLimiter, to_process

from resilience.caller import present_caller
from resilience.deadline import seconds_left
from resilience.failures import Busy

Result = TypeVar("Result")

SMALL = 32_768  # bytes of documents that are worked on in the event loop: a few milliseconds
LONGEST = 60.0  # seconds, where no request's deadline is shorter
NICENESS = 5
TRIES = 2  # an idle process may have been killed from outside

_log = logging.getLogger(__name__)


class WorkerProcesses:
    """At most so many processes, each doing one piece of work at a time, first come, first served.

    `name`: of the service, for its failures. `what`: the work as a failure names it: "Comparing plans".
    """

    def __init__(self, processes: int, *, name: str, what: str) -> None:
        self._limiter = CapacityLimiter(processes)
        self._name = name
        self._what = what
        self._turns: WeakValueDictionary[str | None, asyncio.Lock] = WeakValueDictionary()

    async def run(self, work: partial[Result], *, size: int | None = None) -> Result:
        """The result of a function that can be pickled, as can what it takes and gives.

        `size`: bytes of its documents; small ones are worked on in the event loop. One caller's pieces of work wait
        for each other, so that others' come in between. Raises Busy when there is no time for it before the request's
        deadline, and what the function raises.
        """
        if size is not None and size <= SMALL:
            return work()
        try:
            async with asyncio.timeout(seconds_left(LONGEST)), self._turn():
                return await self._in_process(work)
        except TimeoutError as error:
            message = f"{self._what} takes longer than a request may; ask for fewer at once"
            raise Busy(self._name, message) from error

    def _turn(self) -> asyncio.Lock:
        return self._turns.setdefault(present_caller(), asyncio.Lock())

    async def _in_process(self, work: partial[Result]) -> Result:
        for attempt in range(TRIES):
            try:
                # cancellable: the process is killed when the task that waits for it is cancelled
                return await to_process.run_sync(_low_priority, work, cancellable=True, limiter=self._limiter)
            except BrokenWorkerProcess as error:
                _log.warning("a worker process has ended", extra={"reason": repr(error.__cause__ or error)})
                if attempt == TRIES - 1:
                    raise Busy(self._name, f"{self._what} did not come to an end; try again") from error
        raise AssertionError


def _low_priority(work: partial[Result]) -> Result:
    if hasattr(os, "setpriority"):
        os.setpriority(os.PRIO_PROCESS, 0, NICENESS)
    return work()
