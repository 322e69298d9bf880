"""The types FieldChange and FieldConflict, and the resolvers of `Draft.changes` and `Draft.conflicts`.

Plans are compared in a worker process, each pair once a request, and only the selected parts of the result are made.
"""

import asyncio
from dataclasses import asdict
from enum import Enum
from functools import partial
from typing import Any

import strawberry

from api.coordination import rebase
from api.schema.info import Info
from api.schema.read_access import variables_of_drafts
from api.schema.requires import requires
from api.upstreams.aidbox.records import PlanVersion
from api.upstreams.camunda.process_variables import NO_VARIABLES, names
from api.upstreams.retool.records import Draft
from graphql_server.documents.answer_size import add_bytes
from graphql_server.scalars import Json
from plandiff import comparison
from plandiff.changes import MORE, Terms
from plandiff.comparison import Entry, compared, conflicting, noted_version, summarized

# Names that take a loader's place in Requirements, for what is selected of the entries.
CHANGES, CONFLICTS = "changes", "conflicts"
SUMMARY = "change_summary"
NOTHING = (None, None, None)
AS_TEXT = (
    "for people, which no client's JSON parser alters: text without quotes, numbers with all digits (1500.00), objects "
    "and lists as JSON."
)
REST = "Null for the entry that counts the rest."
PATH = (
    "Its path, such as plan[0].generalCost[type=deductible,groupSize=1].cost.value: elements of a list by what "
    "identifies them in FHIR, else by number; [order] is the order of a list; … stands for entries left out."
)
CONFLICT_VARIABLES = names("aidbox_plan_id", "base_version", "approval_outcome", "published_version")
LABEL = (
    "A short name, from displays and texts rather than codes, unique in an answer. The last of too many entries says "
    "how many more there are."
)


@strawberry.enum(description="What a draft's changes are counted from.")
class ChangeBase(Enum):
    """The two versions a draft is compared with."""

    CURRENT = strawberry.enum_value("CURRENT", description="The current plan: what publication would change.")
    BASE = strawberry.enum_value(
        "BASE",
        description="The version the draft is based on: what its author changed, whatever others have published since.",
    )


@strawberry.enum(description="The kind of a change.")
class FieldChangeKind(Enum):
    """The kinds of plandiff/changes.py, each with its description."""

    ADDED = strawberry.enum_value("ADDED", description="It is new; `before` is null.")
    REMOVED = strawberry.enum_value("REMOVED", description="It is gone; `after` is null.")
    CHANGED = strawberry.enum_value("CHANGED", description="Its value is another, or is written in other digits.")


@strawberry.type(description="One field that a draft changes, or one part that is new or gone as a whole.")
class FieldChange:
    """One entry of a comparison (plandiff)."""

    path: str = strawberry.field(description=PATH, metadata=requires(comparison.PATH))
    kind: FieldChangeKind = strawberry.field(description="Added, removed or changed.")
    label: str = strawberry.field(description=LABEL, metadata=requires(comparison.LABEL))
    before: Json | None = strawberry.field(
        description="The plan's value, exact to the digit; null when it has none.", metadata=requires(comparison.VALUES)
    )
    after: Json | None = strawberry.field(
        description="The draft's value, exact to the digit; null when it has none.",
        metadata=requires(comparison.VALUES),
    )
    before_text: str | None = strawberry.field(description=f"`before` {AS_TEXT}", metadata=requires(comparison.TEXTS))
    after_text: str | None = strawberry.field(description=f"`after` {AS_TEXT}", metadata=requires(comparison.TEXTS))
    pointer: str | None = strawberry.field(
        description="Its JSON pointer (RFC 6901): in the plan's earlier version for a removal, else in the draft's "
        f"plan. {REST}",
        metadata=requires(comparison.POINTER),
    )
    precision_only: bool = strawberry.field(
        description="Whether the same amount is only written with other digits: 3000.0, then 3000.00.",
        metadata=requires(comparison.PRECISION),
    )


@strawberry.type(description="How much a draft changes, in numbers and a few words.")
class ChangeSummary:
    """plandiff's Summary."""

    added: int = strawberry.field(description="Fields or parts that are new.", metadata=requires())
    removed: int = strawberry.field(description="Fields or parts that are gone.", metadata=requires())
    changed: int = strawberry.field(
        description="Fields with another value, without those of precisionOnly.", metadata=requires()
    )
    precision_only: int = strawberry.field(
        description="Amounts that are only written with other digits.", metadata=requires()
    )
    total: int = strawberry.field(description="All of these.", metadata=requires())
    headline: str = strawberry.field(
        description="The most important changes in a few words, costs before wording: `2 costs changed, 1 network "
        "added and 3 more`. It counts elements: a period once whichever of its dates changed, and a part that is new "
        "or gone once with all that is in it.",
        metadata=requires(),
    )


@strawberry.type(description="One field that both the draft and the store changed, to different values.")
class FieldConflict:
    """One conflict of a three-way merge (plandiff)."""

    path: str = strawberry.field(
        description=f"{PATH} The choices of rebaseDraft use it.", metadata=requires(comparison.PATH)
    )
    label: str = strawberry.field(description=LABEL, metadata=requires(comparison.LABEL))
    base: Json | None = strawberry.field(
        description="The value in the version the draft is based on; null: absent.",
        metadata=requires(comparison.VALUES),
    )
    mine: Json | None = strawberry.field(
        description="The draft's value; null: absent.", metadata=requires(comparison.VALUES)
    )
    theirs: Json | None = strawberry.field(
        description="The store's current value; null: absent.", metadata=requires(comparison.VALUES)
    )
    base_text: str | None = strawberry.field(description=f"`base` {AS_TEXT}", metadata=requires(comparison.TEXTS))
    mine_text: str | None = strawberry.field(description=f"`mine` {AS_TEXT}", metadata=requires(comparison.TEXTS))
    theirs_text: str | None = strawberry.field(description=f"`theirs` {AS_TEXT}", metadata=requires(comparison.TEXTS))
    pointer: str | None = strawberry.field(
        description="Its JSON pointer (RFC 6901): in the draft's plan, or in the store's current version where the "
        f"draft has removed it. {REST}",
        metadata=requires(comparison.POINTER),
    )
    precision_only: bool = strawberry.field(
        description="Whether both have the same amount and only write it with other digits: 3000.0 and 3000.00.",
        metadata=requires(comparison.PRECISION),
    )


