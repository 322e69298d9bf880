"""Which requests wait for which: each is held at the wire until nothing more comes, and all that are held go together.

What a wave asks needed an answer of the wave before it, so the number of waves is the longest chain of round trips. No
clock has a part in it: with every request held, the API has only its own work left to do, and that ends.
"""

import asyncio

from tests.calls.recording import Recording

QUIET = 300  # turns of the event loop in which nothing new was asked


class Waves(Recording):
    """A recording that tells `waves`: for each, the kinds of its requests in alphabetical order."""

    def __init__(self) -> None:
        super().__init__()
        self.waves: list[list[str]] = []
        self._held: list[tuple[str, asyncio.Future[None]]] = []
        self._under_way = 0
        self._answered = asyncio.Event()
        self._releasing: asyncio.Task[None] | None = None

    async def before_call(self, kind: str) -> None:
        """Wait for the others of this wave."""
        go = asyncio.get_running_loop().create_future()
        self._held.append((kind, go))
        if self._releasing is None:
            self._releasing = asyncio.create_task(self._release())
        await go

    def after_call(self) -> None:
        """One of the wave is answered."""
        self._under_way -= 1
        if not self._under_way:
            self._answered.set()

    async def _release(self) -> None:
        while self._held:
            await self._quiet()
            wave, self._held = self._held, []
            self._under_way = len(wave)
            self._answered.clear()
            self.waves.append(sorted(kind for kind, _ in wave))
            for _, go in wave:
                go.set_result(None)
            await self._answered.wait()
            await self._quiet()
        self._releasing = None

    async def _quiet(self) -> None:
        """Until the API can do no more without an answer."""
        turns, held = 0, len(self._held)
        while turns < QUIET:
            await asyncio.sleep(0)
            turns = turns + 1 if len(self._held) == held else 0
            held = len(self._held)
