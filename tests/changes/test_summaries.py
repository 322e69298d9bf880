"""Lists of changes by their limit, against the current plan or the base, their pointers, and their summary."""

from decimal import Decimal
from typing import Any

import pytest
from jsonpointer import resolve_pointer

from tests.changes.conftest import DEDUCTIBLE, Conflicting, Store, costing, gold, text
from tests.serving import AUTHOR, REVIEWER, Api, Drafts
from tests.verbs import perform, submitted

QUERY = """query Q($id: ID!, $limit: Int!, $against: ChangeBase!) { draft(id: $id) {
  changes(limit: $limit, against: $against) { path kind pointer precisionOnly label }
  changeSummary(against: $against) { added removed changed precisionOnly total headline } } }"""
REST = {"path": "…", "kind": "CHANGED", "pointer": None, "precisionOnly": False}


def asked(api: Api, draft_id: str, *, limit: int = 50, against: str = "CURRENT") -> dict[str, Any]:
    """The changes and the summary of a draft."""
    draft: dict[str, Any] = api.ask(QUERY, AUTHOR, id=draft_id, limit=limit, against=against)["draft"]
    return draft


def test_a_summary_says_the_most_important_first(api: Api, drafts: Drafts, plans: Store) -> None:
    plan_id, _ = plans.new(gold())
    mine = costing("1400.00", family="3000.0", name="Summit", status="draft")
    del mine["alias"]
    found = asked(api, drafts.new(plan=text(mine), aidbox_id=plan_id))
    assert found["changeSummary"] == {
        "added": 0,
        "removed": 1,
        "changed": 3,
        "precisionOnly": 1,
        "total": 5,
        "headline": "1 cost changed, 1 status changed, 1 text changed and 1 more",
    }
    assert [each["path"] for each in found["changes"] if each["precisionOnly"]] == [
        DEDUCTIBLE.replace("groupSize=1", "groupSize=2")
    ]


def test_a_pointer_leads_to_each_change(api: Api, drafts: Drafts, plans: Store) -> None:
    plan_id, _ = plans.new(gold())
    mine = costing("1400.00", name="Summit")
    del mine["alias"]
    found = {each["path"]: each for each in asked(api, drafts.new(plan=text(mine), aidbox_id=plan_id))["changes"]}
    assert resolve_pointer(mine, found[DEDUCTIBLE]["pointer"]) == Decimal("1400.00")
    assert (found["name"]["pointer"], found["alias"]["pointer"]) == ("/name", "/alias")
    assert resolve_pointer(gold(), found["alias"]["pointer"]) == ["Gold 1500"]


@pytest.mark.parametrize("limit", [0, 1, 3, 4, 500])
def test_the_last_entry_counts_those_past_the_limit(api: Api, drafts: Drafts, plans: Store, limit: int) -> None:
    plan_id, _ = plans.new(gold())
    draft_id = drafts.new(plan=text(costing("1.00", family="2.00", name="A", status="draft")), aidbox_id=plan_id)
    every = asked(api, draft_id)["changes"]
    assert len(every) == 4
    found = asked(api, draft_id, limit=limit)
    rest = [{**REST, "label": f"And {4 - limit} more"}] if limit < 4 else []
    assert found["changes"] == [*every[:limit], *rest]
    assert found["changeSummary"]["total"] == 4


@pytest.mark.parametrize("limit", [-1, 501])
@pytest.mark.parametrize("field", ["changes", "conflicts"])
def test_limits_that_are_refused(api: Api, drafts: Drafts, field: str, limit: int) -> None:
    query = f"query Q($id: ID!) {{ draft(id: $id) {{ {field}(limit: {limit}) {{ path }} }} }}"
    answer = api.answer(query, AUTHOR, id=drafts.new())
    assert answer["data"] == {"draft": {field: None}}
    assert [each["message"] for each in answer["errors"]] == ["limit must be from 0 to 500."]


def test_against_the_base_the_changes_of_others_are_not_undone(api: Api, conflicting: Conflicting) -> None:
    """Somebody else renamed the plan meanwhile: against it the draft seems to take the old name back."""
    draft_id, _, _ = conflicting(gold(), costing("1400.00"), gold(name="Renamed by others"))
    current, base = (asked(api, draft_id, against=each) for each in ("CURRENT", "BASE"))
    assert [each["path"] for each in current["changes"]] == ["name", DEDUCTIBLE]
    assert [each["path"] for each in base["changes"]] == [DEDUCTIBLE]
    assert (current["changeSummary"]["total"], base["changeSummary"]["total"]) == (2, 1)
    assert base["changeSummary"]["headline"] == "1 cost changed"


