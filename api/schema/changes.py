"""The types FieldChange and FieldConflict, and what stands in `Draft.changes` and `Draft.conflicts`.

Plans are parsed only here, when one of these fields is selected.
"""

import asyncio
from collections.abc import Sequence
from enum import Enum
from typing import Any

import strawberry

from api.coordination import changes as coordination
from api.coordination import documents, merging, naming, rebase
from api.coordination.changes import Terms
from api.coordination.documents import Plan
from api.schema.info import Info
from api.schema.reading import linked_variables
from api.schema.scalars import Json
from api.upstreams.calling import encode
from api.upstreams.drafts import Draft
from api.upstreams.plan_version import PlanVersion

PATH = (
    "Where it is, such as plan[0].generalCost[type=deductible,groupSize=1].cost.value: elements of a list by what "
    "identifies them in FHIR, else by number; [order] is the order of a list; … stands for entries left out."
)
CONFLICT_VARIABLES = ("aidboxPlanId", "baseVersion", "approvalOutcome", "publishedVersion")
LABEL = (
    "What it is called, in a few words, by displays and texts rather than codes; no two of an answer are the same. For "
    "the last of too many entries, how many more there are."
)


@strawberry.enum(description="What became of a field.")
class FieldChangeKind(Enum):
    """The kinds of coordination/changes.py, each with its description."""

    ADDED = strawberry.enum_value("ADDED", description="It is new; `before` is null.")
    REMOVED = strawberry.enum_value("REMOVED", description="It is gone; `after` is null.")
    CHANGED = strawberry.enum_value("CHANGED", description="It says something else, or is written in other digits.")


@strawberry.type(description="One field that a draft changes, or one part that is new or gone as a whole.")
class FieldChange:
    """One entry of coordination/changes.py."""

    path: str = strawberry.field(description=PATH)
    kind: FieldChangeKind = strawberry.field(description="Added, removed or changed.")
    label: str = strawberry.field(description=LABEL)
    before: Json | None = strawberry.field(description="The plan's value, exact to the digit; null when it has none.")
    after: Json | None = strawberry.field(description="The draft's value, exact to the digit; null when it has none.")


@strawberry.type(description="One field that both the draft and the store changed, to different values.")
class FieldConflict:
    """One conflict of coordination/merging.py."""

    path: str = strawberry.field(description=f"{PATH} The choices of rebaseDraft name it.")
    label: str = strawberry.field(description=LABEL)
    base: Json | None = strawberry.field(
        description="As it was in the version the draft goes back to; null: not there."
    )
    mine: Json | None = strawberry.field(description="As the draft has it; null: not there.")
    theirs: Json | None = strawberry.field(description="As the store has it now; null: not there.")


@strawberry.enum(description="Which value a conflicting field is to have.")
class ConflictSide(Enum):
    """The sides of coordination/merging.py, each with its description."""

    MINE = strawberry.enum_value("MINE", description="The draft's.")
    THEIRS = strawberry.enum_value("THEIRS", description="The store's.")


async def changes_of(info: Info, draft: Draft) -> list[FieldChange]:
    """What a draft changes against the plan as it is now. Raises Refused (INVALID_PLAN) for what is no plan."""
    plan = _parsed(info, draft)
    current = await info.context.loaders.plans.load(draft.aidbox_id) if draft.aidbox_id else None
    found = coordination.changes(_document(current), plan, terms=_terms(info))
    return [_change(change, label) for change, label in zip(found, _labels(found), strict=True)]


async def conflicts_of(info: Info, draft: Draft) -> list[FieldConflict]:
    """What both a draft and the store changed since the draft's base. Raises Refused (INVALID_PLAN) as `changes_of`."""
    if draft.aidbox_id is None or draft.camunda_process_id is None:
        return []
    plan, loaders = _parsed(info, draft), info.context.loaders
    (variables,) = await linked_variables(info, [draft])
    base_key = rebase.base_of(draft, plan, variables)
    if base_key is None:
        return []
    base, current = await asyncio.gather(loaders.plan_versions.load(base_key), loaders.plans.load(draft.aidbox_id))
    return field_conflicts(merging.conflicts(_document(base), plan, _document(current), terms=_terms(info)))


def field_conflicts(found: list[merging.Conflict]) -> list[FieldConflict]:
    """The types of conflicts; those past the most that are shown are one last entry."""
    shown = merging.bounded(found)
    return [_conflict(conflict, label) for conflict, label in zip(shown, _labels(shown), strict=True)]


def _labels(found: Sequence[coordination.Change | merging.Conflict]) -> list[str]:
    labels = naming.labels([each.steps for each in found])
    return [f"And {each.left_out} more" if each.left_out else label for each, label in zip(found, labels, strict=True)]


def _terms(info: Info) -> Terms:
    return Terms(keeps_digits=info.context.settings.aidbox_keeps_digits)


def _parsed(info: Info, draft: Draft) -> Plan:
    return documents.parse(draft.plan_data, max_bytes=info.context.settings.max_plan_bytes)


def _document(version: PlanVersion | None) -> Plan | None:
    return documents.read(version.resource) if version else None


def _change(change: coordination.Change, label: str) -> FieldChange:
    return FieldChange(
        path=change.path,
        kind=FieldChangeKind[change.kind.name],
        label=label,
        before=_json(change.before),
        after=_json(change.after),
    )


def _conflict(conflict: merging.Conflict, label: str) -> FieldConflict:
    base, mine, theirs = (_json(value) for value in (conflict.base, conflict.mine, conflict.theirs))
    return FieldConflict(path=conflict.path, label=label, base=base, mine=mine, theirs=theirs)


def _json(value: Any) -> Json | None:
    return None if value is None else Json(encode(value))
