"""Losses of a plan in a store that accepted it: fields it dropped, values it changed. Pure.

Stores write a resource in their own way, and that is no loss: another order of fields, empty parts left out, amounts
with other digits (1500.0 for 1500.00), references made relative or absolute, a narrative put differently, more in
`meta` than was sent. Everything else that was sent has to be there.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from plandiff.matching import canonical
from plandiff.plan_document import Plan, missing_marks

PATHS_SHOWN = 12
LONGEST_NAME = 80
OF_THE_STORE = ("id", "meta")
EMPTY: tuple[object, ...] = (None, "", [], {})


@dataclass(frozen=True)
class Loss:
    """A part of what was sent, by its FHIR path; `is_changed`: something else is in its place."""

    path: str
    is_changed: bool


def losses(sent: Plan, held: Plan) -> Iterator[Loss]:
    """What of `sent` is not in `held`, in the order of the fields."""
    yield from _lost(_counted(sent), _counted(held), "InsurancePlan")
    for path in missing_marks(sent, held):
        yield Loss(f"InsurancePlan.meta.{path}", is_changed=False)


def explained(lost: Iterator[Loss]) -> str | None:
    """One sentence for people about what was lost, and what to do; None when nothing was."""
    shown = list(islice(lost, PATHS_SHOWN + 1))
    if not shown:
        return None
    parts = [
        f"{verb} {', '.join(loss.path for loss in shown[:PATHS_SHOWN] if loss.is_changed is is_changed)}"
        for verb, is_changed in (("dropped", False), ("changed", True))
        if any(loss.is_changed is is_changed for loss in shown[:PATHS_SHOWN])
    ]
    more = " and more" if len(shown) > PATHS_SHOWN else ""
    return (
        f"The store did not keep the plan as it was approved: it {' and '.join(parts)}{more}. Check how these fields"
        " are written: withdraw the draft to correct it, or have the store accept them and retry the publication"
    )


def digest(plan: Plan) -> str:
    """The same for a plan and for all of it that a store has, whatever its way of writing it."""
    content = canonical(_without_narratives(_counted(plan)), keeps_digits=False)
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _counted(plan: Plan) -> Plan:
    return {
        name: part for name, value in plan.items() if name not in OF_THE_STORE and (part := _pruned(value)) is not None
    }


def _pruned(value: Any) -> Any:
    """The value without its empty parts, which FHIR does not know; None when nothing is left."""
    if isinstance(value, dict):
        value = {name: part for name, item in value.items() if (part := _pruned(item)) is not None}
    elif isinstance(value, list):
        value = [part for item in value if (part := _pruned(item)) is not None]
    return None if value in EMPTY else value


def _without_narratives(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_narratives(part) for name, part in value.items() if not _is_narrative(part)}
    return [_without_narratives(part) for part in value] if isinstance(value, list) else value


def _is_narrative(value: Any) -> bool:
    return isinstance(value, dict) and "div" in value


def _lost(sent: Any, held: Any, path: str) -> Iterator[Loss]:
    if isinstance(sent, dict) and isinstance(held, dict):
        if not (_is_narrative(sent) and _is_narrative(held)):
            for name, part in sent.items():
                yield from _lost(part, held.get(name), f"{path}.{name[:LONGEST_NAME]}")
    elif isinstance(sent, list) and isinstance(held, list) and len(sent) == len(held):
        for place, (part, other) in enumerate(zip(sent, held, strict=True)):
            yield from _lost(part, other, f"{path}[{place}]")
    elif isinstance(sent, list) and isinstance(held, list):
        yield from _lost_of_list(sent, held, path)
    elif held is None or not _is_same(sent, held):
        yield Loss(path, is_changed=held is not None)


def _lost_of_list(sent: list[Any], held: list[Any], path: str) -> Iterator[Loss]:
    """Where elements are gone the rest has moved up: each is looked for among those not found yet.

    An element that is there is soon found, one that is lost is compared with all: each loss is told at once, so that
    who reads the first few of them has no more than these looked for.
    """
    left = list(held)
    is_all_found = True
    for place, part in enumerate(sent):
        found = next((index for index, other in enumerate(left) if not any(_lost(part, other, ""))), None)
        if found is None:
            is_all_found = False
            yield Loss(f"{path}[{place}]", is_changed=False)
        else:
            del left[found]
    if is_all_found:
        yield Loss(path, is_changed=True)


def _is_same(sent: Any, held: Any) -> bool:
    if isinstance(sent, str) and isinstance(held, str):
        return sent == held or _is_same_reference(sent, held)
    return canonical(sent, keeps_digits=False) == canonical(held, keeps_digits=False)


def _is_same_reference(one: str, other: str) -> bool:
    """Whether one is the other below the address of a server: `Organization/acme`, `https://…/Organization/acme`."""
    short, long = sorted((one, other), key=len)
    return short.count("/") == 1 and long.startswith(("http://", "https://")) and long.endswith(f"/{short}")