def test_a_draft_never_submitted_has_the_current_plan_as_its_base(api: Api, drafts: Drafts, plans: Store) -> None:
    plan_id, _ = plans.new(gold())
    draft_id = drafts.new(plan=text(costing("1400.00")), aidbox_id=plan_id)
    assert asked(api, draft_id, against="BASE") == asked(api, draft_id)


def test_conflicts_by_their_limit(api: Api, conflicting: Conflicting) -> None:
    draft_id, _, _ = conflicting(gold(), costing("1.00", name="Mine"), costing("2.00", name="Theirs"))
    query = "query Q($id: ID!) { draft(id: $id) { all: conflicts { path } first: conflicts(limit: 1) { path label } } }"
    found = api.ask(query, AUTHOR, id=draft_id)["draft"]
    assert [each["path"] for each in found["all"]] == ["name", DEDUCTIBLE]
    assert found["first"] == [{"path": "name", "label": "Name"}, {"path": "…", "label": "And 1 more"}]


def test_a_pointer_leads_to_each_conflict(api: Api, conflicting: Conflicting) -> None:
    """In the draft's plan, or in the store's where the draft has removed it."""
    mine = costing("3000.0", name="Mine")
    theirs = costing("3000.00", name="Theirs", alias=["Theirs"])
    del mine["alias"]
    draft_id, _, _ = conflicting(gold(), mine, theirs)
    query = """query Q($id: ID!) { draft(id: $id) { revision conflicts { path pointer precisionOnly }
      first: conflicts(limit: 1) { path pointer precisionOnly } } }"""
    found = api.ask(query, AUTHOR, id=draft_id)["draft"]
    pointers = {each["path"]: each["pointer"] for each in found["conflicts"]}
    assert list(pointers) == ["name", "alias", DEDUCTIBLE]
    assert [each["precisionOnly"] for each in found["conflicts"]] == [False, False, True]
    assert resolve_pointer(mine, pointers["name"]) == "Mine"
    assert resolve_pointer(theirs, pointers["alias"]) == ["Theirs"]
    assert resolve_pointer(mine, pointers[DEDUCTIBLE]) == Decimal("3000.0")
    assert found["first"] == [found["conflicts"][0], {"path": "…", "pointer": None, "precisionOnly": False}]
    rebase = """mutation R($input: RebaseDraftInput!) { rebaseDraft(input: $input) {
      every: conflicts { path pointer } one: conflicts(limit: 1) { path pointer label }
      none: conflicts(limit: 0) { label } most: conflicts(limit: 501) { path pointer } userErrors { message } } }"""
    answer = perform(api, rebase, AUTHOR, draftId=draft_id, revision=found["revision"])
    assert {each["path"]: each["pointer"] for each in answer["every"]} == pointers
    assert answer["one"] == [
        {"path": "name", "pointer": "/name", "label": "Name"},
        {"path": "…", "pointer": None, "label": "And 2 more"},
    ]
    assert answer["none"] == [{"label": "And 3 more"}]
    assert answer["most"] == answer["every"]
    assert answer["userErrors"][0]["message"].startswith("3 fields were changed")


def test_a_reviewers_list_says_what_changed(api: Api, drafts: Drafts, plans: Store) -> None:
    plan_id, _ = plans.new(gold())
    name = f"Of this test {plan_id}"
    draft_id = drafts.new(name, plan=text(costing("1400.00")), aidbox_id=plan_id)
    submitted(api, draft_id, AUTHOR)
    query = """query Q($name: String!) { pendingTasks(limit: 4, filter: {draftNameContains: $name}) { items {
      draft { changeSummary { headline } changes { kind label path before after } } } } }"""
    (task,) = api.ask(query, REVIEWER, name=name)["pendingTasks"]["items"]
    assert task["draft"]["changeSummary"] == {"headline": "1 cost changed"}
    assert [each["after"] for each in task["draft"]["changes"]] == [Decimal("1400.00")]
