"""A summary of many changes in a few words: how many of each kind, and a headline of the most important ones. Pure."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from plandiff.changes import Change, Kind
from plandiff.labels import Steps
from plandiff.matching import Key

MOST_GROUPS = 3  # that a headline names


class Subject(NamedTuple):
    """What a change is about: any of these fields on its way, the noun for the headline, and the area for rules."""

    fields: tuple[str, ...]
    noun: str
    area: str


COST, COVERAGE, DATES, NETWORK, OTHER = "cost", "coverage", "dates", "network", "other"
SERVICE_AREA, WORDING = "service-area", "wording"
AREAS = (COST, COVERAGE, DATES, NETWORK, OTHER, SERVICE_AREA, WORDING)

WORDING_FIELDS = frozenset({"name", "alias", "text", "_name", "_alias"})
OPTION = "plan option"

# The most important first.
SUBJECTS = (
    Subject(("generalCost", "specificCost"), "cost", COST),
    Subject(("network",), "network", NETWORK),
    Subject(("period",), "period", DATES),
    Subject(("benefit",), "benefit", COVERAGE),
    Subject(("coverage",), "coverage", COVERAGE),
    Subject(("coverageArea",), "coverage area", SERVICE_AREA),
    Subject(("status",), "status", OTHER),
    Subject(("type",), "type", OTHER),
    Subject(("plan",), OPTION, OTHER),
    Subject(("ownedBy", "administeredBy"), "organization", OTHER),
    Subject(("identifier",), "identifier", OTHER),
    Subject(("contact",), "contact", OTHER),
    Subject(("endpoint",), "endpoint", OTHER),
)
# What has no subject: the nouns and areas of other fields, and of names and texts.
REST = (("field", OTHER), ("text", WORDING))
NOUNS = (*(each.noun for each in SUBJECTS), *(noun for noun, _ in REST))
PLURALS = {"status": "statuses"}
VERBS = {Kind.CHANGED: "changed", Kind.ADDED: "added", Kind.REMOVED: "removed"}

Group = tuple[int, Kind]  # a subject's rank, and what became of it


@dataclass(frozen=True)
class Summary:
    """Entries by kind. `precision_only` are amounts written with other digits, which count in `total` alone."""

    added: int
    removed: int
    changed: int
    precision_only: int
    total: int
    headline: str


def summary(found: Iterable[Change]) -> Summary:
    """The summary of all changes between two plans; a generated narrative is none of them (see `changes`)."""
    entries = list(found)
    real = [each for each in entries if not each.is_precision_only]
    kinds = Counter(each.kind for each in real)
    return Summary(
        added=kinds[Kind.ADDED],
        removed=kinds[Kind.REMOVED],
        changed=kinds[Kind.CHANGED],
        precision_only=len(entries) - len(real),
        total=len(entries),
        headline=_headline(real) or ("Amounts written with other digits" if entries else "No changes"),
    )


def _headline(found: list[Change]) -> str:
    """`3 costs changed, 1 network added and 2 more`: elements are counted, not the entries inside them.

    A period is one whichever of its dates changed. What is new or gone as a whole is one with all that is in it, a plan
    option with its costs, however many entries that makes.
    """
    # 1. Each entry belongs to one element of one subject; an element with any entry of its own inside has changed.
    kinds: dict[tuple[int, Steps], Kind] = {}
    for each in found:
        whole = _whole(each)
        rank, element = subject(each.steps if whole is None else each.steps[:whole])
        is_whole = whole is not None and whole <= len(element)
        kind = each.kind if is_whole else Kind.CHANGED
        kinds[rank, element] = kind if kinds.get((rank, element), kind) is kind else Kind.CHANGED
    # 2. The groups of equal subject and kind, the most important first.
    groups = Counter((rank, kind) for (rank, _), kind in kinds.items())
    order = sorted(groups, key=lambda group: (_importance(group), list(VERBS).index(group[1])))
    named, more = order[:MOST_GROUPS], sum(groups[group] for group in order[MOST_GROUPS:])
    words = ", ".join(f"{groups[group]} {_noun(group, groups[group])} {VERBS[group[1]]}" for group in named)
    return f"{words} and {more} more" if more else words


def subject(steps: Steps) -> tuple[int, Steps]:
    """The rank of what a change is about, and the steps to the element it is in."""
    for rank, (fields, *_) in enumerate(SUBJECTS):
        first = next((number for number, step in enumerate(steps) if step in fields), None)
        if first is not None:
            return rank, steps[: _end(steps, first)]
    return len(SUBJECTS) + int(not WORDING_FIELDS.isdisjoint(steps[:1])), steps


def _whole(change: Change) -> int | None:
    """How many steps lead to the element that is new or gone as a whole; of a list each element is one."""
    length = change.new_from
    if length is None or length >= len(change.steps) or not isinstance(change.steps[length], Key):
        return length
    return length + 1


def _importance(group: Group) -> float:
    """The place among the groups: by the subject; a plan option that is new or gone comes right after costs."""
    rank, kind = group
    return 0.5 if NOUNS[rank] == OPTION and kind is not Kind.CHANGED else rank


def _end(steps: Steps, first: int) -> int:
    """Where the element ends: for costs the innermost one, for others the one of the named field."""
    keys = [number for number in range(first + 1, len(steps)) if isinstance(steps[number], Key)]
    if not keys:
        return first + 1
    return (keys[-1] if steps[first] in SUBJECTS[0].fields else keys[0]) + 1


def _noun(group: Group, count: int) -> str:
    noun = NOUNS[group[0]]
    return noun if count == 1 else PLURALS.get(noun, f"{noun}s")
