"""Loaders alone: what is asked together, how often, and who is told, whoever leaves or fails."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import pytest

from columnar.batch_loader import Loader
from columnar.batched_field import found_of

pytestmark = pytest.mark.anyio


class Source:
    """Something to ask: notes what it was asked, waits for `go_on` when it is held, and fails when it has an error."""

    def __init__(self, *, held: bool = False, error: Exception | None = None) -> None:
        self.asked: list[list[int]] = []
        self.error = error
        self.go_on = asyncio.Event()
        self.was_cancelled = False
        if not held:
            self.go_on.set()

    async def fetch(self, keys: Sequence[int]) -> dict[int, str]:
        self.asked.append(list(keys))
        try:
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise
        if self.error:
            raise self.error
        return {key: f"value {key}" for key in keys if key >= 0}

    def loader(self, largest: int = 100) -> Loader[int, str]:
        return Loader(self.fetch, largest=largest)


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def waiting(loader: Loader[int, str], key: int) -> asyncio.Task[str | None]:
    """A task that waits for a key."""

    async def wait() -> str | None:
        return await loader.load(key)

    task = asyncio.create_task(wait())
    await settled()
    return task


async def test_what_is_asked_at_the_same_moment_is_asked_together_and_once() -> None:
    source = Source()
    loader = source.loader()
    *ones, many = await asyncio.gather(loader.load(1), loader.load(2), loader.load(1), loader.load_many([3, 2, -1, 3]))
    assert (ones, many) == (["value 1", "value 2", "value 1"], ["value 3", "value 2", None, "value 3"])
    assert source.asked == [[1, 2, 3, -1]]


async def test_what_is_known_is_not_asked_again_even_that_there_is_nothing() -> None:
    source = Source()
    loader = source.loader()
    await loader.load_many([1, -1])
    assert await loader.load_many([-1, 2, 1]) == [None, "value 2", "value 1"]
    assert (await loader.load(1), await loader.load(-1)) == ("value 1", None)
    assert source.asked == [[1, -1], [2]]


async def test_a_key_may_fail_alone() -> None:
    class Refused(Exception): ...

    async def fetch(keys: Sequence[int]) -> dict[int, str | Exception]:
        return {key: Refused() if key == 2 else f"value {key}" for key in keys}

    loader: Loader[int, str] = Loader(fetch, largest=10)
    found = await asyncio.gather(*(loader.load(key) for key in (1, 2, 3)), return_exceptions=True)
    assert [str(each) if isinstance(each, str) else type(each) for each in found] == ["value 1", Refused, "value 3"]
    assert await loader.load_many([1, 3]) == ["value 1", "value 3"]
    with pytest.raises(Refused):
        await loader.load_many([1, 2, 3])


async def test_what_is_asked_while_others_are_being_fetched_is_a_batch_of_its_own() -> None:
    source = Source(held=True)
    loader = source.loader()
    first = await waiting(loader, 1)
    second = await waiting(loader, 2)
    again = await waiting(loader, 1)
    assert source.asked == [[1], [2]]
    source.go_on.set()
    assert [await first, await second, await again] == ["value 1", "value 2", "value 1"]


@pytest.mark.parametrize(
    ("largest", "batches"), [(5, [[1, 2, 3, 4, 5]]), (4, [[1, 2, 3, 4], [5]]), (1, [[1], [2], [3], [4], [5]])]
)
async def test_no_batch_is_larger_than_allowed(largest: int, batches: list[list[int]]) -> None:
    source = Source()
    assert await source.loader(largest).load_many(range(1, 6)) == [f"value {key}" for key in range(1, 6)]
    assert source.asked == batches


async def test_no_keys_ask_nothing() -> None:
    source = Source()
    assert await source.loader().load_many([]) == []
    assert source.asked == []


async def test_no_key_has_no_value_and_takes_nobody_elses_place() -> None:
    source = Source()
    assert await found_of(source.loader(), [None, 1, None, -1, 2]) == [None, "value 1", None, None, "value 2"]
    assert source.asked == [[1, -1, 2]]


async def test_a_value_of_another_way_is_not_asked_for_and_does_not_replace_one_that_is_known() -> None:
    source = Source()
    loader = source.loader()
    loader.know({1: "told"})
    loader.prime(2, "told too").prime(3, None)
    assert await loader.load_many([1, 2, 3]) == ["told", "told too", "value 3"]
    loader.know({3: "late"})
    assert await loader.load(3) == "value 3"
    assert source.asked == [[3]]


@pytest.mark.parametrize("leaving", [[0], [1], [0, 1]])
async def test_who_leaves_takes_nothing_from_those_who_stay(leaving: list[int]) -> None:
    source = Source(held=True)
    loader = source.loader()
    tasks = [await waiting(loader, key) for key in (1, 1, 1)]
    for number in leaving:
        tasks[number].cancel()
    await settled()
    assert [task.cancelled() for task in tasks] == [number in leaving for number in range(3)]
    source.go_on.set()
    staying = [task for number, task in enumerate(tasks) if number not in leaving]
    assert await asyncio.gather(*staying) == ["value 1"] * len(staying)
    assert (source.asked, source.was_cancelled) == ([[1]], False)


async def test_what_everybody_has_left_can_be_asked_for_again() -> None:
    source = Source(held=True)
    loader = source.loader()
    task = await waiting(loader, 1)
    task.cancel()
    await settled()
    again = await waiting(loader, 1)
    source.go_on.set()
    assert await again == "value 1"
    assert source.asked == [[1]]


async def test_a_failure_is_told_to_all_who_asked_and_to_who_asks_later() -> None:
    error = ValueError("no")
    source = Source(held=True, error=error)
    loader = source.loader()
    tasks = [await waiting(loader, 1), await waiting(loader, 1)]
    source.go_on.set()
    assert await asyncio.gather(*tasks, return_exceptions=True) == [error, error]
    for asked in (loader.load(1), loader.load_many([1, 2])):
        with pytest.raises(ValueError, match="no"):
            await asked
    source.error = None
    assert await loader.load(3) == "value 3"


async def test_a_failure_that_nobody_waits_for_is_no_complaint_of_the_event_loop() -> None:
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: complaints.append(context))
    source = Source(error=ValueError("no"))
    source.loader().load(1)
    await settled()
    assert (source.asked, complaints) == ([[1]], [])


async def test_what_is_abandoned_ends_and_is_told_to_who_waits() -> None:
    source = Source(held=True)
    loader = source.loader()
    task = await waiting(loader, 1)
    loader.abandon()
    with suppress(asyncio.CancelledError):
        await task
    assert (task.cancelled(), source.was_cancelled) == (True, True)
