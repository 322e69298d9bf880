"""Two plans that both go back to a third: what both changed, and the one plan that has the changes of both.

A three-way merge, pure. Fields and elements are matched as in changes.py.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from plandiff.changes import (
    AMOUNTS,
    MORE,
    MOST_ENTRIES,
    NARRATIVE,
    USUAL,
    Place,
    Terms,
    Way,
    content,
    indexes,
    names,
    pointer,
)
from plandiff.labels import ORDER, Steps, is_set, path, shown
from plandiff.matching import Key, Object, is_objects, keyed
from plandiff.plan_document import with_uncounted

CONCEPT = {"coding", "text"}


class Side(StrEnum):
    """Which of two values is taken: the draft's or the store's."""

    MINE = "MINE"
    THEIRS = "THEIRS"


@dataclass(frozen=True)
class Conflict:
    """A field that both sides changed, to different values; None is where there is nothing.

    `place`: its names and indexes in my document, in theirs where it is gone from mine.
    """

    steps: Steps
    base: Any
    mine: Any
    theirs: Any
    left_out: int = 0
    place: Place = ()

    @property
    def path(self) -> str:
        """Where it is, by which a choice names it; MORE for the entry that stands for others."""
        return MORE if self.left_out else path(self.steps)

    @property
    def pointer(self) -> str:
        """Where it is by RFC 6901, in my document, in theirs where it is gone from mine."""
        return pointer(self.place)

    @property
    def is_precision_only(self) -> bool:
        """Whether both sides have the same amounts, written with other digits: 3000.0 and 3000.00."""
        return not self.left_out and AMOUNTS.same(self.mine, self.theirs)


@dataclass(frozen=True)
class Merged:
    """Their plan with my changes. `conflicts` are those nobody decided; their side stands there."""

    document: Object
    conflicts: list[Conflict]
    paths: frozenset[str]
    """Of all conflicts, decided or not."""


Document = Mapping[str, Any] | None


class Means(NamedTuple):
    """What a merge is done with: who decides a conflict, and how documents are compared."""

    decide: Callable[[Conflict], Any]
    terms: Terms


def conflicts(base: Document, mine: Document, theirs: Document, *, terms: Terms = USUAL) -> list[Conflict]:
    """What both sides changed since the base, to different values. Raises InvalidPlan as `changes` does."""
    return merge(base, mine, theirs, terms=terms).conflicts


def bounded(found: list[Conflict], *, at_most: int = MOST_ENTRIES) -> list[Conflict]:
    """The first of the conflicts; what is more than `at_most` is one last entry that counts it."""
    left_out = len(found) - at_most
    return [*found[:at_most], Conflict((), None, None, None, left_out)] if left_out > 0 else found


def merge(
    base: Document, mine: Document, theirs: Document, choices: Mapping[str, Side] | None = None,
    *, otherwise: Side | None = None, terms: Terms = USUAL,
) -> Merged:  # fmt: skip
    """My changes since the base, applied to theirs; `choices` by path decide conflicts, `otherwise` all the others.

    An object of plain values alone (Money, Quantity, Period, Coding …) and a CodeableConcept mean what they say
    together: each side changing another part of one is a conflict about all of it. What does not count in a plan
    (see `plan_document.counted`) is mine. Raises InvalidPlan as `changes` does.
    """
    left: list[Conflict] = []
    paths: set[str] = set()

    def decide(conflict: Conflict) -> Any:
        paths.add(conflict.path)
        side = (choices or {}).get(conflict.path, otherwise)
        if side is None:
            left.append(conflict)
        return conflict.mine if side is Side.MINE else conflict.theirs

    three = [content(each) for each in (base, mine, theirs)]
    merged = _merged(three[0], three[1], three[2], Way(), Means(decide, terms)) or {}
    return Merged(with_uncounted(merged, mine or theirs or {}), left, frozenset(paths))


def _merged(base: Any, mine: Any, theirs: Any, way: Way, means: Means) -> Any:
    """The value all of it comes to; None when it is gone. `way`: its place in theirs (before) and in mine (after)."""
    same = means.terms.same
    # 1. Both say the same, or only they changed it: theirs. Only I changed it: mine. Nothing to decide.
    if same(mine, theirs) or same(base, mine):
        return theirs
    if same(base, theirs):
        return mine
    # 2. Both changed it: the change may be in different parts, which are merged one by one; but not in what means
    #    something only as a whole, where each side's half would be a value that nobody wrote.
    if isinstance(mine, dict) and isinstance(theirs, dict) and way.steps != NARRATIVE:
        if not (way.steps and _is_one_thing(mine, theirs, means.terms)):
            return _merged_fields(base if isinstance(base, dict) else {}, mine, theirs, way, means)
    elif is_objects(mine) and is_objects(theirs):
        return _merged_lists(base if is_objects(base) else [], mine, theirs, way, means)
    # 3. A value that both changed: a conflict. None on one side is a removal.
    place = way.before if mine is None else way.after
    return means.decide(Conflict(way.steps, base, mine, theirs, place=place))


def _is_one_thing(mine: Object, theirs: Object, terms: Terms) -> bool:
    """Whether two objects must not be mixed: they belong together, and differ in more than one field."""
    fields = names(theirs, mine)
    is_flat = not any(isinstance(value, dict | list) for part in (mine, theirs) for value in part.values())
    differing = sum(not terms.same(mine.get(field), theirs.get(field)) for field in fields)
    return (is_flat or CONCEPT.issuperset(fields)) and differing > 1


def _merged_fields(base: Object, mine: Object, theirs: Object, way: Way, means: Means) -> Object | None:
    merged = {
        name: _merged(base.get(name), mine.get(name), theirs.get(name), way.field(name), means)
        for name in names(theirs, mine)
    }
    return {name: value for name, value in merged.items() if value is not None} or None


def _merged_lists(
    base: list[Object], mine: list[Object], theirs: list[Object], way: Way, means: Means
) -> list[Object] | None:
    before, ours, others = keyed([base, mine, theirs])
    in_mine, in_theirs = indexes(mine, ours), indexes(theirs, others)
    ways = {key: way.element(key, in_theirs.get(key), in_mine.get(key)) for key in names(others, ours)}
    merged = {key: _merged(before.get(key), ours.get(key), others.get(key), ways[key], means) for key in ways}
    kept = {key: value for key, value in merged.items() if value is not None}
    # Of all that both have, whatever becomes of it: what is a conflict must not depend on how others are decided.
    leading = _order(list(before), list(ours), list(others), way, means)
    return [kept[key] for key in _woven(leading, list(ours), list(others)) if key in kept] or None


def _order(before: list[Key], mine: list[Key], theirs: list[Key], way: Way, means: Means) -> list[Key]:
    """The order of the elements that both sides have: that of the side that changed it."""
    mine_shared, theirs_shared = _shared(mine, theirs), _shared(theirs, mine)
    if mine_shared == theirs_shared or is_set(way.steps):
        return theirs_shared
    if _is_moved(before, mine) != _is_moved(before, theirs):
        return mine_shared if _is_moved(before, mine) else theirs_shared
    was, ours, others = (
        [shown(key) for key in keys] for keys in (_shared(before, mine_shared), mine_shared, theirs_shared)
    )
    conflict = Conflict((*way.steps, ORDER), was, ours, others, place=way.after)
    return mine_shared if means.decide(conflict) is conflict.mine else theirs_shared


def _is_moved(before: list[Key], now: list[Key]) -> bool:
    return _shared(before, now) != _shared(now, before)


def _shared(keys: list[Key], others: list[Key]) -> list[Key]:
    known = set(others)
    return [key for key in keys if key in known]


def _woven(leading: list[Key], mine: list[Key], theirs: list[Key]) -> list[Key]:
    """The shared elements in their order, each followed by what either side has after it."""
    shared = set(leading)
    runs = [_runs(keys, shared) for keys in (mine, theirs)]
    order: list[Key] = []
    for anchor in (None, *leading):
        order += [] if anchor is None else [anchor]
        for run in sorted(side.get(anchor, []) for side in runs):
            order += run
    return order


def _runs(keys: list[Key], shared: set[Key]) -> dict[Key | None, list[Key]]:
    """The elements that one side has alone, by the shared one they follow."""
    runs: dict[Key | None, list[Key]] = {}
    anchor: Key | None = None
    for key in keys:
        if key in shared:
            anchor = key
        else:
            runs.setdefault(anchor, []).append(key)
    return runs
