"""Which element of a list is which, in several documents at once: by what identifies it in FHIR before by position.

Pure. Used by changes.py for two documents (before and after) and for three (base, mine, theirs).
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal
from itertools import count
from typing import Any, TypeGuard, TypeVar

import msgspec

Object = dict[str, Any]
Key = tuple[tuple[str, str], ...]
"""What tells an element from its neighbours: (field, value) pairs. A number among equals has no field."""

# The first that all elements of a list have names them. The others tell apart those it leaves alike.
NAMING = ("id", "url", "identifier", "system", "type", "category", "purpose", "code")
TELLING_APART = (
    "groupSize", "applicability", "qualifiers", "use", "value", "coding", "text", "reference", "display", "name",
    "type.text", "category.text", "code.text",
)  # fmt: skip
# Where a value of FHIR's own types says what it is: CodeableConcept, Coding, Reference, Identifier.
SAYING = ("coding", "code", "reference", "identifier", "value", "text", "display")
DEEPEST_SAYING = 4

_canonical = msgspec.json.Encoder(decimal_format="number", order="sorted")
_exact = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN)  # rounds nothing
Group = TypeVar("Group", bound=Hashable)


@dataclass(frozen=True)
class _Element:
    document: int
    place: int
    content: Object


def canonical(value: object, *, keeps_digits: bool = True) -> bytes:
    """JSON that is equal for values that count as equal: key order does not count, each digit of a number does.

    With `keeps_digits` false, for what comes from a store that rewrites numbers, 1500, 1500.0 and 1500.00 are equal.
    """
    return _canonical.encode(value if keeps_digits else _without_scale(value))


def _without_scale(value: object) -> object:
    """The value with each number in the shortest form of its amount."""
    match value:
        case dict():
            return {name: _without_scale(part) for name, part in value.items()}
        case list():
            return [_without_scale(part) for part in value]
        case Decimal() | int() if not isinstance(value, bool):
            return _exact.normalize(Decimal(value)) if value else 0
    return value


def is_objects(value: object) -> TypeGuard[list[Object]]:
    """Whether it is a list whose elements can be told apart, not one of plain values."""
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


def keyed(documents: Sequence[Sequence[Object]]) -> list[dict[Key, Object]]:
    """For each document its elements by key, in its own order. One key is one element in all of them."""
    elements = [
        _Element(document, place, content)
        for document, contents in enumerate(documents)
        for place, content in enumerate(contents)
    ]
    present = {name for element in elements for name in element.content}
    telling = [field for field in (*NAMING, *TELLING_APART) if field.partition(".")[0] in present]
    common = next(
        (field for field in NAMING if field in present and all(_said(each, field) for each in elements)), None
    )
    found: dict[tuple[int, int], Key] = {}
    for key, group in _grouped(elements, lambda each: _name(each, common)).items():
        used = {field for field, _ in key}
        fields = [field for field in telling if field not in used]
        found |= {(element.document, element.place): exact for exact, element in _refined(group, key, fields)}
    return [
        {found[document, place]: content for place, content in enumerate(contents)}
        for document, contents in enumerate(documents)
    ]


def _name(element: _Element, common: str | None) -> Key:
    """The first part of an element's key: by the field that all have, else by the first it has itself."""
    for field in (common,) if common else NAMING:
        if said := _said(element, field):
            return ((field, said),)
    return ()


def _refined(group: Sequence[_Element], key: Key, fields: Sequence[str]) -> Iterable[tuple[Key, _Element]]:
    """The group's elements with keys as long as it takes to tell them apart within each document."""
    if len({element.document for element in group}) == len(group):
        for element in group:
            yield key, element
        return
    for place, field in enumerate(fields):
        parts = _grouped(group, lambda each, field=field: _said(each, field))  # type: ignore[misc]  # a bound default
        if len(parts) > 1:
            for said, part in parts.items():
                yield from _refined(part, key if said is None else (*key, (field, said)), fields[place + 1 :])
            return
    yield from _numbered(group, key)


def _numbered(group: Sequence[_Element], key: Key) -> Iterable[tuple[Key, _Element]]:
    """Numbers for elements that nothing tells apart: equal ones are the same, the rest go by position."""
    slots: list[set[bytes]] = []
    with_text = [(element, canonical(element.content)) for element in group]
    # After the first, in an order of their content, so that neither of two rivals comes first.
    first, *rivals = _grouped(with_text, lambda each: each[0].document).values()
    for elements in (first, *sorted(rivals, key=lambda each: [text for _, text in each])):
        numbers = _numbers(slots, [text for _, text in elements])
        for (element, text), number in zip(elements, numbers, strict=True):
            slots.extend(set() for _ in range(number + 1 - len(slots)))
            slots[number].add(text)
            yield _with_number(key, number), element


def _numbers(slots: Sequence[set[bytes]], texts: Sequence[bytes]) -> list[int]:
    """A slot for each text of a document: its equal's, rather at its own place, else the first free or a new one."""
    equal = {place: place for place, (text, slot) in enumerate(zip(texts, slots, strict=False)) if text in slot}
    taken = set(equal)
    holding: dict[bytes, list[int]] = defaultdict(list)
    for number in reversed(range(len(slots))):
        for text in slots[number] if number not in taken else ():
            holding[text].append(number)
    for place in [place for place in range(len(texts)) if place not in equal]:
        held = next((number for number in _popped(holding[texts[place]]) if number not in taken), None)
        if held is not None:
            equal[place] = held
            taken.add(held)
    free = (number for number in count() if number not in taken)
    return [equal[place] if place in equal else next(free) for place in range(len(texts))]


def _popped(numbers: list[int]) -> Iterable[int]:
    while numbers:
        yield numbers.pop()


def _with_number(key: Key, number: int) -> Key:
    if not key:
        return (("", str(number)),)
    return key if number == 0 else (*key, ("", str(number + 1)))


def _said(element: _Element, field: str) -> str | None:
    """What an element says of itself in a field, `type.text` also past the coding; None when nothing."""
    name, _, part = field.partition(".")
    value = element.content.get(name)
    if part:
        value = value.get(part) if isinstance(value, dict) else None
    if name == "value" and not isinstance(value, str):
        return None  # an amount is what changes, not what it belongs to
    return _saying(value, DEEPEST_SAYING)


def _saying(value: object, levels: int) -> str | None:
    if isinstance(value, str | int | Decimal):
        return str(value) or None
    if levels == 0:
        return None
    if isinstance(value, list):
        said = [text for item in value if (text := _saying(item, levels - 1))]
        return "+".join(said) or None
    if isinstance(value, dict):
        return next((text for field in SAYING if (text := _saying(value.get(field), levels - 1))), None)
    return None


Item = TypeVar("Item")


def _grouped(items: Iterable[Item], by: Callable[[Item], Group]) -> dict[Group, list[Item]]:
    grouped: dict[Group, list[Item]] = defaultdict(list)
    for item in items:
        grouped[by(item)].append(item)
    return grouped
