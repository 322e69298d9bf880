"""Going through the points of a scenario: `Enumeration`, used by the tests as a fixture.

For every point a draft of its own is made ready, and the verb asked of a replica that is stopped or cut there.
"""

import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic, sleep
from typing import Any, TypeVar

from api.settings import Settings
from tests.crash.doomed import SIDE_BY_SIDE, stop_requests, warm
from tests.crash.moves import Moves
from tests.crash.picture import Picture, picture
from tests.crash.scenarios import Case, Scenario, World
from tests.crash.tripwire import Meddle, Mode, Point, Tripwires, let_be
from tests.serving import Api, serving
from tests.stories.behind import Behind

Item = TypeVar("Item")
Result = TypeVar("Result")

LONGEST_WAIT = 100.0  # seconds


@dataclass(frozen=True)
class Replica:
    """One replica of the API, and its wires."""

    api: Api
    wires: Tripwires

    @classmethod
    @contextmanager
    def serving(cls, settings: Settings, meddle: Meddle = let_be) -> Iterator["Replica"]:
        """One, until the block ends."""
        wires = Tripwires({}, meddle=meddle)
        with serving(settings, transports=wires.transports, connection_class=wires.connection_class) as api:
            warm(api)
            yield cls(api, wires)


@dataclass(frozen=True)
class Example:
    """A scenario undisturbed: its calls, its answer, and the draft before it and after."""

    calls: list[str]
    answer: dict[str, Any]
    before: Picture
    after: Picture

    @property
    def points(self) -> list[Point]:
        """Every call, in every mode."""
        return [
            Point(call, self.calls[:position].count(call), mode)
            for mode in Mode
            for position, call in enumerate(self.calls)
        ]

    def has_happened(self, call: str, nth: int, point: Point) -> bool:
        """Whether a call took effect in a request that ended at a point."""
        ended = [position for position, each in enumerate(self.calls) if each == point.call][point.nth]
        happened = self.calls[:ended] if point.mode is Mode.BEFORE else self.calls[: ended + 1]
        return happened.count(call) > nth


@dataclass(frozen=True)
class Struck:
    """A case that was stopped or cut at a point, and the answer, if there was one."""

    point: Point
    case: Case
    told: dict[str, Any] | None


@dataclass
class Enumeration:
    """`one` is what is cut, `other` what is asked again; both without a worker.

    `struck` are the settings of what is stopped or cut, `living` those of all others.
    """

    struck: Settings
    living: Settings
    behind: Behind
    one: Replica
    other: Replica
    examples: dict[str, Example] = field(default_factory=dict)

    @property
    def world(self) -> World:
        """To make drafts ready."""
        return World(self.other.api, self.behind)

    def example(self, name: str, scenario: Scenario) -> Example:
        """The scenario undisturbed, done once."""
        if name not in self.examples:
            self.examples[name] = self._undisturbed(scenario)
        return self.examples[name]

    def _undisturbed(self, scenario: Scenario) -> Example:
        case, request = scenario.prepare(self.world), uuid.uuid4().hex
        before = self.picture(case)
        self._expect([case])
        answer = case.asked.of(self.one.api, request)
        after = self.picture(case, answer=answer)
        return Example(self.one.wires.calls[request], after.pop("answer"), before, after)

    def picture(self, case: Case, **further: Any) -> Picture:
        """What there is of a case."""
        return picture(self.behind, case.draft_id, case.plan_id, case.names, **further)

    def strike(self, name: str, scenario: Scenario) -> list[Struck]:
        """A draft for each point, and what became of its request there."""
        example = self.example(name, scenario)
        cases = each_of(lambda _: scenario.prepare(self.world), example.points)
        moves = self._expect(cases)
        by_request = {uuid.uuid4().hex: each for each in zip(example.points, cases, strict=True)}
        dead = {request: point for request, (point, _) in by_request.items() if point.mode is not Mode.CUT}
        asked = {request: case.asked for request, (_, case) in by_request.items()}
        assert stop_requests(self.struck, dead, asked, moves) == set(dead)
        self.one.wires.points |= {request: point for request, (point, _) in by_request.items() if request not in dead}
        alive = [request for request in by_request if request not in dead]
        told = dict(zip(alive, each_of(lambda request: asked[request].of(self.one.api, request), alive), strict=True))
        assert self.one.wires.met >= set(alive)
        return [Struck(point, case, told.get(request)) for request, (point, case) in by_request.items()]

    def _expect(self, cases: Sequence[Case]) -> Moves:
        """Let the store move in these cases, whichever replica brings it on."""
        expected = tuple(move for case in cases for move in case.moves)
        # with user and password: a replica that ends with its process asks by this alone
        engine = str(self.behind.engine.base_url).rstrip("/")
        moves = Moves(engine, self.living.aidbox_url, expected)
        self.one.wires.meddle = self.other.wires.meddle = moves.after
        return moves

    def ask_again(self, struck: Sequence[Struck]) -> list[Picture]:
        """The same of another replica; the answers are in the pictures."""

        def ask(each: Struck) -> Picture:
            answer = each.case.asked.of(self.other.api, uuid.uuid4().hex)
            return self.picture(each.case, answer=answer)

        return each_of(ask, struck)

    def leave_to_a_worker(self, struck: Sequence[Struck]) -> list[Picture]:
        """What becomes of them when nobody asks again."""
        self.let_work(self.nothing_is_left([each.case.draft_id for each in struck]))
        return each_of(lambda each: self.picture(each.case), struck)

    def let_work(self, is_over: Callable[[], bool]) -> None:
        """A replica with a worker runs until it is over."""
        working = self.living.model_copy(update={"worker": True, "worker_concurrency": SIDE_BY_SIDE})
        with Replica.serving(working, self.other.wires.meddle):
            until(is_over)

    def nothing_is_left(self, draft_ids: Sequence[str]) -> Callable[[], bool]:
        """Tells whether the processes these drafts have now wait for nothing of ours, but for what gave up."""
        processes = [process for draft_id in draft_ids for process in self.behind.active(draft_id)]
        return lambda: all(task["retries"] == 0 for task in self.behind.external_tasks(*processes))


def until(holds: Callable[[], bool]) -> None:
    """Look now and then until it holds."""
    begun = monotonic()
    while not holds():
        assert monotonic() - begun < LONGEST_WAIT, "it never came to be"
        sleep(0.02)


def each_of(work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """The results, several worked out side by side."""
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        return list(pool.map(work, items))
