"""The fair semaphore: who is next, who is dropped, and that no slot is lost, whoever is cancelled when."""

import asyncio
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resilience.fair_semaphore import FairSemaphore, QueueFull

pytestmark = pytest.mark.anyio
SLOTS, MOST_EACH, MOST_WAITING = 2, 2, 4


class Scene:
    """Some who take slots; a name is a caller's letter and a number. `holding`: in the order of what was granted."""

    def __init__(self, slots: int = SLOTS, most_each: int = MOST_EACH, least: int = MOST_EACH) -> None:
        self.slots = slots
        self.semaphore = FairSemaphore(slots, most_each=most_each, least=least, most_waiting=MOST_WAITING)
        self.holding: list[str] = []
        self.dropped: list[str] = []
        self.asked: dict[str, asyncio.Task[None]] = {}

    def ask(self, name: str) -> None:
        self.asked[name] = asyncio.create_task(self._acquire(name))

    async def _acquire(self, name: str) -> None:
        try:
            await self.semaphore.acquire(caller_of(name))
        except QueueFull:
            self.dropped.append(name)
        else:
            self.holding.append(name)

    def release(self, name: str) -> None:
        self.holding.remove(name)
        self.semaphore.release(caller_of(name))

    def cancel(self, name: str) -> None:
        self.asked[name].cancel()

    @property
    def waiting(self) -> list[str]:
        return [name for name, task in self.asked.items() if not task.done()]


def caller_of(name: str) -> str | None:
    """`_` is None, who has no bound."""
    return None if name[0] == "_" else name[0]


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def played(steps: str, scene: Scene) -> Scene:
    """`a1`: a asks, `-a1`: gives back, `!a1`: is cancelled; what is joined by `,` happens before anybody else runs."""
    for moment in steps.split():
        for step in moment.split(","):
            act = {"-": scene.release, "!": scene.cancel}.get(step[0], scene.ask)
            act(step.lstrip("-!"))
        await settled()
    return scene


async def ended(scene: Scene) -> None:
    """All give back what they hold, also those who get it then; and all slots can be taken again."""
    while scene.holding:
        scene.release(scene.holding[0])
        await settled()
    assert scene.waiting == []
    again = [asyncio.create_task(scene.semaphore.acquire(n)) for n in range(scene.slots + 1)]
    await settled()
    assert [task.done() for task in again] == [True] * scene.slots + [False]
    again[-1].cancel()


@pytest.mark.parametrize(
    ("steps", "holding", "waiting", "dropped"),
    [
        # order
        ("a1 a2", "a1 a2", "", ""),
        ("a1 a2 a3 a4", "a1 a2", "a3 a4", ""),
        ("a1 a2 a3 a4 -a1", "a2 a3", "a4", ""),
        ("a1 -a1 a2 a3", "a2 a3", "", ""),
        # who holds fewest comes first, however late
        ("a1 a2 a3 a4 b1 -a1", "a2 b1", "a3 a4", ""),
        ("a1 a2 a3 a4 b1 b2 -a1 -a2", "b1 a3", "a4 b2", ""),
        ("a1 b1 a2 a3 c1 -a1", "b1 a2", "a3 c1", ""),
        ("a1 b1 a2 a3 c1 -b1", "a1 c1", "a2 a3", ""),
        # turns among equals
        ("x1 y1 a1 a2 b1 b2 -x1 -y1", "a1 b1", "a2 b2", ""),
        ("x1 y1 a1 a2 b1 b2 -x1 -y1 -a1 -b1", "a2 b2", "", ""),
        ("x1 y1 a1 a2 b1 c1 -x1 -a1 -b1", "y1 c1", "a2", ""),
        # what is full drops the newest of the longest queue; among equals the one that came last
        ("a1 a2 a3 a4 a5 a6 a7", "a1 a2", "a3 a4 a5 a6", "a7"),
        ("a1 a2 a3 a4 a5 a6 b1", "a1 a2", "a3 a4 a5 b1", "a6"),
        ("a1 a2 a3 a4 a5 a6 b1 b2 b3", "a1 a2", "a3 a4 b1 b2", "a6 a5 b3"),
        ("a1 a2 a3 b1 c1 d1 e1", "a1 a2", "a3 b1 c1 d1", "e1"),
        # cancelled while it waits, before and after it ran again, with others, and at the moment of the drop
        ("a1 a2 a3 a4 !a3 -a1", "a2 a4", "", ""),
        ("a1 a2 a3 a4 !a3,-a1", "a2 a4", "", ""),
        ("a1 a2 a3 b1 !b1,-a1", "a2 a3", "", ""),
        ("a1 a2 a3 !a3,-a1", "a2", "", ""),
        ("a1 a2 a3 a4 a5 a6 !a5 b1", "a1 a2", "a3 a4 a6 b1", ""),
        ("a1 a2 a3 a4 a5 a6 !a6,b1", "a1 a2", "a3 a4 a5 b1", ""),
        ("a1 a2 a3 a4 a5 a6 b1,!b1", "a1 a2", "a3 a4 a5 a6", ""),
        ("a1 a2 a3 a4 a5 a6 !a3,!a4,!a5,!a6,-a1,-a2", "", "", ""),
        # cancelled when the slot was granted and it has not run since
        ("a1 a2 a3 -a1,!a3", "a2", "", ""),
        ("a1 a2 a3 b1 -a1,!b1", "a2 a3", "", ""),
        ("a1 a2 a3 b1 -a1,-a2,!a3,!b1", "", "", ""),
        # cancelled when it was dropped, or has its slot
        ("a1 a2 a3 !a1 -a1", "a2 a3", "", ""),
        ("a1,!a1 a2 a3", "a2 a3", "", ""),
    ],
)  # fmt: skip
async def test_who_has_a_slot_who_waits_and_who_was_dropped(
    steps: str, holding: str, waiting: str, dropped: str
) -> None:
    seen = await played(steps, Scene())
    assert (" ".join(seen.holding), " ".join(seen.waiting), " ".join(seen.dropped)) == (holding, waiting, dropped)
    await ended(seen)


