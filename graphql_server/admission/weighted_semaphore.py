"""A weighted semaphore for large answers, so that many at once do not take a replica's memory: `WeightedSemaphore`.

Each operation takes as many slots as its answer has values, by estimate. Small answers never wait. Each caller has a
FIFO queue of their own, so that one who asks for a hundred large answers delays the others by one of them.
"""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager

from graphql_server.refusals import OVERLOADED, OverLimit

LARGE = 1 / 20  # of all slots; an answer that needs fewer takes none
Waiter = tuple[int, asyncio.Future[None]]


class WeightedSemaphore:
    """A semaphore of so many slots, one for each value of an answer; the next turn is of who holds fewest."""

    def __init__(self, values: int) -> None:
        self._values = values
        self._free = values
        self._held: Counter[Hashable] = Counter()
        # Of callers with waiters alone, in the order of turns: whose turn was last stands at the end.
        self._queues: dict[Hashable, deque[Waiter]] = {}

    @asynccontextmanager
    async def taken(self, values: int, *, caller: Hashable, seconds: float) -> AsyncIterator[None]:
        """Hold so many slots during the block, or all of them if it needs more than there are.

        Raises OverLimit (OVERLOADED) when they are not free within these seconds.
        """
        if values <= self._values * LARGE:
            yield
            return
        size = min(values, self._values)
        await self._acquire(caller, size, seconds)
        try:
            yield
        finally:
            self._release(caller, size)

    async def _acquire(self, caller: Hashable, size: int, seconds: float) -> None:
        if not self._queues and size <= self._free:
            self._take(caller, size)
            return
        turn = asyncio.get_running_loop().create_future()
        self._queues.setdefault(caller, deque()).append((size, turn))
        try:
            async with asyncio.timeout(seconds):
                await turn
        except TimeoutError as error:
            self._dequeue(caller, size, turn)
            raise OverLimit(OVERLOADED, "Too many large answers are asked for at once. Try again.") from error
        except asyncio.CancelledError:
            self._dequeue(caller, size, turn)
            raise

    def _dequeue(self, caller: Hashable, size: int, turn: asyncio.Future[None]) -> None:
        """Take a waiter out of its queue, or release what it was granted before it could run."""
        if not turn.cancelled():
            self._release(caller, size)
            return
        self._queues[caller].remove((size, turn))
        self._forget(caller)
        self._grant()

    def _take(self, caller: Hashable, size: int) -> None:
        self._free -= size
        self._held[caller] += size

    def _release(self, caller: Hashable, size: int) -> None:
        self._free += size
        self._held[caller] -= size
        if not self._held[caller]:
            del self._held[caller]
        self._grant()

    def _grant(self) -> None:
        """Grant free slots while the next waiter fits, never past it to a smaller one: a large answer comes, too."""
        while self._queues:
            # 1. `min` takes the first of equals, which is whose turn was longest ago.
            caller = min(self._queues, key=self._held.__getitem__)
            size, turn = self._queues[caller][0]
            # 2. A waiter that was cancelled a moment ago stands in its queue until its task runs, and takes it out.
            if turn.done() or size > self._free:
                return
            # 3. The queue goes to the end of the order, if anybody waits in it still.
            queue = self._queues.pop(caller)
            queue.popleft()
            if queue:
                self._queues[caller] = queue
            self._take(caller, size)
            turn.set_result(None)

    def _forget(self, caller: Hashable) -> None:
        if not self._queues[caller]:
            del self._queues[caller]
