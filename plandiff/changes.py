"""Changes between two plans, field by field, as a reviewer reads them: `changes`. Pure.

What does not count: `id` and `resourceType`; of `meta` what the store writes itself; a narrative that is generated from
the rest; null and empty parts, which FHIR does not have. Numbers compare digit by digit.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Any, TypeVar

from plandiff.labels import ORDER, Step, Steps, is_set, path, shown
from plandiff.matching import Object, canonical, is_objects, keyed
from plandiff.plan_document import MAX_DEPTH, InvalidPlan, counted

NARRATIVE = ("text",)  # written for people as a whole, so it is one thing
META = ("meta",)
MOST_ENTRIES = 500
SMALL_PART = 12  # values; a larger part, new or gone as a whole, is listed by its own parts
MORE = "…"  # the path of the entry that stands for those left out

Name = TypeVar("Name")


class Kind(StrEnum):
    """What became of a field or part."""

    ADDED = "ADDED"
    REMOVED = "REMOVED"
    CHANGED = "CHANGED"


@dataclass(frozen=True)
class Change:
    """One entry. `steps` lead to the field; None is where there is nothing. `left_out` counts what it stands for."""

    steps: Steps
    kind: Kind
    before: Any
    after: Any
    left_out: int = 0

    @property
    def path(self) -> str:
        """Where it is; MORE for the entry that stands for others."""
        return MORE if self.left_out else path(self.steps)


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
    found = _differences(content(before), content(after), (), terms)
    listed = list(islice(found, at_most))
    left_out = sum(1 for _ in found)
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
        kept = [_pruned(item, levels - 1) for item in value]
        return [item for item in kept if item] if is_objects(kept) else kept
    items = ((name, _pruned(item, levels - 1)) for name, item in value.items())
    return {name: item for name, item in items if item is not None and item not in ({}, [])}


def _differences(before: Any, after: Any, steps: Steps, terms: Terms) -> Iterator[Change]:
    if terms.same(before, after):
        return
    if before is None or after is None:
        yield from _whole(before, after, steps)
    elif isinstance(before, dict) and isinstance(after, dict) and steps != NARRATIVE:
        for name in names(before, after):
            yield from _differences(before.get(name), after.get(name), (*steps, name), terms)
    elif is_objects(before) and is_objects(after):
        yield from _differences_of_lists(before, after, steps, terms)
    else:
        yield Change(steps, Kind.CHANGED, before, after)


def _differences_of_lists(before: list[Object], after: list[Object], steps: Steps, terms: Terms) -> Iterator[Change]:
    old, new = keyed([before, after])
    for key in names(old, new):
        yield from _differences(old.get(key), new.get(key), (*steps, key), terms)
    stayed = [[key for key in one if key in other] for one, other in ((old, new), (new, old))]
    if stayed[0] != stayed[1] and not is_set(steps):
        was, now = ([shown(key) for key in keys] for keys in stayed)
        yield Change((*steps, ORDER), Kind.CHANGED, was, now)


def _whole(before: Any, after: Any, steps: Steps) -> Iterator[Change]:
    """A part that is new or gone as a whole: one entry if it is small, else its parts."""
    part = after if before is None else before
    parts: Iterable[tuple[Step, Any]] = ()
    if is_objects(part):
        parts = keyed([part])[0].items()
    elif isinstance(part, dict) and steps != NARRATIVE and (steps == META or _is_big(part)):
        parts = part.items()
    for step, inner in parts:
        old, new = (None, inner) if before is None else (inner, None)
        yield from _whole(old, new, (*steps, step))
    if not parts:
        yield Change(steps, Kind.ADDED if before is None else Kind.REMOVED, before, after)


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
