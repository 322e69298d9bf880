"""Names for people: where a change is (its path), and what it is called in a few words (its label). Pure."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cache

from plandiff.matching import Key, Object

Step = str | Key
Steps = tuple[Step, ...]

ORDER = Key([("", "order")])
LONGEST_NAME = 80  # characters of a field's name or an element's key in a path; more are cut
LONGEST_WORDS = 60  # and in a label
USUAL_ELEMENTS = 3  # that a label tells of; more where two labels would be the same
PLAIN = ("system", "url")  # addresses, of which a label tells the end

_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PLAIN_VALUE = re.compile(r"[^\s\[\]=,\"](?:[^\[\]=,\"\n]*[^\s\[\]=,\"])?")
_NEW_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def path(steps: Steps) -> str:
    """Where it is: `plan[type=Gold].generalCost[type=deductible,groupSize=1].cost.value`. Unique in its document."""
    return paths([steps])[0]


def paths(all_steps: Sequence[Steps]) -> list[str]:
    """The paths of many, each name looked at once."""
    step = cache(_path_step)
    return ["".join(step(each) for each in steps).removeprefix(".") for steps in all_steps]


def _path_step(step: Step) -> str:
    if isinstance(step, Key):
        return f"[{shown(step)}]"
    name = _cut(step)
    return f".{name}" if _PLAIN_NAME.fullmatch(name) else f"[{json.dumps(name, ensure_ascii=False)}]"


def is_set(steps: Steps) -> bool:
    """Whether the order of a list means nothing: profiles, security labels and tags of `meta` (FHIR R4, Meta)."""
    return len(steps) == 2 and steps[0] == "meta"


def shown(key: Key) -> str:
    """An element's key as it stands in a path."""
    if not key:
        return "0"
    return ",".join(f"{_cut(field)}={_value(said)}" if field else said for field, said in key)


def _value(said: str) -> str:
    said = _cut(said)
    return said if _PLAIN_VALUE.fullmatch(said) else json.dumps(said, ensure_ascii=False)


def _cut(text: str) -> str:
    if len(text) <= LONGEST_NAME:
        return text
    return f"{text[:LONGEST_NAME]}…{hashlib.sha256(text.encode(errors='replace')).hexdigest()[:8]}"


def labels(all_steps: Sequence[Steps]) -> list[str]:
    """Each path in a few words: `General cost deductible, group size 1 › cost value`. No two are the same.

    A label tells of the last three elements on its way, of more where it would not be unique, then of their codes too;
    at last it is numbered.
    """
    words, codes = (cache(_key_words), cache(_key_words_and_codes))
    found = [_label(steps, words, USUAL_ELEMENTS) for steps in all_steps]
    deepest = max(map(len, all_steps), default=0)
    longer = [*((words, most) for most in range(USUAL_ELEMENTS + 1, deepest)), (codes, deepest)]
    for words_of, most in longer:
        counts = Counter(found)
        alike = [number for number, label in enumerate(found) if counts[label] > 1]
        for number in alike:
            found[number] = _label(all_steps[number], words_of, most)
    return list(_numbered(found))


def _numbered(found: Sequence[str]) -> Iterator[str]:
    taken: set[str] = set()
    for label in found:
        number, unique = 1, label
        while unique in taken:
            number += 1
            unique = f"{label} ({number})"
        taken.add(unique)
        yield unique


def _label(steps: Steps, key_words: Callable[[Key], str], most: int) -> str:
    elements: list[str] = []
    fields: list[str] = []
    for step in steps:
        if isinstance(step, Key):
            elements.append(" ".join([*fields, key_words(step)]))
            fields = []
        else:
            fields += [word for word in [_words(step)] if [word] != fields[-1:]]
    said = " › ".join(part for part in (*elements[-most:], " ".join(fields)) if part)
    return said[:1].upper() + said[1:]


def _words(name: str) -> str:
    return _shortened(_NEW_WORD.sub(" ", name[: LONGEST_WORDS + 1]).lower())


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_WORDS else f"{text[:LONGEST_WORDS]}…"


def _key_words(key: Key) -> str:
    if key == ORDER:
        return "order"
    if not key or not key[0][0]:
        return str(int(key[0][1] if key else 0) + 1)
    return ", ".join(_said_words(field, said, key.element) for field, said in key)


def _key_words_and_codes(key: Key) -> str:
    words = _key_words(key)
    return words if words == shown(key) else f"{words} ({shown(key)})"


def _said_words(field: str, said: str, element: Object) -> str:
    if field == "groupSize":
        return f"group size {said}"
    if field.rpartition(".")[2] in PLAIN:
        return _shortened(said.rstrip("/").rsplit("/", 1)[-1])
    return _shortened(_display(_at(element, field.split("."))) or said)


def _at(value: object, fields: Sequence[str]) -> object:
    """What stands at a field, in each element of a list on the way."""
    if isinstance(value, list):
        return [_at(each, fields) for each in value]
    if not fields:
        return value
    return _at(value.get(fields[0]), fields[1:]) if isinstance(value, dict) else None


def _display(value: object) -> str | None:
    """What a person reads in a value of FHIR's own types: a concept's text, a coding's display, else its code."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return ", ".join(dict.fromkeys(words for each in value if (words := _display(each)))) or None
    if isinstance(value, dict):
        fields = ("text", "display", "coding", "code", "reference", "identifier", "value")
        return next((words for field in fields if (words := _display(value.get(field)))), None)
    return None
