"""Draft.history: every submission and what came of it, newest first, from the engine's history."""

from datetime import datetime
from typing import Any

import httpx

from tests.changes.conftest import HISTORY, Conflicting, Store, costing, gold, revision, text
from tests.serving import AUTHOR, REVIEWER, Api, Drafts
from tests.verbs import COMPLETE, REQUEST_CHANGES, SUBMIT, WITHDRAW, open_task, perform, status, submitted

EMPTY = {"by": None, "step": None, "comment": None, "reason": None, "planVersionId": None}


def history(api: Api, draft_id: str) -> list[dict[str, Any]]:
    """The events of a draft, without `at`, which must not grow down the list of a submission."""
    (item,) = api.ask(HISTORY, AUTHOR, ids=[draft_id])["drafts"]["items"]
    events: list[dict[str, Any]] = item["history"]
    instants = [datetime.fromisoformat(event.pop("at")) for event in events]
    assert all(instant.utcoffset() is not None for instant in instants)
    return events


def test_a_draft_that_was_never_submitted_has_none(api: Api, drafts: Drafts) -> None:
    assert history(api, drafts.new()) == []


def test_the_whole_way_of_a_draft(api: Api, drafts: Drafts, plans: Store) -> None:
    plan_id, base = plans.new(gold())
    draft_id = drafts.new(plan=text(costing("1600.00")), aidbox_id=plan_id)
    revisions, processes = [], []

    def submit(comment: str | None = None) -> None:
        revisions.append(revision(api, draft_id))
        processes.append(perform(api, SUBMIT, AUTHOR, draftId=draft_id, comment=comment)["processId"])

    submit("First try")
    perform(api, WITHDRAW, AUTHOR, draftId=draft_id)
    submit()
    perform(api, REQUEST_CHANGES, REVIEWER, taskId=open_task(api, draft_id), comment="Cheaper")
    submit()
    perform(api, COMPLETE, REVIEWER, taskId=open_task(api, draft_id), approved=False, comment="No")
    drafts.edit(draft_id, plan=text(costing("1550.00")))
    submit("Second try")
    perform(api, COMPLETE, REVIEWER, taskId=open_task(api, draft_id), approved=True, comment="Fine")
    submitted_by, decided = {"by": {"id": "author"}}, {"by": {"id": "reviewer"}, "step": "review"}

    def event(kind: str, number: int, **fields: Any) -> dict[str, Any]:
        return {**EMPTY, "kind": kind, "processId": processes[number], "revision": revisions[number], **fields}

    published = plans.read(plan_id)["meta"]["versionId"]
    assert history(api, draft_id) == [
        event("PUBLISHED", 3, planVersionId=published),
        event("APPROVED", 3, **decided, comment="Fine"),
        event("SUBMITTED", 3, **submitted_by, comment="Second try", planVersionId=base),
        event("REJECTED", 2, **decided, comment="No"),
        event("SUBMITTED", 2, **submitted_by, planVersionId=base),
        event("RETURNED", 1, **decided, comment="Cheaper"),
        event("SUBMITTED", 1, **submitted_by, planVersionId=base),
        event("WITHDRAWN", 0, **submitted_by),
        event("SUBMITTED", 0, **submitted_by, comment="First try", planVersionId=base),
    ]
    last = "query Last($id: ID!, $limit: Int!) { draft(id: $id) { history(limit: $limit) { kind } } }"
    for limit, kinds in ((0, []), (1, ["PUBLISHED"]), (4, ["PUBLISHED", "APPROVED", "SUBMITTED", "REJECTED"])):
        shown = api.ask(last, AUTHOR, id=draft_id, limit=limit)["draft"]["history"]
        assert [each["kind"] for each in shown] == kinds
    refused = api.answer(last, AUTHOR, id=draft_id, limit=1001)
    assert refused["data"] == {"draft": {"history": None}}
    assert [error["extensions"]["code"] for error in refused["errors"]] == ["INVALID"]
    assert revisions[0] == revisions[1] == revisions[2] != revisions[3]


