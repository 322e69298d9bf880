"""What a draft changes and where it conflicts, from documents as texts to entries ready for an answer. Pure.

Made to run in a process of its own: texts and bytes go in and come out, which are quickly pickled.
"""

import sys
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from plandiff import plan_document
from plandiff.changes import MORE, MOST_ENTRIES, Change, Terms, changes, limited
from plandiff.extent import Extent, extent
from plandiff.labels import Steps, labels, paths
from plandiff.losses import digest, explained, losses
from plandiff.matching import canonical
from plandiff.merge import Conflict, Side, bounded, conflicts, merge
from plandiff.plan_document import PROCESS_TAG, InvalidPlan, Plan
from plandiff.summary import Summary, summary

PATH, LABEL, VALUES, TEXTS, POINTER, PRECISION = "path", "label", "values", "texts", "pointer", "precision"
ALL = frozenset({PATH, LABEL, VALUES, TEXTS, POINTER, PRECISION})


class Entry(NamedTuple):
    """A change (values: before, after) or a conflict (base, mine, theirs). What was not wanted is empty."""

    kind: str
    path: str
    label: str
    values: tuple[bytes | None, ...]
    texts: tuple[str | None, ...]
    pointer: str = ""
    is_precision_only: bool = False

    @property
    def size(self) -> int:
        """What it takes in an answer, about."""
        return len(self.path) + len(self.label) + sum(len(each) for each in (*self.values, *self.texts) if each)


def compared(
    plan: str,
    other: bytes | None,
    *,
    max_bytes: int,
    terms: Terms,
    limit: int = MOST_ENTRIES,
    wanted: AbstractSet[str] = ALL,
) -> list[Entry]:
    """The changes of a draft's plan against another version, and one more entry that counts those past the limit.

    Raises InvalidPlan.
    """
    listed = limited(_all_changes(plan, other, max_bytes, terms), limit)
    return entries([(each, each.kind.value, (each.before, each.after)) for each in listed], wanted)


def summarized(plan: str, other: bytes | None, *, max_bytes: int, terms: Terms) -> Summary:
    """A summary of all changes of a draft's plan against another version. Raises InvalidPlan."""
    return summary(_all_changes(plan, other, max_bytes, terms))


def extent_of(plan: str, other: bytes | None, *, max_bytes: int, terms: Terms) -> Extent:
    """How far a draft's plan goes from another version, in areas and percentages. Raises InvalidPlan."""
    return extent(_all_changes(plan, other, max_bytes, terms))


@lru_cache(maxsize=1)  # works on the same documents follow each other
def _all_changes(plan: str, other: bytes | None, max_bytes: int, terms: Terms) -> list[Change]:
    """All changes, computed once for the entries and the summary of the same two documents."""
    mine = plan_document.parse(plan, max_bytes=max_bytes)
    return changes(_read(other), mine, at_most=sys.maxsize, terms=terms)


def conflicting(
    base: bytes | None,
    plan: str,
    current: bytes | None,
    *,
    max_bytes: int,
    terms: Terms,
    limit: int = MOST_ENTRIES,
    wanted: AbstractSet[str] = ALL,
) -> list[Entry]:
    """What both a draft and the store changed since the base, and one more entry for those past the limit.

    Raises InvalidPlan.
    """
    mine = plan_document.parse(plan, max_bytes=max_bytes)
    return of_conflicts(conflicts(_read(base), mine, _read(current), terms=terms), wanted, limit=limit)


def of_conflicts(found: list[Conflict], wanted: AbstractSet[str] = ALL, *, limit: int = MOST_ENTRIES) -> list[Entry]:
    """The entries of conflicts; those past the most that are shown are one last entry."""
    return entries([(each, "", (each.base, each.mine, each.theirs)) for each in bounded(found, at_most=limit)], wanted)


def cut(found: list[Entry], limit: int, *, count: int) -> list[Entry]:
    """The first entries of those of `count` conflicts; what is more than `limit` is one last entry that counts it."""
    return found if count <= limit else [*found[:limit], Entry("", MORE, f"And {count - limit} more", (), ())]


def noted_version(plan: str, process_id: str, *, max_bytes: int) -> str | None:
    """The version that a draft notes it stands on, since the process it was last submitted to.

    Raises InvalidPlan.
    """
    ours = (
        tag.get("version")
        for tag in plan_document.tags(plan_document.parse(plan, max_bytes=max_bytes))
        if (tag.get("system"), tag.get("code")) == (PROCESS_TAG, process_id)
    )
    return next((version for version in ours if isinstance(version, str)), None)


class Moved(NamedTuple):
    """A draft's plan moved onto a version: `text`, unless there are conflicts left or it stands there already.

    `undecided`: how many conflicts, which `conflicts` may not all hold. `unknown`: a path chosen for that is none.
    """

    conflicts: list[Entry]
    undecided: int
    unknown: str | None
    text: bytes


