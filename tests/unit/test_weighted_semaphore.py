"""Slots for large answers: who waits, for whom, and that nothing of it is lost, whoever leaves when."""

import asyncio
from contextlib import suppress

import pytest

from api.deadline import with_deadline
from api.errors import OverLimit
from api.weighted_semaphore import WeightedSemaphore

pytestmark = pytest.mark.anyio
LONG = 60.0  # seconds


class Scene:
    """Some who take room until they are let go, and what has happened so far."""

    def __init__(self, values: int) -> None:
        self.room = WeightedSemaphore(values)
        self.inside: list[str] = []
        self.asked: dict[str, asyncio.Task[None]] = {}
        self.ends: dict[str, asyncio.Event] = {}

    async def ask(self, name: str, values: int) -> None:
        self.ends[name] = asyncio.Event()
        self.asked[name] = asyncio.create_task(self._stay(name, values))
        await settled()

    async def _stay(self, name: str, values: int) -> None:
        async with self.room.taken(values, seconds=LONG):
            self.inside.append(name)
            try:
                await self.ends[name].wait()
            finally:
                self.inside.remove(name)

    async def end(self, name: str) -> None:
        self.ends[name].set()
        await self.asked[name]
        await settled()

    async def cancel(self, *names: str) -> None:
        for name in names:
            self.asked[name].cancel()
        for name in names:
            with suppress(asyncio.CancelledError):
                await self.asked[name]
        await settled()


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_large_answers_wait_for_one_another_in_their_order() -> None:
    at = Scene(100)
    for name, values in (("a", 60), ("b", 50), ("c", 40)):
        await at.ask(name, values)
    assert at.inside == ["a"]  # c would fit, but b was first
    await at.end("a")
    assert at.inside == ["b", "c"]
    await at.end("b")
    await at.end("c")
    await at.ask("whole", 100)
    assert at.inside == ["whole"]
    await at.end("whole")


async def test_small_answers_never_wait() -> None:
    at = Scene(100)
    for name, values in (("a", 100), ("small", 5), ("larger", 6)):
        await at.ask(name, values)
    assert at.inside == ["a", "small"]
    await at.cancel(*at.asked)


async def test_what_is_larger_than_all_the_room_takes_all_of_it() -> None:
    at = Scene(100)
    for name, values in (("a", 6), ("vast", 1000), ("b", 6)):
        await at.ask(name, values)
    assert at.inside == ["a"]
    await at.end("a")
    assert at.inside == ["vast"]
    await at.end("vast")
    assert at.inside == ["b"]
    await at.end("b")


@pytest.mark.parametrize("leaving", [["a"], ["b"], ["b", "a"], ["a", "b"], ["a", "b", "c"]])
async def test_who_leaves_takes_no_room_along(leaving: list[str]) -> None:
    """Inside, in the line, and at the very moment of being let in."""
    at = Scene(100)
    for name in ("a", "b", "c"):
        await at.ask(name, 100)
    await at.cancel(*leaving)
    staying = [name for name in ("a", "b", "c") if name not in leaving]
    assert at.inside == staying[:1]
    for name in staying:
        await at.end(name)
    await at.ask("whole", 100)
    assert at.inside == ["whole"]
    await at.end("whole")


async def test_who_is_let_in_and_cancelled_at_once_gives_back() -> None:
    at = Scene(100)
    await at.ask("a", 100)
    await at.ask("b", 100)
    at.ends["a"].set()
    await at.asked["a"]  # b has its turn now and has not run yet
    await at.cancel("b")
    await at.ask("c", 100)
    assert at.inside == ["c"]
    await at.end("c")


@pytest.mark.parametrize(("seconds", "request_seconds"), [(0.01, LONG), (LONG, 0.01)])
async def test_waiting_has_an_end(seconds: float, request_seconds: float) -> None:
    at = Scene(100)
    await at.ask("a", 100)
    with with_deadline(request_seconds), pytest.raises(OverLimit) as refusal:
        async with at.room.taken(100, seconds=seconds):
            pass
    assert refusal.value.code == "OVERLOADED"
    await at.end("a")
    await at.ask("b", 100)
    assert at.inside == ["b"]
    await at.end("b")
