"""Slots for large answers: who waits, for whom, and that nothing of it is lost, whoever leaves when."""

import asyncio
from contextlib import suppress
from random import Random

import pytest

from graphql_server.admission.weighted_semaphore import WeightedSemaphore
from graphql_server.refusals import OverLimit

pytestmark = pytest.mark.anyio
LONG = 60.0  # seconds


class Scene:
    """Some who hold slots until they are told to end, and what has happened so far."""

    def __init__(self, values: int) -> None:
        self.slots = WeightedSemaphore(values)
        self.inside: list[str] = []
        self.asked: dict[str, asyncio.Task[None]] = {}
        self.ends: dict[str, asyncio.Event] = {}

    async def ask(self, name: str, values: int, *, caller: str = "one") -> None:
        self.ends[name] = asyncio.Event()
        self.asked[name] = asyncio.create_task(self._stay(name, values, caller))
        await settled()

    async def _stay(self, name: str, values: int, caller: str) -> None:
        async with self.slots.taken(values, caller=caller, seconds=LONG):
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


async def test_callers_take_turns_and_who_holds_fewest_comes_first() -> None:
    at = Scene(100)
    for name in ("a1", "a2", "a3", "a4"):
        await at.ask(name, 50, caller="a")
    for name in ("b1", "b2"):
        await at.ask(name, 50, caller="b")
    await at.ask("c1", 50, caller="c")
    assert at.inside == ["a1", "a2"]
    turns = []
    for _ in range(5):
        await at.end(at.inside[0])
        turns.append(at.inside[-1])
    assert turns == ["b1", "a3", "c1", "b2", "a4"]
    await at.cancel(*at.inside)


async def test_a_large_answer_is_not_overtaken_by_smaller_ones_of_others() -> None:
    at = Scene(100)
    await at.ask("a", 60, caller="a")
    await at.ask("whole", 100, caller="b")
    await at.ask("small enough", 20, caller="c")
    assert at.inside == ["a"]
    await at.end("a")
    assert at.inside == ["whole"]
    await at.end("whole")
    assert at.inside == ["small enough"]
    await at.end("small enough")


@pytest.mark.parametrize("seed", range(100))
async def test_nothing_is_lost_whoever_comes_and_leaves(seed: int) -> None:
    at, random = Scene(100), Random(seed)  # noqa: S311  # to be had again, not to be secret
    sizes: dict[str, int] = {}
    for step in range(40):
        waiting = [name for name in at.asked if name not in at.inside]
        match random.choice(["ask", "ask", "end", "cancel"]):
            case "ask":
                sizes[f"{step}"] = random.randint(6, 100)
                await at.ask(f"{step}", sizes[f"{step}"], caller=random.choice("abc"))
            case "end" if at.inside:
                await at.end(name := at.inside[0])
                del at.asked[name]
            case "cancel" if waiting:
                await at.cancel(name := random.choice(waiting))
                del at.asked[name]
        assert sum(sizes[name] for name in at.inside) <= 100
        assert at.inside or not at.asked
    await at.cancel(*at.asked)
    await at.ask("whole", 100)
    assert at.inside == ["whole"]
    await at.end("whole")


async def test_small_answers_never_wait() -> None:
    at = Scene(100)
    for name, values in (("a", 100), ("small", 5), ("larger", 6)):
        await at.ask(name, values)
    assert at.inside == ["a", "small"]
    await at.cancel(*at.asked)


async def test_what_is_larger_than_all_slots_takes_all_of_them() -> None:
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
async def test_who_leaves_takes_no_slots_along(leaving: list[str]) -> None:
    """Holding, queued, and at the very moment of being granted."""
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


async def test_who_is_granted_slots_and_cancelled_at_once_gives_them_back() -> None:
    at = Scene(100)
    await at.ask("a", 100)
    await at.ask("b", 100)
    at.ends["a"].set()
    await at.asked["a"]  # b has its turn now and has not run yet
    await at.cancel("b")
    await at.ask("c", 100)
    assert at.inside == ["c"]
    await at.end("c")


@pytest.mark.parametrize("seconds", [0.01, 0, -1])
async def test_waiting_has_an_end(seconds: float) -> None:
    at = Scene(100)
    await at.ask("a", 100)
    with pytest.raises(OverLimit) as refusal:
        async with at.slots.taken(100, caller="another", seconds=seconds):
            pass
    assert refusal.value.code == "OVERLOADED"
    await at.end("a")
    await at.ask("b", 100)
    assert at.inside == ["b"]
    await at.end("b")
