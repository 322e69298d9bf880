"""What tasks are narrowed to and sorted by is the engine's to do: the same few requests, whatever is asked."""

import json
import uuid
from typing import Any

import httpx
import pytest

from tests.calls.inboxes import Inbox, Inboxes
from tests.calls.recording import SQL, Recording
from tests.serving import STRANGER, Api, Drafts, Someone

TASKS, COUNT, VARIABLES = "POST /task", "POST /task/count", "POST /history/variable-instance"
PAGE = """query Page($filter: TaskFilter, $sort: [TaskSort!], $limit: Int! = 1000, $offset: Int! = 0) {
  pendingTasks(filter: $filter, sort: $sort, limit: $limit, offset: $offset) {
    totalCount items { id draft { id } } } }"""


@pytest.fixture(scope="module")
def inbox(inboxes: Inboxes) -> Inbox:
    return inboxes.of(50)


@pytest.fixture
def word(inbox: Inbox, drafts: Drafts) -> str:
    """A word in the names of the first three drafts alone, with signs in it that are others' wild cards."""
    said = f"100%_\\{uuid.uuid4().hex[:8]}"
    for number, draft_id in enumerate(inbox.draft_ids[:3]):
        drafts.edit(draft_id, name=f"Plan {said.upper()} of {number}")
    return said


def page(api: Api, inbox: Inbox, **variables: object) -> tuple[int, list[str]]:
    """How many in all, and the drafts of the page."""
    found = api.ask(PAGE, inbox.reviewer, **variables)["pendingTasks"]
    return found["totalCount"], [item["draft"]["id"] for item in found["items"]]


def bodies(recording: Recording) -> list[dict[str, Any]]:
    """What the engine was asked for."""
    return [json.loads(body) for kind in (TASKS, COUNT) for body in recording.sent(kind)]


OURS = {"name": "draftSource", "operator": "eq", "value": "retool"}  # of this deployment, in every query
NARROWED: dict[str, tuple[dict[str, object], dict[str, object]]] = {
    "step": ({"step": "review"}, {"taskDefinitionKey": "review"}),
    "assignee": ({"assignee": "ann"}, {"assignee": "ann"}),
    "unassigned": ({"unassigned": True}, {"unassigned": True}),
    "claimed": ({"unassigned": False}, {"assigned": True}),
    "due before": ({"dueBefore": "2031-01-01T02:00:00+02:00"}, {"dueBefore": "2031-01-01T00:00:00.000+0000"}),
    "created after": ({"createdAfter": "2020-01-01T00:00:00Z"}, {"createdAfter": "2020-01-01T00:00:00.000+0000"}),
    "priority": ({"minPriority": 60}, {"minPriority": 60}),
    "submitter": (
        {"submittedBy": "ann"},
        {"processVariables": [OURS, {"name": "submittedBy", "operator": "eq", "value": "ann"}]},
    ),
}
NARROWED |= {
    "publication": (
        {"publishAfter": "2031-01-01T02:00:00+02:00", "publishBefore": "2032-01-01T00:00:00Z"},
        {
            "processVariables": [
                OURS,
                {"name": "publishAt", "operator": "gt", "value": "2031-01-01T00:00:00.000+0000"},
                {"name": "publishAt", "operator": "lt", "value": "2032-01-01T00:00:00.000+0000"},
            ]
        },
    ),
}
EVERY = [key for given, _ in NARROWED.values() for key in given] + ["draftNameContains"]


@pytest.mark.parametrize("name", NARROWED)
def test_the_engine_narrows(cold: Api, recording: Recording, inbox: Inbox, name: str) -> None:
    given, said = NARROWED[name]
    page(cold, inbox, filter=given)
    counts = recording.counts()
    assert {kind: counts.get(kind, 0) for kind in (TASKS, COUNT)} == {TASKS: 1, COUNT: 1}
    assert [{key: body[key] for key in said} for body in bodies(recording)] == [said, said]


@pytest.mark.parametrize("key", sorted({*EVERY}))
def test_null_and_absent_are_no_condition(cold: Api, recording: Recording, inbox: Inbox, key: str) -> None:
    assert page(cold, inbox, filter={key: None})[0] == 50
    usual = {"processDefinitionKey", "processVariables", "orQueries", "sorting"}
    assert [body.keys() <= usual for body in bodies(recording)] == [True, True]
    assert [body["processVariables"] for body in bodies(recording)] == [[OURS], [OURS]]


@pytest.mark.parametrize("variables", [{}, {"filter": None}, {"filter": {}}, {"sort": None}, {"sort": []}])
def test_nothing_said_is_the_oldest_first(cold: Api, inbox: Inbox, variables: dict[str, object]) -> None:
    assert page(cold, inbox, **variables) == page(cold, inbox, sort=[{"by": "CREATED_AT"}])


def test_names_of_drafts_are_looked_up_first(cold: Api, recording: Recording, inbox: Inbox, word: str) -> None:
    total, found = page(cold, inbox, filter={"draftNameContains": word, "step": "review"})
    assert (total, sorted(found)) == (3, sorted(inbox.draft_ids[:3]))
    assert recording.counts() == {TASKS: 2, COUNT: 1, VARIABLES: 1, SQL: 2}
    searched, *asked = bodies(recording)
    assert (searched["taskDefinitionKey"], "processInstanceIdIn" in searched) == ("review", False)
    assert [sorted(body["processInstanceIdIn"]) for body in asked] == [sorted(inbox.process_ids[:3])] * 2


