"""Which element of a list is which, in several documents at once: by what identifies it in FHIR, never by position.

Pure. For two documents (before and after) and for three (base, mine, theirs). Three steps, each for what the one
before leaves open:

1. A key from the element's own naming fields (`type`, `category` …), as long as it takes to tell it apart.
2. Elements that still share their key are paired between documents: equal ones first, in an order that moves as few as
   possible; then those whose children name the same things; then the most alike of those left. Elements whose children
   name other things altogether are never paired.
3. Pairs that share their key get a further part of it from their children (`benefit.type`), at last a number.

Every document is paired with the first one, and what the first does not have is paired among the others; so the result
does not depend on which of two sides is named first. The cost is bounded: see MOST_PAIRS and COMMON.
"""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal
from functools import cached_property
from typing import Any, Self, TypeGuard, TypeVar

import msgspec

Object = dict[str, Any]

# The first that all elements of a list have names them. The others tell apart those it leaves alike.
NAMING = ("id", "url", "identifier", "system", "type", "category", "purpose", "code")
TELLING_APART = (
    "groupSize", "applicability", "qualifiers", "use", "value", "coding", "text", "reference", "display", "name",
    "type.text", "category.text", "code.text",
)  # fmt: skip
# Where a value of FHIR's own types says what it is: CodeableConcept, Coding, Reference, Identifier.
SAYING = ("coding", "code", "reference", "identifier", "value", "text", "display")
DEEPEST_SAYING = 4

MOST_PAIRS = 200_000  # of equal elements that are tried for the longest common order
COMMON = 64  # a value that more elements have says little about which is which, and is not compared
VALUE, PLACE = 64, 1  # how much it counts for likeness that a value is shared, or only that there is one

_canonical = msgspec.json.Encoder(decimal_format="number", order="sorted")
_exact = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN)  # rounds nothing
Item = TypeVar("Item")
Group = TypeVar("Group", bound=Hashable)


class Key(tuple[tuple[str, str], ...]):  # noqa: SLOT001  # a tuple of any length can have none
    """What tells an element from its neighbours: (field, value) pairs. A number among equals has no field.

    Compared by its pairs alone. `element` is one that has this key, for the words that a label takes from it.
    """

    element: Object

    def __new__(cls, pairs: Iterable[tuple[str, str]], element: Object | None = None) -> Self:
        """A key of these pairs."""
        key = super().__new__(cls, pairs)
        key.element = element or {}
        return key


Pairs = tuple[tuple[str, str], ...]
Leaf = tuple[tuple[str, ...], str | None]


@dataclass(frozen=True, eq=False)
class _Element:
    document: int
    place: int
    content: Object

    @cached_property
    def text(self) -> bytes:
        return canonical(self.content)

    @cached_property
    def names(self) -> frozenset[tuple[str, str]]:
        """What its children name: (benefit.type, generic) …"""
        return frozenset(_names_of_children(self.content))

    @cached_property
    def leaves(self) -> frozenset[Leaf]:
        """Its plain values, each with the fields that lead to it; and those fields alone, with None."""
        found = list(_leaves(self.content, ()))
        return frozenset(found) | {(fields, None) for fields, _ in found}

    @cached_property
    def fields(self) -> frozenset[tuple[str, ...]]:
        return frozenset(fields for fields, value in self.leaves if value is None)


Pair = tuple[_Element, _Element]


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
    lists = [
        [_Element(document, place, content) for place, content in enumerate(contents)]
        for document, contents in enumerate(documents)
    ]
    groups = _groups([element for each in lists for element in each])
    alike = {key for key, group in groups.items() if len({element.document for element in group}) < len(group)}
    found = {
        element: Key(key, group[0].content) for key, group in groups.items() if key not in alike for element in group
    }
    if alike:
        key_of = {element: key for key, group in groups.items() for element in group}
        found |= _distinguished(lists, key_of, alike)
    return [{found[element]: element.content for element in each} for each in lists]


# 1. The elements' own naming fields


def _groups(elements: Sequence[_Element]) -> dict[Pairs, list[_Element]]:
    """The elements by keys of their own fields, as long as it takes to tell them apart within each document."""
    present = {name for element in elements for name in element.content}
    telling = [field for field in (*NAMING, *TELLING_APART) if field.partition(".")[0] in present]
    common = next(
        (field for field in NAMING if field in present and all(_said(each.content, field) for each in elements)), None
    )
    found: dict[Pairs, list[_Element]] = {}
    for key, group in _grouped(elements, lambda each: _name(each.content, common)).items():
        used = {field for field, _ in key}
        found |= _refined(group, key, [field for field in telling if field not in used], _said)
    return found


def _name(content: Object, common: str | None = None) -> Pairs:
    """The first part of an element's key: by the field that all have, else by the first it has itself."""
    for field in (common,) if common else NAMING:
        if said := _said(content, field):
            return ((field, said),)
    return ()


