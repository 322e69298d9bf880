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
        (edited("period", "start", to="2028-01-01"), "1 date changed"),
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
        headline="2 costs changed, 1 network removed, 1 date changed and 3 more",
    )  # fmt: skip


def test_a_plan_from_nothing() -> None:
    found = summary(changes(None, PLAN))
    assert (found.changed, found.removed, found.added) == (0, 0, found.total)
    assert found.headline == "1 network added, 1 date added, 1 coverage added and 3 more"


def test_other_digits_are_counted_apart() -> None:
    after = edited(*VALUE, to=Decimal("3000.0"))
    after["name"] = "Other"
    assert summary(changes(PLAN, after)) == Summary(0, 0, 1, 1, 2, "1 text changed")
