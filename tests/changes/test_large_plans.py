"""Plans as large as they may be: compared once a request, beside the event loop, with an end; answers have a bound."""

import json

import pytest

from api.settings import Settings
from tests.changes.conftest import Store, gold, text
from tests.serving import AUTHOR, Api, Drafts, serving

LARGEST = 900_000  # bytes of the plans here, below MAX_PLAN_BYTES


def large(amount: int = 1) -> str:
    """A plan of 0.9 MB whose elements nothing tells apart."""
    element = {"type": {"text": "x"}, "cost": {"value": amount, "currency": "USD"}}
    one = json.dumps(element)
    return json.dumps({**json.loads(text(gold())), "generalCost": [element] * (LARGEST // (len(one) + 2))})


def oddly_named() -> str:
    """A plan with a field whose name takes nearly all of it, and many fields below."""
    return json.dumps({"resourceType": "InsurancePlan", "name": "P", "n" * 800_000: {f"f{n}": n for n in range(400)}})


@pytest.fixture
def edited(drafts: Drafts, plans: Store) -> str:
    """A draft of a large plan, each element of which it changes."""
    plan_id, _ = plans.new(gold())
    return drafts.new(plan=large(), aidbox_id=plan_id)


def test_twenty_times_the_changes_of_a_draft_are_worked_out_once(api: Api, edited: str) -> None:
    fields = " ".join(f"a{number}: draft(id: $id) {{ changes {{ kind }} }}" for number in range(20))
    one = "query One($id: ID!) { a0: draft(id: $id) { changes { kind } } }"
    data = api.ask(f"query Twenty($id: ID!) {{ {fields} }}", AUTHOR, id=edited)
    assert len(data) == 20
    assert {json.dumps(each) for each in data.values()} == {json.dumps(api.ask(one, AUTHOR, id=edited)["a0"])}


def test_the_plans_count_in_what_a_request_costs(settings: Settings, drafts: Drafts, plans: Store) -> None:
    plan_id, _ = plans.new(gold())
    ids = [drafts.new(plan=large(number), aidbox_id=plan_id) for number in (1, 2)]
    size = len(large()) + len(text(gold()))
    query = "query Both($ids: [ID!]) { drafts(ids: $ids, limit: 2) { items { changes { kind } } } }"
    for afforded, seen in ((1, [False, True]), (2, [True, True])):
        with serving(settings.model_copy(update={"max_cost": 1100 + afforded * (size // 100 + 100)})) as api:
            answer = api.answer(query, AUTHOR, ids=ids)
        items = answer["data"]["drafts"]["items"]
        assert sorted(item["changes"] is not None for item in items) == seen
        codes = [error["extensions"]["code"] for error in answer.get("errors", [])]
        assert codes == ["QUERY_TOO_COSTLY"] * (2 - afforded)


def test_a_long_name_is_cut_in_paths_and_labels(api: Api, drafts: Drafts, plans: Store) -> None:
    plan_id, _ = plans.new(gold())
    draft_id = drafts.new(plan=oddly_named(), aidbox_id=plan_id)
    query = "query Odd($id: ID!) { draft(id: $id) { changes(limit: 500) { path label kind } } }"
    body = api.post(query, AUTHOR, id=draft_id)
    assert len(body.content) < 200_000
    found = body.json()["data"]["draft"]["changes"]
    odd = [each for each in found if each["path"].startswith("[")]
    assert len(odd) == 400
    assert max(len(each["path"]) for each in odd) < 120
    assert len({each["path"] for each in found}) == len({each["label"] for each in found}) == len(found)


@pytest.mark.parametrize("field", ["planData", "planDataText", "changes { after }", "changes { afterText }"])
def test_an_answer_has_a_largest_size(settings: Settings, drafts: Drafts, field: str) -> None:
    draft_id = drafts.new(plan=large())
    fields = " ".join(f"a{number}: draft(id: $id) {{ {field} }}" for number in range(3))
    with serving(settings.model_copy(update={"max_answer_bytes": 2 * LARGEST})) as api:
        answer = api.answer(f"query Three($id: ID!) {{ {fields} }}", AUTHOR, id=draft_id)
        whole = api.answer(f"query One($id: ID!) {{ a: draft(id: $id) {{ {field} }} }}", AUTHOR, id=draft_id)
    if field.startswith("changes"):  # as many entries as are shown take less
        assert "errors" not in answer
    else:
        assert answer["errors"][0]["extensions"]["code"] == "ANSWER_TOO_LARGE"
        assert "data" not in answer
    assert "errors" not in whole


def test_small_values_count_as_well(settings: Settings, drafts: Drafts) -> None:
    ids = [drafts.new(name="n" * 2000) for _ in range(100)]
    with serving(settings.model_copy(update={"max_answer_bytes": 100_000})) as api:
        query = "query Names($ids: [ID!]) { drafts(ids: $ids, limit: 100) { items { name } } }"
        answer = api.answer(query, AUTHOR, ids=ids)
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["ANSWER_TOO_LARGE"]
    assert "data" not in answer
