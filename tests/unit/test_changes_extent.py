"""How far changes go, for rules that choose reviewers: areas, and percentages of costs."""

from copy import deepcopy
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest

from plandiff.changes import changes
from plandiff.extent import Extent, extent
from plandiff.summary import AREAS, SUBJECTS
from tests.unit.test_changes_summary import PLAN as SUMMARY_PLAN
from tests.unit.test_changes_summary import cost

Plan = dict[str, Any]
OPTION = {"type": {"text": "Silver"}, "generalCost": [cost("Deductible", "10.00")]}
COPAY = {"type": {"text": "copay"}, "value": {"value": Decimal("25.00"), "unit": "USD"}}
PLAN: Plan = {
    **SUMMARY_PLAN,
    "coverageArea": [{"reference": "Location/ct"}],
    "plan": [
        {
            **SUMMARY_PLAN["plan"][0],
            "generalCost": [*SUMMARY_PLAN["plan"][0]["generalCost"], cost("monthly-premium", "400.00")],
            "specificCost": [
                {"category": {"text": "Medical"}, "benefit": [{"type": {"text": "Emergency"}, "cost": [COPAY]}]}
            ],
        }
    ],
}
GENERAL, SPECIFIC = ("plan", 0, "generalCost"), ("plan", 0, "specificCost", 0, "benefit", 0, "cost")
DEDUCTIBLE, PREMIUM = (*GENERAL, 0, "cost", "value"), (*GENERAL, 2, "cost", "value")
ABSENT = object()


def edited(*edits: tuple[tuple[str | int, ...], Any], plan: Plan = PLAN) -> Plan:
    """The plan with other values at places: new at the end of a list, gone for ABSENT."""
    plan = deepcopy(plan)
    for path, value in edits:
        part: Any = plan
        for step in path[:-1]:
            part = part[step]
        if value is ABSENT:
            del part[path[-1]]
        elif isinstance(part, list) and path[-1] == len(part):
            part.append(value)
        else:
            part[path[-1]] = value
    return plan


def amount(path: tuple[str | int, ...], value: str) -> Plan:
    return edited((path, Decimal(value)))


def went(before: Plan | None, after: Plan) -> Extent:
    return extent(changes(before, after))


@pytest.mark.parametrize(
    ("after", "changed", "areas"),
    [
        (PLAN, 0, ""),
        (amount(DEDUCTIBLE, "3000.0"), 0, ""),
        (edited((("name",), "Gold 2027")), 1, "wording"),
        (edited((("alias",), ["G"]), (("text",), {"status": "additional", "div": "<div/>"})), 2, "wording"),
        (edited((("_name",), {"extension": [{"url": "urn:x", "valueString": "y"}]})), 1, "wording"),
        (edited((("status",), "retired")), 1, "other"),
        (edited((("language",), "en")), 1, "other"),
        (edited((("extension",), [{"url": "urn:premium", "valueDecimal": Decimal(3)}])), 1, "other"),
        (edited((("period", "start"), "2028-01-01")), 1, "dates"),
        (edited((("network", 1), {"reference": "Organization/south"})), 1, "network"),
        (edited((("plan", 0, "network"), [{"reference": "Organization/south"}])), 1, "network"),
        (edited((("coverageArea", 0, "reference"), "Location/ny")), 1, "service-area"),
        (edited((("coverage", 0, "benefit", 1), ABSENT)), 1, "coverage"),
        (edited((("coverage", 0, "benefit", 0, "requirement"), "Referral")), 1, "coverage"),
        (edited((("coverage", 1), {"type": {"text": "Dental"}, "network": [{"display": "x"}]})), 1, "coverage,network"),
        (amount(DEDUCTIBLE, "2500.00"), 1, "cost"),
        (edited(((*GENERAL, 0, "comment"), "Per person")), 1, "cost"),
        (amount((*SPECIFIC, 0, "value", "value"), "30.00"), 1, "cost"),
        (edited((("plan", 1), OPTION)), 1, "cost,other"),
        (edited((("name",), "Au"), (DEDUCTIBLE, Decimal(1)), (("period", "end"), "2028")), 3, "cost,dates,wording"),
    ],
)  # fmt: skip
def test_areas(after: Plan, changed: int, areas: str) -> None:
    """The same to and fro: what is gone counts as what is new."""
    for there in (went(PLAN, after), went(after, PLAN)):
        assert (there.changed, ",".join(there.areas)) == (changed, areas)


