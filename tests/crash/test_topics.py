"""Every topic, its worker stopped or cut at every upstream call on the way to its report; another finishes it."""

import asyncio
from collections.abc import Callable, Sequence

import pytest

from api.settings import Settings
from tests.conftest import TRIED, Recorder
from tests.crash.doomed import run_worker, stop_workers
from tests.crash.enumeration import Enumeration, each_of, until
from tests.crash.picture import Picture, difference, picture
from tests.crash.topics import FETCH, REPORTS, TOPICS, Topic
from tests.crash.tripwire import Mode, Point, Tripwires

# Their reviews were completed elsewhere: whether by a person, publication asks the history.
CALLS = {
    "register, started by hand": 6,
    "register, another was faster": 6,
    "publish a new plan": 12,
    "publish an edit": 12,
    "publish what has moved": 7,
    "publish what the store refuses": 10,
    "record an outcome": 4,
}


# each has one task of each topic, whose lock does not end before the others have theirs
ONE_EACH = {"worker_concurrency": 1, "lock_seconds": 10}


@pytest.fixture(scope="module", autouse=True)
def _nothing_waits(enumeration: Enumeration) -> None:
    """What other tests left is not what a worker here comes upon."""
    enumeration.let_work(enumeration.behind.nothing_waits)


@pytest.mark.parametrize("name", TOPICS)
def test_another_worker_finishes_it(enumeration: Enumeration, record_property: Recorder, name: str) -> None:
    topic = TOPICS[name]
    calls, whole = _undisturbed(enumeration, topic)
    ends = [end for process in whole["processes"] for end in process["ends"]]
    assert (whole["row"]["status"], ends, len(whole["versions"])) == topic.end
    assert [each["written"] for each in whole["provenance"]] == [1] * ends.count("approved")
    assert len(calls) == CALLS[name], calls

    points = [Point(call, calls[:at].count(call), mode) for mode in Mode for at, call in enumerate(calls)]
    made = each_of(lambda _: topic.prepare(enumeration.world), points)
    _stop_and_cut(enumeration.living.model_copy(update=ONE_EACH), points)
    enumeration.let_work(enumeration.nothing_is_left([draft_id for draft_id, _ in made]))
    found = each_of(lambda each: picture(enumeration.behind, *each, {}), made)
    record_property(TRIED, (name, len(calls), len(points)))
    told = "\n\n".join(text for each in found if (text := difference(whole, each)))
    assert not told, told


def _undisturbed(enumeration: Enumeration, topic: Topic) -> tuple[list[str], Picture]:
    """The calls of a worker's first task, up to its report, and what there is when it has no more to do."""
    draft_id, plan_id = topic.prepare(enumeration.world)
    wires = Tripwires({}, who=lambda: "")
    asyncio.run(_work_until(enumeration.living, wires, enumeration.nothing_is_left([draft_id])))
    (first, *looks), calls = [at for at, call in enumerate(wires.calls[""]) if call == FETCH], wires.calls[""]
    reported = min(calls.index(report) for report in REPORTS if report in calls)
    of_task = [call for at, call in enumerate(calls[: reported + 1]) if at >= first and at not in looks]
    return of_task, picture(enumeration.behind, draft_id, plan_id, {})


def _stop_and_cut(settings: Settings, points: Sequence[Point]) -> None:
    dead = [point for point in points if point.mode is not Mode.CUT]
    assert stop_workers(settings, dead) == {str(point) for point in dead}
    for point in points:
        if point.mode is Mode.CUT:
            _cut(settings, point)


def _cut(settings: Settings, point: Point) -> None:
    wires = Tripwires({"": point}, who=lambda: "")
    asyncio.run(_work_until(settings, wires, lambda: "" in wires.met))


async def _work_until(settings: Settings, wires: Tripwires, is_over: Callable[[], bool]) -> None:
    """A worker, that finishes what it has in hand when it is over."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(run_worker(settings, wires, stop))
        await asyncio.to_thread(until, is_over)
        stop.set()
