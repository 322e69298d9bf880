"""What a submission tells its process of its changes, as the engine has it: for models that route by it."""

from decimal import Decimal
from typing import Any

import pytest

from api.upstreams.camunda.process_variables import CHANGE_VARIABLES
from sandbox.samples import ENCODER
from tests.serving import AUTHOR, GOLD, Api
from tests.stories.behind import Behind, Resource, edited, read
from tests.verbs import WITHDRAW, perform, submitted

NAMES = ("isNewPlan", "changeCount", "changedAreas", "costChangePercent", "premiumChangePercent")
DEDUCTIBLE, PREMIUM = 0, 3


def costing(amounts: dict[int, str], **changes: object) -> str:
    """The gold plan with other amounts of general costs, and other members."""
    plan = read(GOLD)
    for place, amount in amounts.items():
        plan["plan"][0]["generalCost"][place]["cost"]["value"] = Decimal(amount)
    return ENCODER.encode({**plan, **changes}).decode()


def noted(behind: Behind, process_id: str) -> list[tuple[str, Any]]:
    """The types and values of the variables, in the order of NAMES."""
    asked = {"processInstanceIdIn": [process_id], "variableNameIn": NAMES}
    answer = behind.engine.post("/history/variable-instance", json=asked, params={"deserializeValues": "false"})
    found = {each["name"]: (each["type"], each["value"]) for each in answer.json()}
    return [found[name] for name in NAMES]


def submission(api: Api, behind: Behind, plan: str, base: Resource | None = None) -> list[tuple[str, Any]]:
    """The variables of a submission that edits a plan of its own."""
    plan_id, _ = behind.stored_plan(base)
    return noted(behind, submitted(api, behind.drafts.new(plan=plan, aidbox_id=plan_id), AUTHOR))


def test_their_names() -> None:
    assert CHANGE_VARIABLES == NAMES


@pytest.mark.parametrize(
    ("plan", "count", "areas", "cost", "premium"),
    [
        (GOLD, 0, "", 0.0, 0.0),
        (edited(name="Summit Gold 2028"), 1, "wording", 0.0, 0.0),
        (costing({DEDUCTIBLE: "1800.00"}), 1, "cost", 20.0, 0.0),
        (costing({DEDUCTIBLE: "1500.000"}), 0, "", 0.0, 0.0),
        (costing({DEDUCTIBLE: "1200.00", PREMIUM: "432.9675"}, name="G"), 3, "cost,wording", -20.0, 5.0),
        (edited(period={"start": "2028-01-01"}), 2, "dates", 0.0, 0.0),
    ],
)
def test_an_edit(api: Api, behind: Behind, plan: str, count: int, areas: str, cost: float, premium: float) -> None:
    assert submission(api, behind, plan) == [
        ("Boolean", False),
        ("Long", count),
        ("String", areas),
        ("Double", cost),
        ("Double", premium),
    ]


def test_a_cost_that_is_new_has_no_percentage(api: Api, behind: Behind) -> None:
    plan = read(GOLD)
    plan["plan"][0]["generalCost"].append({"type": {"text": "copay"}, "cost": {"value": 20, "currency": "USD"}})
    _, count, areas, cost, premium = submission(api, behind, ENCODER.encode(plan).decode())
    assert (count, areas, cost, premium) == (("Long", 1), ("String", "cost"), ("String", None), ("Double", 0.0))


def test_a_new_plan(api: Api, behind: Behind) -> None:
    draft_id = behind.drafts.new()
    is_new, count, areas, *percentages = noted(behind, submitted(api, draft_id, AUTHOR))
    assert is_new == ("Boolean", True)
    assert count[0] == "Long"
    assert count[1] > 10
    assert areas == ("String", "cost,coverage,dates,other,service-area,wording")
    assert percentages == [("String", None)] * 2


def test_each_submission_is_compared_anew(api: Api, behind: Behind) -> None:
    plan_id, _ = behind.stored_plan()
    draft_id = behind.drafts.new(plan=edited(name="Summit Gold 2028"), aidbox_id=plan_id)
    assert noted(behind, submitted(api, draft_id, AUTHOR))[2] == ("String", "wording")
    perform(api, WITHDRAW, AUTHOR, draftId=draft_id)
    behind.drafts.edit(draft_id, plan=costing({DEDUCTIBLE: "1800.00"}))
    assert noted(behind, submitted(api, draft_id, AUTHOR))[2] == ("String", "cost")


def test_a_plan_that_can_not_be_compared_is_submitted_all_the_same(api: Api, behind: Behind) -> None:
    """Another client wrote it deeper than a draft may be: what the variables would say is null."""
    deep: dict[str, object] = {"url": "urn:deepest", "valueString": "x"}
    for _ in range(40):
        deep = {"url": "urn:deep", "extension": [deep]}
    found = submission(api, behind, GOLD, {**read(GOLD), "extension": [deep]})
    assert found == [("Boolean", False), *[("String", None)] * 4]