@pytest.mark.parametrize(
    ("after", "cost_percent", "premium_percent"),
    [
        (PLAN, 0.0, 0.0),
        (edited((("name",), "Gold 2027")), 0.0, 0.0),
        (edited(((*GENERAL, 0, "comment"), "Per person")), 0.0, 0.0),
        (amount(DEDUCTIBLE, "3000.0"), 0.0, 0.0),
        (amount(DEDUCTIBLE, "3300.00"), 10.0, 0.0),
        (amount(DEDUCTIBLE, "2400.00"), -20.0, 0.0),
        (amount(DEDUCTIBLE, "0"), -100.0, 0.0),
        (amount(DEDUCTIBLE, "4000.00"), 33.3333, 0.0),
        (amount(PREMIUM, "420.00"), 5.0, 5.0),
        (edited((PREMIUM, Decimal("420.00")), (DEDUCTIBLE, Decimal("2700.00"))), -10.0, 5.0),
        (amount((*SPECIFIC, 0, "value", "value"), "30.00"), 20.0, 0.0),
        # not to be told in percent
        (edited(((*GENERAL, 3), cost("copay", "30.00"))), None, 0.0),
        (edited(((*GENERAL, 1), ABSENT)), None, 0.0),
        (edited(((*GENERAL, 3), cost("Premium, family", "900.00"))), None, None),
        (edited(((*GENERAL, 2), ABSENT)), None, None),
        (edited((PREMIUM, Decimal("420.00")), ((*GENERAL, 1), ABSENT)), None, 5.0),
        (edited(((*GENERAL, 0, "cost", "currency"), "EUR")), None, 0.0),
        (edited(((*GENERAL, 0, "cost"), ABSENT)), None, 0.0),
        (edited(((*SPECIFIC, 0, "value", "unit"), "percent")), None, 0.0),
        (edited(((*GENERAL, 2, "groupSize"), 4)), None, None),
        (edited((("plan", 1), OPTION)), None, 0.0),
        (edited((("plan", 1), {"generalCost": [cost("PREMIUM", "1.00")]})), None, None),
        (amount(DEDUCTIBLE, "1e400"), None, 0.0),
        (edited((DEDUCTIBLE, 10**400)), None, 0.0),
    ],
)
def test_percentages(after: Plan, cost_percent: float | None, premium_percent: float | None) -> None:
    there = went(PLAN, after)
    assert (there.cost_percent, there.premium_percent) == (cost_percent, premium_percent)


@pytest.mark.parametrize("zero", ["0", "0.00", "1e-400"])
def test_nothing_is_a_percentage_of_zero(zero: str) -> None:
    assert went(amount(DEDUCTIBLE, zero), PLAN).cost_percent is None
    assert went(amount(DEDUCTIBLE, "-2000"), amount(DEDUCTIBLE, "-1000")).cost_percent == 50.0


def test_a_plan_from_nothing_is_of_every_area_it_has() -> None:
    there = went(None, PLAN)
    assert there.areas == ("cost", "coverage", "dates", "network", "other", "service-area", "wording")
    assert (there.cost_percent, there.premium_percent) == (None, None)


def test_no_area_contains_another() -> None:
    """So that a rule may look for one with `contains`."""
    assert list(AREAS) == sorted(AREAS)
    assert [(one, other) for one, other in permutations(AREAS, 2) if one in other] == []
    assert {each.area for each in SUBJECTS} | {"wording"} == set(AREAS)
