"""Seeded schedules: who is held before which of their upstream calls, until whom has come how far.

Used by racing.py. Delays of random length seldom meet where it matters; holding one actor until another has passed
a point does, and the same seed gives the same points again.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from random import Random

LOOK = 0.002  # seconds between two looks whether a hold is over


@dataclass(frozen=True)
class Hold:
    """`who` waits before their call number `before`, until `until` comes to theirs of number `reaches`, or has ended.

    At most `longest` seconds: the other may itself wait for what `who` has locked.
    """

    who: str
    before: int
    until: str
    reaches: int
    longest: float = 1.0


@dataclass
class Schedule:
    """The holds of one round, and how far each actor has come. Asked from the threads of actors and of servers."""

    holds: Sequence[Hold] = ()
    calls: Counter[str] = field(default_factory=Counter)
    ended: set[str] = field(default_factory=set)

    async def turn(self, who: str) -> None:
        """Count a call of this actor's, and wait if it is to be held now."""
        for hold in self._arrived(who):
            until = time.monotonic() + hold.longest
            while not self._over(hold) and time.monotonic() < until:  # noqa: ASYNC110  # the others are other threads
                await asyncio.sleep(LOOK)

    def wait(self, who: str) -> None:
        """The same for an actor that is a thread of the test's."""
        asyncio.run(self.turn(who))

    def end(self, who: str) -> None:
        """This actor has done what it was there for."""
        self.ended.add(who)

    def _arrived(self, who: str) -> list[Hold]:
        self.calls[who] += 1
        return [hold for hold in self.holds if (hold.who, hold.before) == (who, self.calls[who])]

    def _over(self, hold: Hold) -> bool:
        return hold.until in self.ended or self.calls[hold.until] >= hold.reaches


def drawn(seed: int, actors: Sequence[str], *, calls: int) -> Schedule:
    """A schedule for actors that make about so many calls each.

    By turns: the first actor has ended before the others begin; the last has; and twice, each may be held at any
    call until any other has come to any call.
    """
    if seed % 4 < 2:
        ahead = actors[0] if seed % 4 == 0 else actors[-1]
        return Schedule([Hold(who, 1, ahead, NEVER, 10) for who in actors if who != ahead])
    random = Random(seed)  # noqa: S311  # to be had again, not to be secret
    return Schedule([_hold(random, who, actors, calls) for who in actors for _ in range(random.randint(0, 2))])


NEVER = 1_000_000


def _hold(random: Random, who: str, actors: Sequence[str], calls: int) -> Hold:
    other = random.choice([actor for actor in actors if actor != who])
    return Hold(who, random.randint(1, calls), other, random.randint(1, calls))


def past_locks(seed: int, workers: Sequence[str], *, calls: int, lock_seconds: float) -> Schedule:
    """Each worker is held once or twice, for longer than a lock lasts unless the other comes far enough."""
    random = Random(seed)  # noqa: S311  # as above
    longest = 2 * lock_seconds
    holds = [_hold(random, who, workers, calls) for who in workers for _ in range(random.randint(1, 2))]
    return Schedule([replace(hold, reaches=NEVER, longest=random.uniform(lock_seconds, longest)) for hold in holds])


def between(who: str, call: int, other: str, *, longest: float = 20) -> Schedule:
    """`who` stands before that call while all of `other` happens, or after its end if it makes fewer.

    `longest`: seconds that `who` stands, for an `other` that may itself have to wait for it.
    """
    return Schedule([Hold(who, call, other, NEVER, longest), Hold(other, 1, who, call, 20)])


def several(seed: int, verb: str) -> list[str]:
    """The names of two to six actors who do the same."""
    return [f"{verb}-{number}" for number in range(2 + seed * 7 % 5)]