def _refined(
    group: Sequence[_Element], key: Pairs, fields: Sequence[str], say: Callable[[Object, str], str | None]
) -> dict[Pairs, list[_Element]]:
    """The group's elements by keys that get longer while there are fields that tell some apart."""
    if len({element.document for element in group}) < len(group):
        for place, field in enumerate(fields):
            parts = _grouped(group, lambda each, field=field: say(each.content, field))  # type: ignore[misc]  # a bound default
            if len(parts) > 1:
                found: dict[Pairs, list[_Element]] = {}
                for said, part in parts.items():
                    longer = key if said is None else (*key, (field, said))
                    found |= _refined(part, longer, fields[place + 1 :], say)
                return found
    return {key: list(group)}


def _said(content: Object, field: str) -> str | None:
    """What an element says of itself in a field, `type.text` also past the coding; None when nothing."""
    name, _, part = field.partition(".")
    value = content.get(name)
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


# 2. Pairs of elements that share their key


def _distinguished(
    lists: Sequence[Sequence[_Element]], key_of: Mapping[_Element, Pairs], alike: set[Pairs]
) -> dict[_Element, Key]:
    """Keys of the elements in groups that their own fields leave alike."""
    first, *others = lists
    pairs = [_pairs(first, each, key_of, alike) for each in others]
    paired = {element for found in pairs for _, element in found}
    if len(others) == 2:
        mine, theirs = ([each for each in side if each not in paired] for side in others)
        pairs.append(_pairs(mine, theirs, key_of, alike))
    same: dict[_Element, list[_Element]] = {each: [each] for elements in lists for each in elements}
    for one, other in (pair for found in pairs for pair in found):
        same[one] += same.pop(other)
    by_key = _grouped([each for each in same.values() if key_of[each[0]] in alike], lambda each: key_of[each[0]])
    return {
        element: Key(exact, each[0].content)
        for key, group in by_key.items()
        for exact, each in _named(key, group)
        for element in each
    }


def _pairs(
    one: Sequence[_Element],
    other: Sequence[_Element],
    key_of: Mapping[_Element, Pairs],
    alike: set[Pairs],
) -> list[Pair]:
    """The elements of alike groups that are one and the same in two documents."""
    # Ties are broken by what comes first, so it must not matter which document is called `one`.
    if [each.text for each in one] > [each.text for each in other]:
        return [(mine, theirs) for theirs, mine in _pairs(other, one, key_of, alike)]
    # An element that its key tells apart is the same whatever it says: a fixed point for the order of the rest.
    tokens, others = ([each.text if key_of[each] in alike else key_of[each] for each in side] for side in (one, other))
    equal = [(one[i], other[j]) for i, j in _equal(tokens, others)]
    pairs = [pair for pair in equal if key_of[pair[0]] in alike]
    taken = {element for pair in pairs for element in pair}
    groups = [
        _grouped((each for each in side if key_of[each] in alike and each not in taken), lambda each: key_of[each])
        for side in (one, other)
    ]
    for key, ours in groups[0].items():
        pairs += _most_alike(ours, groups[1].get(key, []))
    return _uncrossed(pairs)


def _uncrossed(pairs: Sequence[Pair]) -> list[Pair]:
    """The same pairs, but of equal elements the first goes with what comes first in the other document."""
    turned = _in_order((other, one) for one, other in _in_order(pairs))
    return [(one, other) for other, one in turned]


def _in_order(pairs: Iterable[Pair]) -> list[Pair]:
    ordered: list[Pair] = []
    for equal in _grouped(pairs, lambda pair: pair[0].text).values():
        ones, others = (sorted(side, key=lambda each: each.place) for side in zip(*equal, strict=True))
        ordered += zip(ones, others, strict=True)
    return ordered


def _equal(one: Sequence[Hashable], other: Sequence[Hashable]) -> list[tuple[int, int]]:
    """Places of equal tokens, each used once, as many as there are; of those in the same order as many as possible."""
    pairs = _longest_common(one, other)
    free: dict[Hashable, list[int]] = defaultdict(list)
    used = ({i for i, _ in pairs}, {j for _, j in pairs})
    for j in reversed(range(len(other))):
        if j not in used[1]:
            free[other[j]].append(j)
    for i, token in enumerate(one):
        if i not in used[0] and free.get(token):
            pairs.append((i, free[token].pop()))
    return pairs


