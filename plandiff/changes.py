"""Changes between two plans, field by field, as a reviewer reads them: `changes`. Pure.

What does not count: `id` and `resourceType`; of `meta` what the store writes itself; a narrative that is generated from
the rest; null and empty parts, which FHIR does not have. Numbers compare digit by digit.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Any, TypeVar

from plandiff.labels import ORDER, Steps, is_set, path, shown
from plandiff.matching import Key, Object, canonical, is_objects, keyed
from plandiff.plan_document import MAX_DEPTH, InvalidPlan, counted

NARRATIVE = ("text",)  # written for people as a whole, so it is one thing
META = ("meta",)
MOST_ENTRIES = 500
SMALL_PART = 12  # values; a larger part, new or gone as a whole, is listed by its own parts
MORE = "…"  # the path of the entry that stands for those left out

Name = TypeVar("Name")
Place = tuple[str | int, ...]  # names of fields and indexes of lists, as in a JSON pointer


class Objects(list[Any]):
    """A list of objects without its empty ones; `places`: where each stands in the list as it was written."""

    places: list[int]


class Kind(StrEnum):
    """What became of a field or part."""

    ADDED = "ADDED"
    REMOVED = "REMOVED"
    CHANGED = "CHANGED"


@dataclass(frozen=True)
class Change:
    """One entry. `steps` lead to the field; None is where there is nothing. `left_out` counts what it stands for.

    `place`: the same way by names and indexes, in `before` for a removal, else in `after`. `new_from`: how many of the
    steps lead to the part that is new or gone as a whole; None for a change inside what both have.
    """

    steps: Steps
    kind: Kind
    before: Any
    after: Any
    left_out: int = 0
    place: Place = ()
    new_from: int | None = None

    @property
    def path(self) -> str:
        """Where it is; MORE for the entry that stands for others."""
        return MORE if self.left_out else path(self.steps)

    @property
    def pointer(self) -> str:
        """Where it is by RFC 6901, in `before` for a removal, else in `after`."""
        return pointer(self.place)

    @property
    def is_precision_only(self) -> bool:
        """Whether the same amounts are written with other digits: 3000.0 → 3000.00."""
        return self.kind is Kind.CHANGED and not self.left_out and AMOUNTS.same(self.before, self.after)


@dataclass(frozen=True)
class Terms:
    """How documents are compared. With `keeps_digits` false, for a store that rewrites numbers, amounts count alone."""

    keeps_digits: bool = True

    def same(self, one: Any, other: Any) -> bool:
        """Whether two values are written alike: 1500.00 and 1500.0 are not, nor are 1 and true."""
        return (
            one is other
            or canonical(one) == canonical(other)
            or (not self.keeps_digits and canonical(one, keeps_digits=False) == canonical(other, keeps_digits=False))
        )


USUAL = Terms()
AMOUNTS = Terms(keeps_digits=False)


def changes(
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
    *,
    at_most: int = MOST_ENTRIES,
    terms: Terms = USUAL,
) -> list[Change]:
    """What leads from one plan to the other, in the order of the fields; no plan at all is None.

    What is more than `at_most` is one last entry that counts it. A change of order counts for elements that stay,
    not where new ones are put in. Raises InvalidPlan for documents nested deeper than MAX_DEPTH.
    """
    return limited(_differences(content(before), content(after), Way(), terms), at_most)


def pointer(place: Place) -> str:
    """A JSON pointer (RFC 6901)."""
    return "".join(f"/{str(each).replace('~', '~0').replace('/', '~1')}" for each in place)


def limited(found: Iterable[Change], at_most: int) -> list[Change]:
    """The first of the changes; what is more than `at_most` is one last entry that counts it."""
    each = iter(found)
    listed = list(islice(each, at_most))
    left_out = sum(1 for _ in each)
    return [*listed, Change((), Kind.CHANGED, None, None, left_out)] if left_out else listed


def content(document: Mapping[str, Any] | None) -> Object:
    """What counts of a document, without null and empty parts. Raises InvalidPlan."""
    pruned: Object = _pruned(counted(document or {}), MAX_DEPTH)
    return pruned


def _pruned(value: Any, levels: int) -> Any:
    if not isinstance(value, dict | list):
        return value
    if levels == 0:
        raise InvalidPlan(f"The plan is nested deeper than {MAX_DEPTH} levels.")
    if isinstance(value, list):
        pruned = [_pruned(item, levels - 1) for item in value]
        if not is_objects(pruned):
            return pruned
        objects = Objects(item for item in pruned if item)
        objects.places = [place for place, item in enumerate(pruned) if item]
        return objects
    items = ((name, _pruned(item, levels - 1)) for name, item in value.items())
    return {name: item for name, item in items if item is not None and item not in ({}, [])}


@dataclass(frozen=True)
class Way:
    """How a part is reached: by steps, and by its place in each document."""

    steps: Steps = ()
    before: Place = ()
    after: Place = ()

    def field(self, name: str) -> "Way":
        """On to a field of an object."""
        return Way((*self.steps, name), (*self.before, name), (*self.after, name))

    def element(self, key: Key, before: int | None, after: int | None) -> "Way":
        """On to an element of a list, which stands at these indexes. Sets of `meta` have an order of their own."""
        if is_set(self.steps):
            return Way((*self.steps, key), self.before, self.after)
        places = ((*self.before, before or 0), (*self.after, after or 0))
        return Way((*self.steps, key), *places)

    def change(self, kind: Kind, before: Any, after: Any, new_from: int | None = None) -> Change:
        """The entry of this part."""
        place = self.before if kind is Kind.REMOVED else self.after
        return Change(self.steps, kind, before, after, place=place, new_from=new_from)


def _differences(before: Any, after: Any, way: Way, terms: Terms) -> Iterator[Change]:
    if terms.same(before, after):
        return
    if before is None or after is None:
        yield from _whole(before, after, way, len(way.steps))
    elif isinstance(before, dict) and isinstance(after, dict) and way.steps != NARRATIVE:
        for name in names(before, after):
            yield from _differences(before.get(name), after.get(name), way.field(name), terms)
    elif is_objects(before) and is_objects(after):
        yield from _differences_of_lists(before, after, way, terms)
    else:
        yield way.change(Kind.CHANGED, before, after)


def _differences_of_lists(before: list[Object], after: list[Object], way: Way, terms: Terms) -> Iterator[Change]:
    old, new = keyed([before, after])
    was_at, is_at = (indexes(*each) for each in ((before, old), (after, new)))
    for key in names(old, new):
        on = way.element(key, was_at.get(key), is_at.get(key))
        yield from _differences(old.get(key), new.get(key), on, terms)
    stayed = [[key for key in one if key in other] for one, other in ((old, new), (new, old))]
    if stayed[0] != stayed[1] and not is_set(way.steps):
        was, now = ([shown(key) for key in keys] for keys in stayed)
        yield Change((*way.steps, ORDER), Kind.CHANGED, was, now, place=way.after)


def indexes(objects: list[Object], keys: Iterable[Key]) -> dict[Key, int]:
    """Each element's index in the list as it was written; keys come in the elements' order."""
    return dict(zip(keys, getattr(objects, "places", range(len(objects))), strict=True))


def _whole(before: Any, after: Any, way: Way, new_from: int) -> Iterator[Change]:
    """A part that is new or gone as a whole: one entry if it is small, else its parts."""
    part = after if before is None else before
    parts: Iterable[tuple[Way, Any]] = ()
    if is_objects(part):
        elements = keyed([part])[0]
        places = indexes(part, elements)
        parts = [(way.element(key, places[key], places[key]), inner) for key, inner in elements.items()]
    elif isinstance(part, dict) and way.steps != NARRATIVE and (way.steps == META or _is_big(part)):
        parts = [(way.field(name), inner) for name, inner in part.items()]
    for on, inner in parts:
        old, new = (None, inner) if before is None else (inner, None)
        yield from _whole(old, new, on, new_from)
    if not parts:
        yield way.change(Kind.ADDED if before is None else Kind.REMOVED, before, after, new_from)


def _is_big(part: Any) -> bool:
    return next(islice(_values(part), SMALL_PART, None), None) is not None


def _values(part: Any) -> Iterator[bool]:
    if isinstance(part, dict | list):
        for inner in part.values() if isinstance(part, dict) else part:
            yield from _values(inner)
    else:
        yield True


def names(*parts: Mapping[Name, Any]) -> list[Name]:
    """The names in any of the parts, once each, in the order they come."""
    return list(dict.fromkeys(name for part in parts for name in part))
