"""`WeightedSemaphore`: a FIFO semaphore whose slots are values of large answers. One for the service, so that many
large answers at once do not take a replica's memory.

Made by `app`, taken by schema/documents.py for each operation it executes. Small answers never wait.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from api.deadline import seconds_left
from api.errors import OVERLOADED, OverLimit

LARGE = 1 / 20  # of the room; what needs less takes none


class WeightedSemaphore:
    """For so many values in all, see schema/costing.py. Who comes first is served first."""

    def __init__(self, values: int) -> None:
        self._values = values
        self._free = values
        self._line: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def taken(self, values: int, *, seconds: float) -> AsyncIterator[None]:
        """Slots for so many values until the block ends; for more than there ever are, all of it.

        Raises OverLimit (OVERLOADED) when there is none within these seconds, or before the request has to end.
        """
        if values <= self._values * LARGE:
            yield
            return
        size = min(values, self._values)
        await self._wait(size, seconds_left(seconds))
        try:
            yield
        finally:
            self._give(size)

    async def _wait(self, size: int, seconds: float) -> None:
        if not self._line and size <= self._free:
            self._free -= size
            return
        turn = asyncio.get_running_loop().create_future()
        self._line.append((size, turn))
        try:
            async with asyncio.timeout(seconds):
                await turn
        except TimeoutError as error:
            self._leave(size, turn)
            raise OverLimit(OVERLOADED, "Too many large answers are asked for at once. Try again.") from error
        except asyncio.CancelledError:
            self._leave(size, turn)
            raise

    def _leave(self, size: int, turn: asyncio.Future[None]) -> None:
        """Out of the line; or give back what has just been given."""
        self._give(0 if turn.cancelled() else size)

    def _give(self, size: int) -> None:
        """Let in who is next, as many as find room; who has left the line meanwhile is passed over."""
        self._free += size
        while self._line and (self._line[0][1].done() or self._line[0][0] <= self._free):
            taken, turn = self._line.popleft()
            if not turn.done():
                self._free -= taken
                turn.set_result(None)