def test_a_conflict_is_told_once_and_why(api: Api, conflicting: Conflicting) -> None:
    draft_id, _, _ = conflicting(gold(), costing("1600.00"), costing("1550.00"))
    found = [(event["kind"], event["by"], event["reason"]) for event in history(api, draft_id)]
    assert found == [
        ("CONFLICT", {"id": "reviewer"}, "Version changed during approval"),
        ("SUBMITTED", {"id": "author"}, None),
    ]


def test_what_is_still_under_review_has_no_end(api: Api, drafts: Drafts) -> None:
    draft_id = drafts.new()
    submitted(api, draft_id, AUTHOR)
    assert [event["kind"] for event in history(api, draft_id)] == ["SUBMITTED"]


def test_a_process_deleted_in_the_engine_is_cancelled(api: Api, drafts: Drafts, engine: httpx.Client) -> None:
    draft_id = drafts.new()
    process_id = submitted(api, draft_id, AUTHOR)
    assert engine.delete(f"/process-instance/{process_id}").is_success
    assert [(event["kind"], event["by"]) for event in history(api, draft_id)] == [
        ("CANCELLED", None),
        ("SUBMITTED", {"id": "author"}),
    ]


def test_a_decision_made_outside_is_told_as_far_as_it_is_known(api: Api, drafts: Drafts, engine: httpx.Client) -> None:
    draft_id = drafts.new()
    submitted(api, draft_id, AUTHOR)
    values = {"approved": (False, "Boolean"), "rejectedBy": ("tess", "String"), "comment": ("By hand", "String")}
    variables = {name: {"value": value, "type": kind} for name, (value, kind) in values.items()}
    task_id = open_task(api, draft_id)
    assert engine.post(f"/task/{task_id}/complete", json={"variables": variables}).is_success
    perform(api, SUBMIT, AUTHOR, draftId=draft_id)  # carries out what the process waits for
    found = [(event["kind"], event["by"], event["comment"]) for event in history(api, draft_id)]
    assert found[-2:] == [("REJECTED", {"id": "tess"}, "By hand"), ("SUBMITTED", {"id": "author"}, None)]


def test_the_loser_of_two_submissions_is_superseded(api: Api, drafts: Drafts, engine: httpx.Client) -> None:
    draft_id = drafts.new()
    variables = {
        name: {"value": value, "type": "String"}
        for name, value in {"draftId": draft_id, "draftRevision": "another", "submittedBy": "author"}.items()
    }
    body = {"businessKey": draft_id, "variables": variables}
    assert engine.post("/process-definition/key/benefit-approval/start", json=body).is_success
    submitted(api, draft_id, AUTHOR)
    kinds = [(event["kind"], event["reason"]) for event in history(api, draft_id)]
    lost = ("SUPERSEDED", "Another submission of this draft was faster, or the draft has changed")
    assert kinds == [("SUBMITTED", None), lost, ("SUBMITTED", None)]


def test_many_drafts_are_four_requests(drafts: Drafts, calls: list[httpx.Request], watched: Api) -> None:
    ids = [drafts.new() for _ in range(4)]
    for draft_id in ids[1:]:
        submitted(watched, draft_id, AUTHOR)
    perform(watched, WITHDRAW, AUTHOR, draftId=ids[1])
    submitted(watched, ids[1], AUTHOR)
    calls.clear()
    items = watched.ask(HISTORY, AUTHOR, ids=ids)["drafts"]["items"]
    assert [(item["id"], [event["kind"] for event in item["history"]]) for item in items] == [
        (ids[0], []),
        (ids[1], ["SUBMITTED", "WITHDRAWN", "SUBMITTED"]),
        (ids[2], ["SUBMITTED"]),
        (ids[3], ["SUBMITTED"]),
    ]
    assert sorted(request.url.path.removeprefix("/engine-rest") for request in calls) == [
        "/history/process-instance",
        "/history/variable-instance",
        "/history/variable-instance",
        "/history/variable-instance",
    ]
    assert status(watched, ids[3])["state"] == "IN_REVIEW"
