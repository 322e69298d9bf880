"""Summaries of changes: the counts, and the headline."""

from copy import deepcopy
from decimal import Decimal
from typing import Any

import pytest

from plandiff.changes import changes
from plandiff.summary import Summary, summary

Plan = dict[str, Any]


def cost(name: str, amount: str) -> Plan:
    return {"type": {"text": name}, "cost": {"value": Decimal(amount), "currency": "USD"}}


PLAN: Plan = {
    "resourceType": "InsurancePlan",
    "name": "Gold",
    "status": "active",
    "period": {"start": "2027-01-01"},
    "network": [{"reference": "Organization/north"}],
    "coverage": [
        {"type": {"text": "Medical"}, "benefit": [{"type": {"text": "Emergency"}}, {"type": {"text": "Maternity"}}]}
    ],
    "plan": [{"type": {"text": "Gold"}, "generalCost": [cost("Deductible", "3000.00"), cost("Maximum", "9000.00")]}],
}


def edited(*path: str | int, to: Any) -> Plan:
    """The plan with something else at a place; None takes it out."""
    plan = deepcopy(PLAN)
    part: Any = plan
    for step in path[:-1]:
        part = part[step]
    if to is None:
        del part[path[-1]]
    elif isinstance(part, list) and path[-1] == len(part):
        part.append(to)
    else:
        part[path[-1]] = to
    return plan


VALUE = ("plan", 0, "generalCost", 0, "cost", "value")


@pytest.mark.parametrize(
    ("after", "headline"),
    [
        (PLAN, "No changes"),
        (edited("name", to="Gold 2027"), "1 text changed"),
        (edited("status", to="retired"), "1 status changed"),
        (edited("period", "start", to="2028-01-01"), "1 period changed"),
        (edited("period", to={"start": "2028-01-01", "end": "2028-12-31"}), "1 period changed"),
        (edited("period", "end", to="2027-12-31"), "1 period changed"),
        (edited("period", to=None), "1 period removed"),
        (edited("plan", 1, to={"type": {"text": "Silver"}}), "1 plan option added"),
        (edited("plan", to=None), "1 plan option removed"),
        (edited("language", to="de"), "1 field added"),
        (edited("alias", to=["Gold", "G"]), "1 text added"),
        (edited(*VALUE, to=Decimal("2500.00")), "1 cost changed"),
        (edited(*VALUE, to=Decimal("3000.0")), "Amounts written with other digits"),
        (edited("plan", 0, "generalCost", 2, to=cost("Copay", "30.00")), "1 cost added"),
        (edited("plan", 0, "generalCost", 1, to=None), "1 cost removed"),
        (edited("network", 1, to={"reference": "Organization/south"}), "1 network added"),
        (edited("coverage", 0, "benefit", 0, to=None), "1 benefit removed"),
        (edited("coverage", 0, "benefit", 0, "requirement", to="Within 24 hours"), "1 benefit changed"),
        (edited("coverage", to=None), "1 coverage removed"),
        (edited("text", to={"status": "generated", "div": "<div/>"}), "No changes"),
    ],
)
def test_headlines(after: Plan, headline: str) -> None:
    assert summary(changes(PLAN, after)).headline == headline


def test_the_most_important_come_first_and_are_counted_by_element() -> None:
    after = deepcopy(PLAN)
    after["name"], after["alias"] = "Other", ["A", "B"]
    after["period"]["start"] = "2028-01-01"
    after["coverage"][0]["benefit"].append({"type": {"text": "Dental"}, "requirement": "Referral"})
    for each in after["plan"][0]["generalCost"]:
        each["cost"]["value"] += 1
        each["comment"] = "New"
    after["network"] = []
    assert summary(changes(PLAN, after)) == Summary(
        added=4, removed=1, changed=4, precision_only=0, total=9,
        headline="2 costs changed, 1 network removed, 1 period changed and 3 more",
    )  # fmt: skip


def test_a_plan_from_nothing() -> None:
    found = summary(changes(None, PLAN))
    assert (found.changed, found.removed, found.added) == (0, 0, found.total)
    assert found.headline == "1 plan option added, 1 network added, 1 period added and 3 more"


@pytest.mark.parametrize("costs", [1, 4, 40])
def test_what_is_new_as_a_whole_is_one_however_large_it_is(costs: int) -> None:
    option = {"type": {"text": "Silver"}, "generalCost": [cost(f"Cost {number}", "1.00") for number in range(costs)]}
    after = edited("plan", 1, to=option)
    after["period"] = {"start": "2028-01-01", "end": "2028-12-31"}
    after["plan"][0]["generalCost"][0]["cost"]["value"] = Decimal("2500.00")
    after["network"].append({"reference": "Organization/south"})
    headline = "1 cost changed, 1 plan option added, 1 network added and 1 more"
    assert summary(changes(PLAN, after)).headline == headline
    back = "1 cost changed, 1 plan option removed, 1 network removed and 1 more"
    assert summary(changes(after, PLAN)).headline == back


def test_other_digits_are_counted_apart() -> None:
    after = edited(*VALUE, to=Decimal("3000.0"))
    after["name"] = "Other"
    assert summary(changes(PLAN, after)) == Summary(0, 0, 1, 1, 2, "1 text changed")
