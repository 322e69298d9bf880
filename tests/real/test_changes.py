"""What a reviewer is shown of an edit that a person would make to a real plan."""

from collections import Counter
from copy import deepcopy
from decimal import Decimal
from typing import Any

import pytest

from plandiff.changes import Change, Kind, changes
from plandiff.labels import labels
from plandiff.matching import canonical
from plandiff.merge import Side, conflicts, merge
from tests.real import CAREFIRST, INDIA, NAMES, TIERS, Plan, sample

RETAIL = "plan[type=drug].specificCost[category=1-month-in-retail"


def told(before: Plan | None, after: Plan | None) -> list[tuple[str, str, str]]:
    """Kind, path and label of each change."""
    found = changes(before, after)
    called = labels([each.steps for each in found])
    return [(each.kind.value, each.path, label) for each, label in zip(found, called, strict=True)]


def kinds(found: list[Change]) -> Counter[Kind]:
    """How many of each."""
    return Counter(each.kind for each in found)


def tier(specific_cost: Plan) -> str:
    """The drug tier a specificCost of A3004t is about; its category is shared with four others."""
    return str(specific_cost["benefit"][0]["type"]["coding"][0]["code"])


def benefits(plan: Plan, category: int = 0) -> list[Plan]:
    """The benefits of a category."""
    found: list[Plan] = plan["plan"][0]["specificCost"][category]["benefit"]
    return found


@pytest.mark.parametrize("gone", ["generic", "zero-cost-share-preventative", "non-preferred-brand", "specialty"])
def test_one_tier_removed_and_one_amount_changed(gone: str) -> None:
    before, after = sample(TIERS), sample(TIERS)
    after["plan"][0]["specificCost"] = [each for each in after["plan"][0]["specificCost"] if tier(each) != gone]
    brand = next(each for each in after["plan"][0]["specificCost"] if tier(each) == "preferred-brand")
    copay = brand["benefit"][0]["cost"][0]["value"]
    assert copay["value"] == 50
    copay["value"] = 55

    found = changes(before, after)

    assert kinds(found) == {Kind.REMOVED: 16, Kind.CHANGED: 1}
    (changed,) = (each for each in found if each.kind is Kind.CHANGED)
    assert (changed.before, changed.after) == (50, 55)
    assert changed.path == (
        f"{RETAIL},benefit.type=preferred-brand].benefit[type=preferred-brand].cost[type=copay].value.value"
    )
    assert all(f"benefit.type={gone}]" in each.path for each in found if each is not changed)


@pytest.mark.parametrize("place", [0, 1, 5, 41])
def test_one_of_several_alike_benefits_removed(place: int) -> None:
    before, after = sample(CAREFIRST), sample(CAREFIRST)
    gone = benefits(after).pop(place)
    found = changes(before, after)
    assert kinds(found) == {Kind.REMOVED: 3}
    assert [canonical(each.before) for each in found] == [canonical(part) for part in (gone["type"], *gone["cost"])]


@pytest.mark.parametrize("place", [0, 1, 5, 41])
def test_one_of_several_alike_benefits_removed_and_another_changed(place: int) -> None:
    before, after = sample(CAREFIRST), sample(CAREFIRST)
    benefits(after)[7]["cost"][0]["value"]["value"] = Decimal("77.70")
    benefits(after).pop(place)
    found = changes(before, after)
    assert kinds(found) == {Kind.REMOVED: 3, Kind.CHANGED: 1}
    assert [each.after for each in found if each.kind is Kind.CHANGED] == [Decimal("77.70")]


def test_a_benefit_put_first_among_alike_ones() -> None:
    before, after = sample(CAREFIRST), sample(CAREFIRST)
    new = deepcopy(benefits(after)[0])
    new["cost"][0]["value"]["value"] = Decimal("12.50")
    benefits(after).insert(0, new)
    assert kinds(changes(before, after)) == {Kind.ADDED: 3}


def test_alike_benefits_in_another_order() -> None:
    before, after = sample(CAREFIRST), sample(CAREFIRST)
    benefits(after).append(benefits(after).pop(1))
    assert [each.path for each in changes(before, after)] == [f"{RETAIL}].benefit[order]"]