@pytest.mark.parametrize(
    ("steps", "holding", "waiting", "dropped"),
    [
        # nobody has more than two of four, free or not
        ("a1 a2 a3", "a1 a2", "a3", ""),
        ("a1 a2 a3 b1 b2 b3", "a1 a2 b1 b2", "a3 b3", ""),
        ("a1 a2 a3 a4 b1 b2 -b1", "a1 a2 b2", "a3 a4", ""),
        ("a1 a2 a3 a4 -a1", "a2 a3", "a4", ""),
        ("a1 a2 a3 b1 b2 c1 -a1", "a2 b1 b2 c1", "a3", ""),
        ("a1 a2 a3 b1 b2 c1 -b1 -a1", "a2 b2 c1 a3", "", ""),
        ("a1 a2 a3 a4 a5 a6 a7 b1", "a1 a2 b1", "a3 a4 a5 a6", "a7"),
        ("a1 a2 a3 a4 -a1,!a3", "a2 a4", "", ""),
        ("a1 a2 a3 a4 !a3 -a2", "a1 a4", "", ""),
        # but None
        ("_1 _2 _3 _4 _5", "_1 _2 _3 _4", "_5", ""),
        ("_1 _2 _3 _4 _5 a1 -_1", "_2 _3 _4 a1", "_5", ""),
    ],
)  # fmt: skip
async def test_nobody_has_more_than_their_part(steps: str, holding: str, waiting: str, dropped: str) -> None:
    seen = await played(steps, Scene(4, 2))
    assert (" ".join(seen.holding), " ".join(seen.waiting), " ".join(seen.dropped)) == (holding, waiting, dropped)
    await ended(seen)


@pytest.mark.parametrize(
    ("steps", "holding", "waiting"),
    [
        # alone four of eight; two callers have two each; what is held already stays
        ("a1 a2 a3 a4 a5", "a1 a2 a3 a4", "a5"),
        ("a1 b1 a2 a3 b2 b3", "a1 b1 a2 b2", "a3 b3"),
        ("a1 a2 a3 a4 b1 b2 b3 -a1", "a2 a3 a4 b1 b2", "b3"),
        ("a1 a2 a3 a4 a5 b1 -a1 -a2 -a3", "a4 b1 a5", ""),
        # four callers have one each
        ("a1 b1 c1 d1 a2 b2 c2", "a1 b1 c1 d1", "a2 b2 c2"),
        # whoever is done, or gives up waiting, leaves their part to the others
        ("a1 b1 a2 a3 a4 a5 -b1", "a1 a2 a3 a4", "a5"),
        ("a1 b1 b2 b3 a2 a3 -b1 -b2", "a1 a2 b3", "a3"),
        ("a1 a2 a3 a4 b1 b2 b3 !b3,-b1,-b2 a5", "a1 a2 a3 a4", "a5"),
        # None is no caller
        ("_1 _2 a1 a2 a3 a4 a5", "_1 _2 a1 a2 a3 a4", "a5"),
    ],
)  # fmt: skip
async def test_callers_at_the_same_time_divide_one_part(steps: str, holding: str, waiting: str) -> None:
    seen = await played(steps, Scene(8, 4, least=1))
    assert (" ".join(seen.holding), " ".join(seen.waiting)) == (holding, waiting)
    await ended(seen)


STEP = st.tuples(st.sampled_from(["a", "b", "c", "release", "cancel"]), st.integers(0, SLOTS + MOST_WAITING))


@settings(max_examples=300, deadline=None)
@given(
    st.integers(SLOTS, SLOTS + 2),
    st.integers(1, 4),
    st.integers(1, 2),
    st.lists(st.lists(STEP, max_size=5), max_size=12),
)
async def test_no_slot_is_ever_lost(
    slots: int, most_each: int, least: int, moments: list[list[tuple[str, int]]]
) -> None:
    """Whatever is asked, given back and cancelled, in any order; the steps of a moment before anybody else runs."""
    most_each, least = min(most_each, slots), min(least, most_each, slots)
    seen = Scene(slots, most_each, least)
    for moment in moments:
        for act, number in moment:
            those = {"release": seen.holding, "cancel": seen.waiting}.get(act)
            if those is None:
                seen.ask(f"{act}{len(seen.asked)}")
            elif those:
                getattr(seen, act)(those[number % len(those)])
        await settled()
        assert len(seen.waiting) <= MOST_WAITING
        held = Counter(name[0] for name in seen.holding)
        assert len(seen.holding) <= slots
        assert max(held.values(), default=0) <= most_each
        callers = {name[0] for name in (*seen.holding, *seen.waiting)}
        share = max(least, most_each // max(len(callers), 1))
        assert len(seen.holding) == slots or all(held[name[0]] >= share for name in seen.waiting)
    await ended(seen)