def moved(
    base: bytes | None,
    plan: str,
    current: bytes,
    note: Plan,
    *,
    sides: Mapping[str, Side],
    otherwise: Side | None,
    max_bytes: int,
    terms: Terms,
) -> Moved:
    """What the draft changed since the base, made in the current version, with a note of that. Raises InvalidPlan."""
    mine = plan_document.parse(plan, max_bytes=max_bytes)
    merged = merge(_read(base), mine, _read(current), sides, otherwise=otherwise, terms=terms)
    unknown = min(set(sides) - merged.paths, default=None)
    text = plan_document.write(plan_document.with_our_tag(merged.document, note))
    return Moved(of_conflicts(merged.conflicts), len(merged.conflicts), unknown, text)


def is_same_text(one: str, other: str) -> bool:
    """Whether two documents say the same, to the digit; what can not be read says nothing."""
    try:
        return canonical(plan_document.read(one.encode())) == canonical(plan_document.read(other.encode()))
    except (msgspec.DecodeError, RecursionError):
        return False


def entries(found: Sequence[tuple[Change | Conflict, str, tuple[Any, ...]]], wanted: AbstractSet[str]) -> list[Entry]:
    """What is wanted of changes or conflicts."""
    steps: list[Steps] = [each.steps for each, *_ in found]
    where = paths(steps) if PATH in wanted else [""] * len(steps)
    called = labels(steps) if LABEL in wanted else [""] * len(steps)
    made = []
    for (each, kind, values), path, label in zip(found, where, called, strict=True):
        name, words = (MORE, f"And {each.left_out} more") if each.left_out else (path, label)
        encoded = tuple(_encoded(value) for value in values) if wanted & {VALUES, TEXTS} else ()
        texts = (
            tuple(_text(value, code) for value, code in zip(values, encoded, strict=True)) if TEXTS in wanted else ()
        )
        place = each.pointer if POINTER in wanted else ""
        is_precision_only = PRECISION in wanted and each.is_precision_only
        shown = encoded if VALUES in wanted else ()
        made.append(Entry(kind, name, words, shown, texts, place, is_precision_only))
    return made


def _read(document: bytes | None) -> Plan | None:
    return None if document is None else plan_document.read(document)


def _encoded(value: Any) -> bytes | None:
    return None if value is None else plan_document.write(value)


def _text(value: Any, code: bytes | None) -> str | None:
    """A value as people read it: a text without quotes, a number with all its digits, what has parts as JSON."""
    return value if isinstance(value, str) else None if code is None else code.decode()


# What publication and submission ask of plans


def says_all(plan: str, plan_id: str, held: bytes, *, max_bytes: int, keeps_digits: bool) -> bool:
    """Whether a version of the plan says all that a draft says; what is no plan says nothing a version could."""
    try:
        mine = plan_document.parse(plan, max_bytes=max_bytes)
    except InvalidPlan:
        return False
    return plan_document.is_held({**mine, "id": plan_id}, plan_document.read(held), keeps_digits=keeps_digits)


def resource_of(plan: str, plan_id: str, process_id: str, *, max_bytes: int) -> bytes:
    """What is sent to the store. Raises InvalidPlan."""
    mine = plan_document.parse(plan, max_bytes=max_bytes)
    return plan_document.write(plan_document.tagged_resource(mine, plan_id, process_id, digest(mine)))


def first_whole(resource: bytes | None, versions: Sequence[bytes], digests: Sequence[str | None]) -> int | None:
    """The place of the first version that has all of a resource, or the digest that belongs to it."""
    sent = _read(resource)
    for place, (version, expected) in enumerate(zip(versions, digests, strict=True)):
        held = plan_document.read(version)
        if (sent is not None and not any(losses(sent, held))) or (expected is not None and expected == digest(held)):
            return place
    return None


def is_same_version(one: bytes, other: bytes) -> bool:
    """Whether two versions say the same."""
    return plan_document.same_content(plan_document.read(one), plan_document.read(other))


def is_written(resource: bytes, held: bytes, *, keeps_digits: bool) -> bool:
    """Whether a store that has `held` need not be sent the resource."""
    return plan_document.is_same(plan_document.read(resource), plan_document.read(held), keeps_digits=keeps_digits)


def what_is_lost(resource: bytes, held: bytes) -> str | None:
    """What a store did not keep of a resource, in a sentence; None when nothing."""
    return explained(losses(plan_document.read(resource), plan_document.read(held)))


def draft_of(resource: bytes) -> bytes:
    """A version of a plan as a draft has it."""
    return plan_document.write(plan_document.editable(plan_document.read(resource)))
