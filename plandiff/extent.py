"""How far many changes go, for rules that choose reviewers by them: their areas, and by how much costs change. Pure.

A rule must never take a change for a lighter one than it is. So a part that is new or gone counts for whatever it
contains, a field without a subject is OTHER rather than wording, and a percentage is given only where it covers every
cost that changed.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from math import isfinite
from typing import Any, TypeGuard

from plandiff.changes import Change
from plandiff.labels import Steps
from plandiff.matching import Key, canonical
from plandiff.summary import COST, OTHER, REST, SUBJECTS, WORDING, subject

AMOUNTS = ("cost", "value")  # of a general cost, and of a benefit's: Money and Quantity
GENERAL_COST, PREMIUM = "generalCost", "premium"


@dataclass(frozen=True)
class Extent:
    """`changed`: entries, without those that only write an amount in other digits. `areas`: some of AREAS, sorted.

    `cost_percent`: the relative change of the cost amount that changed most, in percent, -20.0 for a fifth less; 0.0
    when none did. None when a cost changed in a way that no percentage tells: it is new or gone, was zero before, or
    has another currency, unit or group size. `premium_percent`: the same of general costs whose type says premium.
    """

    changed: int
    areas: tuple[str, ...]
    cost_percent: float | None
    premium_percent: float | None


def extent(found: Iterable[Change]) -> Extent:
    """The extent of all changes between two plans."""
    areas = [(each, _areas(each)) for each in found if not each.is_precision_only]
    costs = [each for each, among in areas if COST in among]
    return Extent(
        changed=len(areas),
        areas=tuple(sorted({area for _, among in areas for area in among})),
        cost_percent=_percent(costs),
        premium_percent=_percent(each for each in costs if _is_of_premium(each)),
    )


def _areas(change: Change) -> set[str]:
    """The area of the changed field, and the areas of what is new or gone with it."""
    rank, _ = subject(change.steps)
    own = (*(each.area for each in SUBJECTS), *(area for _, area in REST))[rank]
    inside = {name for part in _parts(change) for name in part}
    areas = {each.area for each in SUBJECTS if not inside.isdisjoint(each.fields)} - {OTHER}
    return {own} | (areas if own != WORDING else set())


def _percent(costs: Iterable[Change]) -> float | None:
    """The largest of the relative changes; None when one of them is unknown."""
    percents = [percent for each in costs if (percent := _relative(each)) != 0.0]
    known = [percent for percent in percents if percent is not None]
    return max(known, key=abs, default=0.0) if len(known) == len(percents) else None


def _relative(change: Change) -> float | None:
    """By how many percent an amount changed; 0.0 for what is no amount, such as a comment; None where none tells."""
    before, after = change.before, change.after
    if change.steps[-1] == "value" and _is_number(before) and _is_number(after):
        # by way of Decimal, which makes infinity of what is too large for a float
        old, new = float(Decimal(before)), float(Decimal(after))
        percent = (new - old) / abs(old) * 100 if old else float("inf")
        return round(percent, 4) if isfinite(percent) else None
    is_amount = _field_of_element(change.steps) in AMOUNTS or any(map(_is_number, _values((before, after))))
    return None if is_amount else 0.0


def _field_of_element(steps: Steps) -> object:
    """The field, of the innermost element, that a change is in; None for a whole element."""
    start = max((place + 1 for place, step in enumerate(steps) if isinstance(step, Key)), default=0)
    return steps[start] if start < len(steps) else None


def _is_of_premium(change: Change) -> bool:
    """Whether a change is in a general cost that is a premium by its type, or such a one is new or gone with it."""
    pairs = zip(change.steps, change.steps[1:], strict=False)
    on_its_way = [step.element for name, step in pairs if name == GENERAL_COST and isinstance(step, Key)]
    inside = [each for part in _parts(change) for each in part.get(GENERAL_COST) or () if isinstance(each, dict)]
    types = (canonical(each.get("type")).decode().casefold() for each in (*on_its_way, *inside))
    return any(PREMIUM in each for each in types)


def _parts(change: Change) -> Iterator[dict[str, Any]]:
    """The objects in what was and what is there."""
    return (each for each in _values((change.before, change.after)) if isinstance(each, dict))


def _values(value: Any) -> Iterator[Any]:
    """A value, and the values in it at any depth."""
    yield value
    if isinstance(value, dict | list | tuple):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _values(inner)


def _is_number(value: object) -> TypeGuard[int | Decimal]:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)