def _longest_common(one: Sequence[Hashable], other: Sequence[Hashable]) -> list[tuple[int, int]]:
    """The longest common subsequence, after Hunt and Szymanski: the longest rising chain of places of equal tokens."""
    counts, others = Counter(one), Counter(other)
    if sum(count * others[token] for token, count in counts.items()) > MOST_PAIRS:
        # Too many ways: the first of equal ones is taken for the first, the second for the second …
        one, other = _numbered(one), _numbered(other)
    places: dict[Hashable, list[int]] = defaultdict(list)
    for j in reversed(range(len(other))):
        places[other[j]].append(j)
    ends: list[int] = []  # of the chains of each length, where the lowest of them ends in `other`
    chains: list[Any] = []  # those chains, last pair first
    for i, token in enumerate(one):
        for j in places.get(token, ()):
            length = bisect_left(ends, j)
            if length < len(ends) and ends[length] == j:
                continue
            chain = ((i, j), chains[length - 1] if length else None)
            ends[length : length + 1], chains[length : length + 1] = [j], [chain]
    found: list[tuple[int, int]] = []
    last = chains[-1] if chains else None
    while last:
        pair, last = last
        found.append(pair)
    return found[::-1]


def _numbered(tokens: Sequence[Hashable]) -> list[Hashable]:
    seen: Counter[Hashable] = Counter()
    numbered: list[Hashable] = []
    for token in tokens:
        seen[token] += 1
        numbered.append((token, seen[token]))
    return numbered


def _most_alike(one: Sequence[_Element], other: Sequence[_Element]) -> list[Pair]:
    """Pairs of elements that are not equal: first whose children name the same, then by the values they share."""
    pairs: list[Pair] = []
    taken: set[_Element] = set()
    for *_, i, j in sorted(_likeness(one, other)):
        if one[i] not in taken and other[j] not in taken:
            pairs.append((one[i], other[j]))
            taken |= {one[i], other[j]}
    # What shares nothing rare goes, in its order, with what has the same fields.
    left = ((each for each in side if each not in taken) for side in (one, other))
    shapes = [_grouped(side, lambda each: (each.names, each.fields)) for side in left]
    for shape, ours in shapes[0].items():
        pairs += zip(ours, shapes[1].get(shape, []), strict=False)
    return pairs


def _likeness(one: Sequence[_Element], other: Sequence[_Element]) -> Iterator[tuple[bool, float, int, int, int]]:
    """How unlike two elements are, with their places, for those that share something and may be the same."""
    having: dict[Leaf, list[int]] = defaultdict(list)
    for j, each in enumerate(other if one else ()):
        for leaf in each.leaves:
            having[leaf].append(j)
    for i, element in enumerate(one):
        shared: Counter[int] = Counter()
        for leaf in element.leaves:
            if len(places := having.get(leaf, ())) <= COMMON:
                for j in places:
                    shared[j] += PLACE if leaf[1] is None else VALUE
        for j, weight in shared.items():
            names, others = element.names, other[j].names
            if names == others or not names.isdisjoint(others):
                share = weight / (len(element.leaves) + len(other[j].leaves))
                yield names != others, -share, abs(i - j), i, j


def _leaves(value: object, fields: tuple[str, ...]) -> Iterator[Leaf]:
    """The plain values in a value, whatever places they have in lists."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _leaves(inner, (*fields, name))
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner, fields)
    else:
        yield fields, f"{value!r}"


# 3. Keys of what was paired


def _named(key: Pairs, group: Sequence[Sequence[_Element]]) -> Iterator[tuple[Pairs, Sequence[_Element]]]:
    """Keys for elements that share one, each given with the same element of the other documents."""
    # What the first document has comes first, in its order; the rest in an order of its content, whoever has it.
    in_first = [same for same in group if same[0].document == 0]
    others = [sorted(same, key=lambda each: each.text) for same in group if same[0].document > 0]
    others.sort(key=lambda same: [each.text for each in same])
    ordered = [*in_first, *others]
    fields = sorted({field for each in ordered for field, _ in each[0].names})
    one_document = [_Element(0, place, each[0].content) for place, each in enumerate(ordered)]
    for longer, part in _refined(one_document, key, fields, _said_by_children).items():
        for number, element in enumerate(part):
            yield _with_number(longer, number), ordered[element.place]


def _with_number(key: Pairs, number: int) -> Pairs:
    if not key:
        return (("", str(number)),)
    return key if number == 0 else (*key, ("", str(number + 1)))


def _said_by_children(content: Object, field: str) -> str | None:
    """What the children in a field say of themselves: `benefit.type`."""
    said = sorted(value for name, value in _names_of_children(content) if name == field)
    return "+".join(said) or None


def _names_of_children(content: Object) -> Iterator[tuple[str, str]]:
    for field, children in content.items():
        for child in children if is_objects(children) else ():
            for name, said in _name(child):
                yield f"{field}.{name}", said


def _grouped(items: Iterable[Item], by: Callable[[Item], Group]) -> dict[Group, list[Item]]:
    grouped: dict[Group, list[Item]] = defaultdict(list)
    for item in items:
        grouped[by(item)].append(item)
    return grouped
