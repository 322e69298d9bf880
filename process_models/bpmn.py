"""Process models as XML: namespaces, and whom each user task is offered to. Pure.

What the engine says of a task itself goes before this: a model may name candidates by an expression, and others may be
added to a task later.
"""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple
from xml.etree import ElementTree as ET

BPMN = "http://www.omg.org/spec/BPMN/20100524/MODEL"
# of Camunda 7 and CIB seven, of Operaton, of Fluxnova, and of the engine they all come from
EXTENSIONS = (
    "http://camunda.org/schema/1.0/bpmn",
    "http://operaton.org/schema/1.0/bpmn",
    "http://fluxnova.finos.org/schema/1.0/bpmn",
    "http://activiti.org/bpmn",
)
_EXPRESSION = re.compile(r"[$#]\{.*?\}")
_VARIABLE = re.compile(r"[$#]\{\s*([A-Za-z_]\w*)\s*\}")
_OWNER = re.compile(r"(user|group)\(\s*(.*?)\s*\)", re.DOTALL)


class Offer(NamedTuple):
    """The candidates of a user task as its model names them, expressions as they are written."""

    groups: tuple[str, ...] = ()
    users: tuple[str, ...] = ()


NOBODY = Offer()


def parse(model: str) -> ET.Element:
    """A deployed model."""
    return ET.fromstring(model)  # noqa: S314  # our own engine's, with expat's limits


def tag(name: str) -> str:
    """An element of BPMN itself."""
    return f"{{{BPMN}}}{name}"


def attribute(element: ET.Element, name: str) -> str | None:
    """An attribute that the engine adds to BPMN, in whichever of its namespaces it is written."""
    found = (element.get(f"{{{namespace}}}{name}") for namespace in EXTENSIONS)
    return next((value for value in found if value is not None), None)


def offers_in(model: str) -> dict[str, Offer]:
    """Step key → whom the model offers it to, for each user task."""
    return offers(parse(model))


def offers(root: ET.Element) -> dict[str, Offer]:
    """As above, of a model that is parsed."""
    return {task.get("id", ""): _offer(task) for task in root.iter(tag("userTask"))}


def _offer(task: ET.Element) -> Offer:
    """By the engine's attributes, and by BPMN's own potentialOwner: `user(ann), group(reviewers), reviewers`."""
    groups = _listed(attribute(task, "candidateGroups"))
    users = _listed(attribute(task, "candidateUsers"))
    for owner in task.iter(tag("potentialOwner")):
        for part in _listed("".join(owner.itertext())):
            named = _OWNER.fullmatch(part)
            (users if named and named[1] == "user" else groups).append(named[2] if named else part)
    return Offer(tuple(groups), tuple(users))


def _listed(value: str | None) -> list[str]:
    """What stands between commas; those within an expression are its own."""
    parts = re.findall(r"(?:[$#]\{.*?\}|[^,])+", value or "")
    return [part.strip() for part in parts if part.strip()]


def variables_in(offered: Iterable[Offer]) -> set[str]:
    """The process variables that candidates are named by."""
    named = (_VARIABLE.findall(candidate) for offer in offered for candidate in (*offer.groups, *offer.users))
    return {name for names in named for name in names}


def resolved(offer: Offer, values: Mapping[str, object]) -> Offer:
    """With expressions replaced that are a variable alone; others are left out, as only the engine can tell them."""
    return Offer(_replaced(offer.groups, values), _replaced(offer.users, values))


def _replaced(candidates: Iterable[str], values: Mapping[str, object]) -> tuple[str, ...]:
    texts = (_VARIABLE.sub(lambda found: _text(values.get(found[1]), found[0]), each) for each in candidates)
    return tuple(each for text in texts if not _EXPRESSION.search(text) for each in _listed(text))


def _text(value: object, expression: str) -> str:
    return value if isinstance(value, str) else expression
