"""What Aidbox's validator refuses: found here where HAPI takes it, in Aidbox's words where HAPI refuses it too."""

import re
from collections.abc import Iterator
from typing import Any

from tests.aidbox_like.outcomes import Problem, Resource

# Of an InsurancePlan in R4 (hl7.org/fhir/R4/insuranceplan.html), by the path of names from the resource.
REQUIRED = {
    "coverage": ("type", "benefit"),
    "coverage.benefit": ("type",),
    "plan.specificCost": ("category",),
    "plan.specificCost.benefit": ("type",),
    "plan.specificCost.benefit.cost": ("type",),
}
LISTS = {
    "": ("identifier", "type", "alias", "coverageArea", "contact", "endpoint", "network", "coverage", "plan"),
    "coverage": ("network", "benefit"),
    "coverage.benefit": ("limit",),
    "plan": ("identifier", "coverageArea", "network", "generalCost", "specificCost"),
    "plan.specificCost": ("benefit",),
    "plan.specificCost.benefit": ("cost",),
    "plan.specificCost.benefit.cost": ("qualifiers",),
}
SINGLES = {
    "": ("status", "name", "period", "ownedBy", "administeredBy"),
    "contact": ("purpose", "name", "address"),
    "coverage": ("type",),
    "coverage.benefit": ("type", "requirement"),
    "plan": ("type",),
    "plan.generalCost": ("type", "groupSize", "cost", "comment"),
    "plan.specificCost": ("category",),
    "plan.specificCost.benefit": ("type",),
    "plan.specificCost.benefit.cost": ("type", "applicability", "value"),
}

# HAPI's words, and Aidbox's kind and words for the same; `{0}` is what HAPI names.
HAPI_WORDS = (
    (r"HAPI-1825: Unknown element '([^']+)'", "unknown-key", "Unrecognized property '{0}'"),
    (r"HAPI-1821: \[element=\"([^\"]+)\"\] (.+)", "invalid-value", "{1}"),
    (
        r"HAPI-1823: Multiple repetitions of non-repeatable element '([^']+)'",
        "type",
        "The property must not be an array",
    ),
    (r"HAPI-182\d: Found incorrect type for element ([\w.]+) - (.+)", "type", "{1}"),
    (r"HAPI-1094: Resource ([^ ]+) not found", "non-existent-resource", "Referenced resource {0} does not exist"),
)
PLACE = re.compile(r"(?:specified in path: |path\[)([\w.]+)")


def problems_of(resource: Resource) -> list[Problem]:
    """What HAPI would take all the same: nulls, what is empty, one for a list, a list for one, what is missing."""
    kind = str(resource.get("resourceType"))
    found = list(_empty(resource, kind))
    if kind == "InsurancePlan":
        found += _shapes(resource, kind, "")
        if not resource.get("name") and not resource.get("identifier"):
            words = "ipn-1: The organization SHALL at least have a name or an identifier, and possibly more than one"
            found.append(Problem(kind, words, "invariant"))
    return found


def problem_by_hapi(words: str, resource: Resource) -> Problem:
    """HAPI's refusal as Aidbox would say it: the place in `expression`, and no place in the words."""
    kind = str(resource.get("resourceType"))
    place = PLACE.search(words)
    for pattern, type_of_problem, said in HAPI_WORDS:
        if match := re.search(pattern, words):
            expression = place[1] if place else _place_of(match[1], resource, kind)
            return Problem(expression, said.format(*match.groups()), type_of_problem)
    return Problem(place[1] if place else kind, words, "invalid")


def problems_by_validator(outcome: Resource) -> list[Problem]:
    """The errors of HAPI's validator. That a profile is not known is none: the proxy knows no profiles at all."""
    errors = [issue for issue in outcome.get("issue", []) if issue["severity"] in ("fatal", "error")]
    return [
        Problem(issue.get("expression", ["InsurancePlan"])[0], issue["diagnostics"], "invariant")
        for issue in errors
        if "rofile" not in issue["diagnostics"]
    ]


def _empty(value: Any, path: str) -> Iterator[Problem]:
    match value:
        case None:
            yield Problem(path, "The property must not be null", "empty-value")
        case {} if not value:
            yield Problem(path, "The property must not be empty", "empty-value")
        case [] if not value:
            yield Problem(path, "The property must not be empty", "empty-value")
        case dict():
            for name, part in value.items():
                yield from _empty(part, f"{path}.{name}")
        case list():
            # nulls keep the places of primitives that have nothing but extensions
            for position, part in enumerate(value):
                yield from () if part is None else _empty(part, f"{path}[{position}]")


def _shapes(element: Resource, path: str, names: str) -> Iterator[Problem]:
    """`path`: where the element is; `names`: the same without resource and positions."""
    for name in REQUIRED.get(names, ()):
        if name not in element:
            yield Problem(f"{path}.{name}", f"The property '{name}' is required", "required-key")
    for name in LISTS.get(names, ()):
        if name in element and not isinstance(element[name], list):
            yield Problem(f"{path}.{name}", "The property must be an array", "type")
    for name in SINGLES.get(names, ()):
        if isinstance(element.get(name), list):
            yield Problem(f"{path}.{name}", "The property must not be an array", "type")
    for part, place, inner in _parts(element, path, names):
        yield from _shapes(part, place, inner)


def _parts(element: Resource, path: str, names: str) -> Iterator[tuple[Resource, str, str]]:
    """The elements in lists of an element that have shapes of their own, with their `path` and `names`."""
    for name, value in element.items():
        inner = f"{names}.{name}".lstrip(".")
        if isinstance(value, list) and inner in {*LISTS, *SINGLES}:
            for position, part in enumerate(value):
                if isinstance(part, dict):
                    yield part, f"{path}.{name}[{position}]", inner


def _place_of(name: str, value: Any, path: str) -> str:
    """The first place of an element of this name; `path` if there is none."""
    places = (place for place, found in _named(value, path) if found == name)
    return next(places, path)


def _named(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, part in value.items():
            yield f"{path}.{name}", name
            yield from _named(part, f"{path}.{name}")
    elif isinstance(value, list):
        for position, part in enumerate(value):
            yield from _named(part, f"{path}[{position}]")
