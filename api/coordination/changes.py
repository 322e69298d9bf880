"""What changed between two plans, field by field, as a reviewer reads it. Pure. Used by schema/changes.py.

`meta`, `id` and `resourceType` do not count, nor do null and empty parts, which FHIR does not know. Numbers compare
digit by digit. What both sides changed, and how that is merged, is in merging.py.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Any, TypeVar

from api.coordination.documents import MAX_DEPTH
from api.coordination.matching import Key, Object, canonical, is_objects, keyed
from api.errors import Refused, UserErrorCode

NOT_COUNTED = ("resourceType", "id", "meta")
NARRATIVE = ("text",)  # generated from the rest, so it is one thing
MOST_ENTRIES = 500
SMALL_PART = 12  # values; a part with more, new or gone as a whole, is told by its own parts
LONGEST_KEY = 80
LONGEST_WORDS = 40
MORE = "…"  # the path of the entry that stands for those left out
ORDER: Key = (("", "order"),)

Step = str | Key
Steps = tuple[Step, ...]
Name = TypeVar("Name")

_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PLAIN_VALUE = re.compile(r"[^\s\[\]=,\"](?:[^\[\]=,\"\n]*[^\s\[\]=,\"])?")
_NEW_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class Kind(StrEnum):
    """Each is described in the schema (`schema/changes.py`)."""

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

    @property
    def label(self) -> str:
        """What it is called."""
        return f"And {self.left_out} more" if self.left_out else label(self.steps)


def changes(
    before: Mapping[str, Any] | None, after: Mapping[str, Any] | None, *, at_most: int = MOST_ENTRIES
) -> list[Change]:
    """What leads from one plan to the other, in the order of the fields; no plan at all is None.

    What is more than `at_most` is one last entry that counts it. A change of order counts for elements that stay,
    not where new ones are put in. Raises Refused (INVALID_PLAN) for documents nested deeper than MAX_DEPTH.
    """
    found = _differences(content(before), content(after), ())
    told = list(islice(found, at_most))
    left_out = sum(1 for _ in found)
    return [*told, Change((), Kind.CHANGED, None, None, left_out)] if left_out else told


def content(document: Mapping[str, Any] | None) -> Object:
    """What counts of a document: without NOT_COUNTED, null and empty parts. Raises Refused (INVALID_PLAN)."""
    counted = {name: value for name, value in (document or {}).items() if name not in NOT_COUNTED}
    pruned: Object = _pruned(counted, MAX_DEPTH)
    return pruned


def _pruned(value: Any, levels: int) -> Any:
    if not isinstance(value, dict | list):
        return value
    if levels == 0:
        raise Refused(UserErrorCode.INVALID_PLAN, f"The plan is nested deeper than {MAX_DEPTH} levels.")
    if isinstance(value, list):
        kept = [_pruned(item, levels - 1) for item in value]
        return [item for item in kept if item] if is_objects(kept) else kept
    items = ((name, _pruned(item, levels - 1)) for name, item in value.items())
    return {name: item for name, item in items if item is not None and item not in ({}, [])}


def _differences(before: Any, after: Any, steps: Steps) -> Iterator[Change]:
    if same(before, after):
        return
    if before is None or after is None:
        yield from _whole(before, after, steps)
    elif isinstance(before, dict) and isinstance(after, dict) and steps != NARRATIVE:
        for name in names(before, after):
            yield from _differences(before.get(name), after.get(name), (*steps, name))
    elif is_objects(before) and is_objects(after):
        yield from _differences_of_lists(before, after, steps)
    else:
        yield Change(steps, Kind.CHANGED, before, after)


def _differences_of_lists(before: list[Object], after: list[Object], steps: Steps) -> Iterator[Change]:
    old, new = keyed([before, after])
    for key in names(old, new):
        yield from _differences(old.get(key), new.get(key), (*steps, key))
    stayed = [[key for key in one if key in other] for one, other in ((old, new), (new, old))]
    if stayed[0] != stayed[1]:
        was, now = ([shown(key) for key in keys] for keys in stayed)
        yield Change((*steps, ORDER), Kind.CHANGED, was, now)


def _whole(before: Any, after: Any, steps: Steps) -> Iterator[Change]:
    """A part that is new or gone as a whole: one entry if it is small, else its parts."""
    part = after if before is None else before
    parts: Iterable[tuple[Step, Any]] = ()
    if is_objects(part):
        parts = keyed([part])[0].items()
    elif isinstance(part, dict) and steps != NARRATIVE and _is_big(part):
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


def same(one: Any, other: Any) -> bool:
    """Whether two values are written alike: 1500.00 and 1500.0 are not, nor are 1 and true."""
    return one is other or canonical(one) == canonical(other)


def names(*parts: Mapping[Name, Any]) -> list[Name]:
    """The names in any of the parts, once each, in the order they come."""
    return list(dict.fromkeys(name for part in parts for name in part))


# Words for people


def path(steps: Steps) -> str:
    """Where it is: `plan[type=Gold].generalCost[type=deductible,groupSize=1].cost.value`. Unique in its document."""
    return "".join(_path_step(step) for step in steps).removeprefix(".")


def _path_step(step: Step) -> str:
    if isinstance(step, str):
        return f".{step}" if _PLAIN_NAME.fullmatch(step) else f"[{json.dumps(step)}]"
    return f"[{shown(step)}]"


def shown(key: Key) -> str:
    """An element's key as it stands in a path."""
    if not key:
        return "0"
    return ",".join(f"{field}={_value(said)}" if field else said for field, said in key)


def _value(said: str) -> str:
    if len(said) > LONGEST_KEY:
        said = f"{said[:LONGEST_KEY]}…{hashlib.sha256(said.encode()).hexdigest()[:8]}"
    return said if _PLAIN_VALUE.fullmatch(said) else json.dumps(said, ensure_ascii=False)


def label(steps: Steps) -> str:
    """The same in a few words, from the last two elements on: `General cost deductible, group size 1 › cost value`."""
    elements: list[str] = []
    fields: list[str] = []
    for step in steps:
        if isinstance(step, str):
            fields += [word for word in [_words(step)] if [word] != fields[-1:]]
        else:
            elements.append(" ".join([*fields, _key_words(step)]))
            fields = []
    said = " › ".join(part for part in (*elements[-2:], " ".join(fields)) if part)
    return said[:1].upper() + said[1:]


def _words(name: str) -> str:
    return _NEW_WORD.sub(" ", name).lower()


def _key_words(key: Key) -> str:
    if key == ORDER:
        return "order"
    if not key or not key[0][0]:
        return str(int(key[0][1] if key else 0) + 1)
    return ", ".join(_said_words(field, said) for field, said in key)


def _said_words(field: str, said: str) -> str:
    if field == "groupSize":
        return f"group size {said}"
    text = said.rstrip("/").rsplit("/", 1)[-1] if field in ("system", "url") else said
    return text if len(text) <= LONGEST_WORDS else f"{text[:LONGEST_WORDS]}…"