@strawberry.enum(description="Whose value a conflicting field takes.")
class ConflictSide(Enum):
    """The sides of plandiff/merge.py, each with its description."""

    MINE = strawberry.enum_value("MINE", description="The draft's.")
    THEIRS = strawberry.enum_value("THEIRS", description="The store's.")


async def changes_of(info: Info, draft: Draft, against: ChangeBase, *, limit: int) -> list[FieldChange] | None:
    """The changes of a draft. Raises Refused (INVALID_PLAN) for a draft without a plan."""
    other, rules = _bytes(await _other(info, draft, against)), _rules(info)
    work = partial(compared, draft.plan_data, other, **rules, limit=limit, wanted=_wanted(info, CHANGES))
    found = await info.context.calculated(work)
    return [_change(entry) for entry in _counted(found)]


async def change_summary_of(info: Info, draft: Draft, against: ChangeBase) -> ChangeSummary | None:
    """The summary of a draft's changes. Raises Refused (INVALID_PLAN) for a draft without a plan."""
    other = _bytes(await _other(info, draft, against))
    found = await info.context.calculated(partial(summarized, draft.plan_data, other, **_rules(info)))
    return ChangeSummary(**asdict(found))


async def _other(info: Info, draft: Draft, against: ChangeBase) -> PlanVersion | None:
    """The version to compare with; of a draft that is based on none yet, the current one."""
    loaders = info.context.loaders
    base_key = await _base_key(info, draft) if against is ChangeBase.BASE else None
    if base_key is not None:
        return await loaders.plan_versions.load(base_key)
    return await loaders.plans.load(draft.aidbox_id) if draft.aidbox_id else None


async def _base_key(info: Info, draft: Draft) -> tuple[str, str] | None:
    """The plan's id and the version that a draft is based on; None for one that was never submitted, or edits none."""
    if draft.aidbox_id is None or draft.camunda_process_id is None:
        return None
    (variables,) = await variables_of_drafts(info, [draft])
    most = info.context.settings.max_plan_bytes
    noted = await info.context.calculated(
        partial(noted_version, draft.plan_data, draft.camunda_process_id, max_bytes=most)
    )
    return rebase.base_of(draft, noted, variables or NO_VARIABLES)


async def conflicts_of(info: Info, draft: Draft, *, limit: int) -> list[FieldConflict] | None:
    """The fields that draft and store both changed since the draft's base. Raises Refused (INVALID_PLAN)."""
    base_key = await _base_key(info, draft)
    if base_key is None or draft.aidbox_id is None:
        return []
    plan, loaders = draft.plan_data, info.context.loaders
    base, current = await asyncio.gather(loaders.plan_versions.load(base_key), loaders.plans.load(draft.aidbox_id))
    options = {**_rules(info), "limit": limit, "wanted": _wanted(info, CONFLICTS)}
    found = await info.context.calculated(partial(conflicting, _bytes(base), plan, _bytes(current), **options))
    return to_field_conflicts(found)


def to_field_conflicts(found: list[Entry]) -> list[FieldConflict]:
    """Conflicts of a merge as FieldConflict."""
    return [_conflict(entry) for entry in _counted(found)]


def _counted(found: list[Entry]) -> list[Entry]:
    """The entries, with their bytes counted; none where the answer is too large already."""
    return found if add_bytes(sum(entry.size for entry in found)) else []


def _rules(info: Info) -> dict[str, Any]:
    """How plans are read and compared here."""
    settings = info.context.settings
    return {"max_bytes": settings.max_plan_bytes, "terms": Terms(keeps_digits=settings.aidbox_keeps_digits)}


def _wanted(info: Info, of: str) -> frozenset[str]:
    requirements = info.context.requirements
    return frozenset(part for part in comparison.ALL if requirements.has(of, part))


def _bytes(version: PlanVersion | None) -> bytes | None:
    return bytes(version.resource) if version else None


def _change(entry: Entry) -> FieldChange:
    before, after = map(_json, entry.values or (None, None))
    before_text, after_text = entry.texts or (None, None)
    return FieldChange(
        path=entry.path,
        kind=FieldChangeKind[entry.kind],
        label=entry.label,
        before=before,
        after=after,
        before_text=before_text,
        after_text=after_text,
        pointer=entry.pointer if entry.path != MORE else None,
        precision_only=entry.is_precision_only,
    )


def _conflict(entry: Entry) -> FieldConflict:
    base, mine, theirs = map(_json, entry.values or NOTHING)
    base_text, mine_text, theirs_text = entry.texts or NOTHING
    return FieldConflict(
        path=entry.path,
        label=entry.label,
        base=base,
        mine=mine,
        theirs=theirs,
        base_text=base_text,
        mine_text=mine_text,
        theirs_text=theirs_text,
        pointer=entry.pointer if entry.path != MORE else None,
        precision_only=entry.is_precision_only,
    )


def _json(value: bytes | None) -> Json | None:
    return None if value is None else Json(value)
