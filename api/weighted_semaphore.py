"""A FIFO weighted semaphore for large answers, so that many at once do not take a replica's memory.

Each operation takes as many slots as its answer has values, by estimate. Small answers never wait.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from api.deadline import seconds_left
from api.errors import OVERLOADED, OverLimit

LARGE = 1 / 20  # of all slots; an answer that needs fewer takes none


class WeightedSemaphore:
    """A semaphore of so many slots, one for each value of an answer. First come, first served."""

    def __init__(self, values: int) -> None:
        self._values = values
        self._free = values
        self._queue: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def taken(self, values: int, *, seconds: float) -> AsyncIterator[None]:
        """Hold so many slots during the block, or all of them if it needs more than there are.

        Raises OverLimit (OVERLOADED) when they are not free within these seconds, or by the request's deadline.
        """
        if values <= self._values * LARGE:
            yield
            return
        size = min(values, self._values)
        await self._acquire(size, seconds_left(seconds))
        try:
            yield
        finally:
            self._release(size)

    async def _acquire(self, size: int, seconds: float) -> None:
        if not self._queue and size <= self._free:
            self._free -= size
            return
        turn = asyncio.get_running_loop().create_future()
        self._queue.append((size, turn))
        try:
            async with asyncio.timeout(seconds):
                await turn
        except TimeoutError as error:
            self._dequeue(size, turn)
            raise OverLimit(OVERLOADED, "Too many large answers are asked for at once. Try again.") from error
        except asyncio.CancelledError:
            self._dequeue(size, turn)
            raise

    def _dequeue(self, size: int, turn: asyncio.Future[None]) -> None:
        """Take a waiter out of the queue, or release what it was granted before it could run."""
        # The future of a waiter that was granted nothing is cancelled by now; it is skipped where it stands.
        self._release(0 if turn.cancelled() else size)

    def _release(self, size: int) -> None:
        """Free slots and grant them in order: to the first waiter while it fits, never past it to a smaller one."""
        self._free += size
        while self._queue and (self._queue[0][1].done() or self._queue[0][0] <= self._free):
            taken, turn = self._queue.popleft()
            if not turn.done():
                self._free -= taken
                turn.set_result(None)
