"""Problems of a plan that can be found in the document alone: rules of FHIR R4 that some store refuses to break. Pure.

Required parts, codes of required bindings, and references within the document. A store knows more: profiles, and
whether what is referred to exists.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from plandiff import labels, plan_document
from plandiff.changes import pointer
from plandiff.matching import Key, Object
from plandiff.plan_document import InvalidPlan

MOST_PROBLEMS = 25
ROOT = "InsurancePlan."
# FHIR R4, InsurancePlan: what an element of this name must have, by its place.
REQUIRED = {
    "coverage": ("type", "benefit"),
    "coverage.benefit": ("type",),
    "plan.specificCost": ("category",),
    "plan.specificCost.benefit": ("type",),
    "plan.specificCost.benefit.cost": ("type",),
    "text": ("status", "div"),
}
# FHIR R4, required bindings: by the last two names of a place, the last of a list of objects or of an object.
CODES = {
    "identifier.use": ("usual", "official", "temp", "secondary", "old"),
    "telecom.system": ("phone", "fax", "email", "pager", "url", "sms", "other"),
    "telecom.use": ("home", "work", "temp", "old", "mobile"),
    "address.use": ("home", "work", "temp", "old", "billing"),
    "address.type": ("postal", "physical", "both"),
    "name.use": ("usual", "official", "temp", "nickname", "anonymous", "old", "maiden"),
    "value.comparator": ("<", "<=", ">=", ">"),
    "text.status": ("generated", "extensions", "additional", "empty"),
}
_PLAIN = re.compile(r"\w+(\[\d+\])?(\.\w+(\[\d+\])?)*")
_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")


class Problem(NamedTuple):
    """What is wrong at a place, for people. `path`: as in FHIRPath, `coverage[0].type`; None: the plan as a whole."""

    is_error: bool
    path: str | None
    message: str

    @property
    def label(self) -> str:
        """The place in a few words."""
        return label_of(self.path) if self.path else "Plan"

    @property
    def pointer(self) -> str | None:
        """The place by RFC 6901; None for the plan as a whole, and for a path that calls functions of FHIRPath."""
        if self.path is None or not _PLAIN.fullmatch(self.path):
            return None
        return pointer(tuple(name or int(number) for name, number in _STEP.findall(self.path)))


def problems(text: str, *, max_bytes: int) -> list[Problem]:
    """The problems of a draft's plan, at most MOST_PROBLEMS and one more that counts the others."""
    try:
        plan = plan_document.parse(text, max_bytes=max_bytes)
    except InvalidPlan as error:
        return [Problem(is_error=True, path=None, message=str(error))]
    return limited(list(_problems(plan)))


def limited(found: list[Problem]) -> list[Problem]:
    """Errors first, at most MOST_PROBLEMS, and one more that counts the others."""
    ordered = sorted(found, key=lambda problem: not problem.is_error)
    rest = ordered[MOST_PROBLEMS:]
    if not rest:
        return ordered
    more = Problem(any(each.is_error for each in rest), None, f"{len(rest)} more problems.")
    return [*ordered[:MOST_PROBLEMS], more]


def label_of(path: str) -> str:
    """A place in a few words: `Coverage 1 › benefit 2 type`."""
    steps = [Key([("", number)]) if number else name for name, number in _STEP.findall(path)]
    return labels.labels([tuple(steps)])[0]


def _problems(plan: Object) -> Iterator[Problem]:
    for path, message in plan_document.broken_rules(plan):
        yield Problem(is_error=True, path=path, message=message)
    contained = _contained_ids(plan)
    yield from (
        Problem(is_error=True, path="contained", message=f"Two contained resources have the id {each}.")
        for each, count in contained.items()
        if count > 1
    )
    for name, path, element in _objects(plan, "", ""):
        yield from _missing(name, path, element)
        yield from _wrong_codes(name, path, element)
        yield from _wrong_references(path, element, contained)


def _objects(element: Object, name: str, path: str) -> Iterator[tuple[str, str, Object]]:
    """Every object of the document but contained resources: its place without and with numbers."""
    yield name, path, element
    for key, value in element.items():
        if key == "contained":
            continue
        inner, below = f"{name}.{key}".lstrip("."), f"{path}.{key}".lstrip(".")
        if isinstance(value, dict):
            yield from _objects(value, inner, below)
        elif isinstance(value, list):
            for number, each in enumerate(value):
                if isinstance(each, dict):
                    yield from _objects(each, inner, f"{below}[{number}]")


def _missing(name: str, path: str, element: Object) -> Iterator[Problem]:
    for part in REQUIRED.get(name, ()):
        if element.get(part) in (None, [], {}, ""):
            yield Problem(is_error=True, path=f"{path}.{part}", message=f"{part} is required here (FHIR R4).")


def _wrong_codes(name: str, path: str, element: Object) -> Iterator[Problem]:
    last = name.rpartition(".")[2]
    for field, value in element.items():
        codes = CODES.get(f"{last}.{field}")
        if codes and isinstance(value, str) and value not in codes:
            message = f"{field} must be one of {', '.join(codes)} (FHIR R4)."
            yield Problem(is_error=True, path=f"{path}.{field}", message=message)


def _wrong_references(path: str, element: Object, contained: Mapping[str, int]) -> Iterator[Problem]:
    reference = element.get("reference")
    if not isinstance(reference, str):
        return
    place = f"{path}.reference"
    if reference.startswith("#") and reference != "#" and reference[1:] not in contained:
        yield Problem(is_error=True, path=place, message=f"The plan contains no resource with the id {reference[1:]}.")
    if reference.startswith("urn:uuid:"):
        message = "A urn:uuid reference has a meaning within a Bundle only; name the resource, as Organization/id."
        yield Problem(is_error=True, path=place, message=message)


def _contained_ids(plan: Object) -> Counter[str]:
    contained = plan.get("contained")
    resources: list[Any] = contained if isinstance(contained, list) else []
    return Counter(str(each.get("id")) for each in resources if isinstance(each, dict))