@pytest.mark.parametrize("near", ["{}x", "{}\\", "100%{}", "_{}"])
def test_names_that_are_only_near_are_not_found(
    cold: Api, recording: Recording, inbox: Inbox, word: str, near: str
) -> None:
    """And nothing of them reaches the engine, where an empty list would be no condition."""
    assert page(cold, inbox, filter={"draftNameContains": near.format(word)}) == (0, [])
    assert recording.counts() == {TASKS: 1, SQL: 1}


def test_an_empty_name_is_no_condition(cold: Api, recording: Recording, inbox: Inbox) -> None:
    assert page(cold, inbox, filter={"draftNameContains": ""})[0] == 50
    assert recording.counts() == {TASKS: 1, COUNT: 1, VARIABLES: 1, SQL: 1}


def test_names_of_drafts_that_are_not_submitted_do_not_count(
    cold: Api, recording: Recording, inbox: Inbox, drafts: Drafts
) -> None:
    said = uuid.uuid4().hex
    drafts.new(f"Plan {said}")
    assert page(cold, inbox, filter={"draftNameContains": said}) == (0, [])
    assert recording.counts() == {TASKS: 1, SQL: 1}


def test_names_of_others_drafts_are_not_looked_at(cold: Api, recording: Recording, inboxes: Inboxes, word: str) -> None:
    """What is asked is the same whether somebody else's draft has the name or nobody's: no answer and no time tells."""
    other = inboxes.of(1)
    asked = []
    for name in (word, uuid.uuid4().hex):
        recording.calls.clear()
        assert page(cold, other, filter={"draftNameContains": name}) == (0, [])
        asked.append([(call.kind, call.sent) for call in recording.calls])
    assert asked[0] == asked[1]
    assert cold.ask(PAGE, STRANGER, filter={"draftNameContains": word})["pendingTasks"]["totalCount"] == 0


@pytest.mark.slow
def test_too_many_names_are_refused(cold: Api, recording: Recording, inboxes: Inboxes) -> None:
    """Counted are one's own tasks alone: two inboxes are too many for who has both, and each is fine for its own."""
    groups = inboxes.of(1000).reviewer.groups + inboxes.of(50).reviewer.groups
    answer = cold.answer(PAGE, Someone("of-both", groups), filter={"draftNameContains": "plan"})
    assert answer["data"] == {"pendingTasks": None}
    (error,) = answer["errors"]
    assert error["message"] == "More than 1000 drafts of these tasks match; use a longer part of the name."
    assert (error["extensions"]["code"], error["extensions"]["field"]) == ("INVALID", "draftNameContains")
    assert recording.counts() == {TASKS: 1, SQL: 1}
    assert (
        cold.ask(PAGE, inboxes.of(50).reviewer, filter={"draftNameContains": "plan"})["pendingTasks"]["totalCount"]
        == 50
    )


def test_a_wrong_limit_is_refused_before_anything_is_asked(cold: Api, recording: Recording, inbox: Inbox) -> None:
    for wrong in ({"limit": 1001}, {"limit": -1}, {"offset": -1}):
        answer = cold.answer(PAGE, inbox.reviewer, filter={"draftNameContains": "plan"}, **wrong)
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["INVALID"]
    assert recording.counts() == {}


def test_pages_follow_each_other_whatever_they_are_sorted_by(cold: Api, inbox: Inbox) -> None:
    for key in ("CREATED_AT", "DUE_AT", "PRIORITY", "NAME", "ASSIGNEE", "SUBMITTED_BY"):
        for descending in (False, True):
            sort = [{"by": key, "descending": descending}]
            whole = page(cold, inbox, sort=sort)[1]
            parts = [page(cold, inbox, sort=sort, limit=20, offset=start)[1] for start in (0, 20, 40)]
            assert [draft_id for part in parts for draft_id in part] == whole
            assert sorted(whole) == sorted(inbox.draft_ids)


def test_sorted_by_who_submitted(cold: Api, inboxes: Inboxes, engine: httpx.Client) -> None:
    """A task whose process does not say it is there all the same."""
    inbox = inboxes.of(1)
    (process_id,) = inbox.process_ids
    made = [str(uuid.uuid4()) for _ in range(3)]
    started = []
    definition = engine.get(f"/process-instance/{process_id}").json()["definitionId"]
    for draft_id, submitter in zip(made, ("zoe", "abe", None), strict=True):
        variables = {"submittedBy": {"value": submitter, "type": "String"}} if submitter else {}
        body = {
            "businessKey": draft_id,
            "variables": variables,
            "startInstructions": [{"type": "startBeforeActivity", "activityId": "review"}],
        }
        started.append(engine.post(f"/process-definition/{definition}/start", json=body).json()["id"])
    query = """query Sorted($descending: Boolean!) { pendingTasks(sort: [{by: SUBMITTED_BY, descending: $descending}]) {
      totalCount items { processId submittedBy { id } } } }"""
    try:
        for descending in (False, True):
            found = cold.ask(query, inbox.reviewer, descending=descending)["pendingTasks"]
            assert found["totalCount"] == 4
            assert {item["processId"] for item in found["items"]} == {process_id, *started}
            known = [item["submittedBy"]["id"] for item in found["items"] if item["submittedBy"]]
            assert known == sorted(["abe", inbox.author.id, "zoe"], reverse=descending)
    finally:
        for each in started:
            engine.delete(f"/process-instance/{each}").raise_for_status()
