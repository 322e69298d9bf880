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

# The most important first.
SUBJECTS = (
    Subject(("generalCost", "specificCost"), "cost", COST),
    Subject(("network",), "network", NETWORK),
    Subject(("period",), "date", DATES),
    Subject(("benefit",), "benefit", COVERAGE),
    Subject(("coverage",), "coverage", COVERAGE),
    Subject(("coverageArea",), "coverage area", SERVICE_AREA),
    Subject(("status",), "status", OTHER),
    Subject(("type",), "type", OTHER),
    Subject(("plan",), "plan option", OTHER),
    Subject(("ownedBy", "administeredBy"), "organization", OTHER),
    Subject(("identifier",), "identifier", OTHER),
    Subject(("contact",), "contact", OTHER),
    Subject(("endpoint",), "endpoint", OTHER),
)
TEXT = "text"  # the noun for names, aliases, and whatever has no subject
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
    """`3 costs changed, 1 network added and 2 more`: elements are counted, not the entries inside them."""
    # 1. Each entry belongs to one element of one subject; an element with any entry of its own inside has changed.
    kinds: dict[tuple[int, Steps], Kind] = {}
    for each in found:
        rank, element = subject(each.steps)
        is_whole = each.new_from is not None and each.new_from <= len(element)
        kind = each.kind if is_whole else Kind.CHANGED
        kinds[rank, element] = kind if kinds.get((rank, element), kind) is kind else Kind.CHANGED
    # 2. The groups of equal subject and kind, the most important first.
    groups = Counter((rank, kind) for (rank, _), kind in kinds.items())
    order = sorted(groups, key=lambda group: (group[0], list(VERBS).index(group[1])))
    named, more = order[:MOST_GROUPS], sum(groups[group] for group in order[MOST_GROUPS:])
    words = ", ".join(f"{groups[group]} {_noun(group, groups[group])} {VERBS[group[1]]}" for group in named)
    return f"{words} and {more} more" if more else words


def subject(steps: Steps) -> tuple[int, Steps]:
    """The rank of what a change is about, and the steps to the element it is in."""
    for rank, (fields, *_) in enumerate(SUBJECTS):
        first = next((number for number, step in enumerate(steps) if step in fields), None)
        if first is not None:
            return rank, steps[: _end(steps, first)]
    return len(SUBJECTS), steps


def _end(steps: Steps, first: int) -> int:
    """Where the element ends: for costs the innermost one, for others the one of the named field."""
    keys = [number for number in range(first + 1, len(steps)) if isinstance(steps[number], Key)]
    if not keys:
        return first + 1
    return (keys[-1] if steps[first] in SUBJECTS[0].fields else keys[0]) + 1


def _noun(group: Group, count: int) -> str:
    noun = SUBJECTS[group[0]].noun if group[0] < len(SUBJECTS) else TEXT
    return noun if count == 1 else PLURALS.get(noun, f"{noun}s")