def test_labels_say_what_people_call_things() -> None:
    before, after = sample(INDIA), sample(INDIA)
    for plan in after["plan"]:
        plan["specificCost"][0]["benefit"][0]["cost"][0]["value"]["value"] = 2500
    ambulance = "specific cost Ambulance, device (physical object) › benefit Ambulance, device (physical object)"
    assert [label for _, _, label in told(before, after)] == [
        f"Plan Active Assure Silver{number} › {ambulance} › cost fullcoverage › value" for number in ("", ", 2")
    ]


def test_labels_tell_the_terms_of_a_formulary_apart() -> None:
    before, after = sample(TIERS), sample(TIERS)
    for each in after["plan"][0]["specificCost"]:
        for cost in each["benefit"][0]["cost"]:
            cost["value"]["value"] += 1
    found = told(before, after)
    assert len(found) == 40
    assert len({label for *_, label in found}) == 40
    assert found[0][2] == ("Specific cost 1 month in network retail, Generic › benefit Generic › cost Copay › value")


@pytest.mark.parametrize("name", NAMES)
def test_paths_and_labels_are_unique(name: str) -> None:
    found = changes(None, sample(name), at_most=100_000)
    assert len({each.path for each in found}) == len(found)
    assert len(set(labels([each.steps for each in found]))) == len(found)


@pytest.mark.parametrize("name", NAMES)
def test_a_narrative_written_anew_is_no_change(name: str) -> None:
    before, after = sample(name), sample(name)
    after["text"] = {"status": "generated", "div": "<div>by the store</div>"}
    assert changes(before, after) == []
    edited = {**after, "name": "Another"}
    assert conflicts(before, edited, {**after, "text": {"status": "generated", "div": "<div>again</div>"}}) == []


Edit = Any


def edits(plan: Plan) -> list[Edit]:
    """Edits a person would make, each to another part."""

    def rename(edited: Plan) -> None:
        edited["name"] = "Renamed"

    def retire(edited: Plan) -> None:
        edited["status"] = "retired"

    def amount(edited: Plan) -> None:
        benefits(edited)[-1]["cost"][0]["value"]["value"] = Decimal("33.30")

    def drop(edited: Plan) -> None:
        if len(benefits(edited, 1)) > 1:
            benefits(edited, 1).pop(0)
        else:
            edited["plan"][0]["specificCost"].pop(1)

    def add(edited: Plan) -> None:
        new = deepcopy(benefits(edited, -1)[0])
        new["cost"][0]["value"]["value"] = Decimal("0.10")
        benefits(edited, -1).append(new)

    return [
        rename,
        retire,
        *([amount, drop, add] if len(plan.get("plan", [{}])[0].get("specificCost", ())) > 1 else ()),
    ]


@pytest.mark.parametrize("name", NAMES)
def test_edits_of_two_people_are_merged(name: str) -> None:
    base = sample(name)
    every = edits(base)
    for number, theirs in enumerate(every):
        mine = [each for each in every if each is not theirs]
        one, other, both = deepcopy(base), deepcopy(base), deepcopy(base)
        for each in mine:
            each(one)
        theirs(other)
        for each in every:
            each(both)
        merged = merge(base, one, other)
        assert merged.conflicts == []
        assert canonical(merged.document) == canonical(both), number
        assert canonical(merge(base, other, one).document) == canonical(both)


@pytest.mark.parametrize("name", [TIERS, CAREFIRST])
def test_the_same_amount_changed_by_two_people(name: str) -> None:
    base, mine, theirs = sample(name), sample(name), sample(name)
    benefits(mine)[0]["cost"][0]["value"]["value"] = Decimal("41.10")
    benefits(theirs)[0]["cost"][0]["value"]["value"] = Decimal("42.20")
    (conflict,) = conflicts(base, mine, theirs)
    assert (conflict.mine, conflict.theirs) == (Decimal("41.10"), Decimal("42.20"))
    for side, wanted in ((Side.MINE, mine), (Side.THEIRS, theirs)):
        assert canonical(merge(base, mine, theirs, {conflict.path: side}).document) == canonical(wanted)
