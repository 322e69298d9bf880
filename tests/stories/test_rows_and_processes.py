"""A draft is in an approval when its row and the process name each other; of one that names the other alone, nothing.

A button that duplicates a draft copies all columns, the process too; and whoever may use the engine's own Tasklist can
start a process of anybody's draft.
"""

import uuid
from typing import Any

import pytest

from tests.serving import ADMIN, AUDITOR, AUTHOR, REVIEWER, STRANGER, Api, Someone
from tests.stories.behind import Behind, edited, exactly, read
from tests.verbs import (
    COMPLETE,
    REQUEST_CHANGES,
    RETRY,
    SUBMIT,
    WITHDRAW,
    approved,
    codes,
    open_task,
    perform,
    rejected,
    status,
    submitted,
)

COPIER = Someone("copier")
COLUMNS = "name, plan_data, status, aidbox_id, camunda_process_id"
TASK = "query Task($id: ID!) { task(id: $id) { id processId submittedBy { id } draft { id name planData } } }"
INBOX = """query Inbox($by: ID) { pendingTasks(filter: {submittedBy: $by}, sort: [{by: CREATED_AT, descending: true}]) {
  items { id draft { id name } } } }"""
DRAFT = """query Draft($id: ID!) { draft(id: $id) { id basePlan { id } history { kind } approval {
  draftStatus state workflowActive currentActivity submittedAt submittedBy { id } submittedRevision problem
  openTasks { id } decisions { comment } } } }"""
PAGE = "query Page($name: String!) { drafts(filter: {nameContains: $name}) { totalCount items { id } } }"
REBASE = "mutation R($input: RebaseDraftInput!) { rebaseDraft(input: $input) { draft { id } userErrors { code } } }"
NO_APPROVAL: dict[str, object] = {
    "workflowActive": False,
    "currentActivity": None,
    "submittedAt": None,
    "submittedBy": None,
    "submittedRevision": None,
    "problem": None,
    "openTasks": [],
    "decisions": [],
}


def copied(behind: Behind, draft_id: str, *, name: str, author: str = COPIER.id) -> str:
    """A second row with all of a draft's columns but its id, another name, and another author; touched last."""
    copy_id = str(uuid.uuid4())
    behind.drafts.connection.execute(
        f"INSERT INTO benefit_plan_drafts (id, created_by, {COLUMNS})"  # noqa: S608  # names of our own
        f" SELECT %s, %s, {COLUMNS} FROM benefit_plan_drafts WHERE id = %s",
        [copy_id, author, draft_id],
    )
    behind.drafts.edit(copy_id, name=name)
    return copy_id


@pytest.fixture
def named() -> str:
    return f"harmless-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def original(api: Api, behind: Behind) -> str:
    draft_id = behind.drafts.new("The one in approval", edited(name="In approval"))
    submitted(api, draft_id, AUTHOR)
    return draft_id


@pytest.fixture
def copy(behind: Behind, original: str, named: str) -> str:
    return copied(behind, original, name=named)


def test_reviewers_see_what_will_be_published(api: Api, behind: Behind, original: str, copy: str) -> None:
    behind.drafts.edit(copy, plan=edited(name="Harmless"))
    task_id = open_task(api, original)
    told = api.ask(TASK, REVIEWER, id=task_id)["task"]
    assert (told["draft"]["id"], told["draft"]["name"]) == (original, "The one in approval")
    assert told["draft"]["planData"]["name"] == "In approval"
    items = api.ask(INBOX, REVIEWER, by=AUTHOR.id)["pendingTasks"]["items"]
    assert [item["draft"]["id"] for item in items if item["id"] == task_id] == [original]

    payload = perform(api, COMPLETE, REVIEWER, taskId=task_id, approved=True)
    assert (payload["status"], payload["draft"]["id"]) == ("APPROVED", original)
    assert exactly(behind.plan(original)) == exactly(read(edited(name="In approval")))
    assert behind.versions(copy) == []
    assert behind.drafts.row(copy)["status"] == "submitted"


@pytest.mark.parametrize("who", [COPIER, ADMIN, AUDITOR], ids=lambda who: who.id)
def test_a_copy_is_in_no_approval(api: Api, copy: str, who: Someone) -> None:
    told = api.ask(DRAFT, who, id=copy)["draft"]
    approval = {"draftStatus": "SUBMITTED", "state": "NOT_SUBMITTED", **NO_APPROVAL}
    assert told == {"id": copy, "basePlan": None, "history": [], "approval": approval}


@pytest.mark.parametrize("column", ["approved", "rejected", "conflict"])
def test_nor_is_it_what_its_row_says_of_another_drafts_process(
    api: Api, behind: Behind, copy: str, column: str
) -> None:
    behind.drafts.connection.execute("UPDATE benefit_plan_drafts SET status = %s WHERE id = %s", [column, copy])
    told = api.ask(DRAFT, COPIER, id=copy)["draft"]["approval"]
    assert told == {"draftStatus": column.upper(), "state": "NOT_SUBMITTED", **NO_APPROVAL}


def test_its_author_knows_nothing_of_the_strangers_task(api: Api, original: str, copy: str) -> None:
    task_id = open_task(api, original)
    assert api.ask(DRAFT, COPIER, id=copy)["draft"]["id"] == copy
    assert api.ask(TASK, COPIER, id=task_id) == {"task": None}
    assert api.ask(DRAFT, COPIER, id=original) == {"draft": None}
    assert rejected(api, original)["status"] == "REJECTED"
    assert api.ask(TASK, COPIER, id=task_id) == {"task": None}


@pytest.mark.parametrize("who", [REVIEWER, AUTHOR], ids=lambda who: who.id)
def test_nobody_reads_it_by_the_strangers_process(api: Api, original: str, copy: str, named: str, who: Someone) -> None:
    for decide in (None, rejected):
        if decide:
            assert decide(api, original)["status"] == "REJECTED"
        assert api.ask(DRAFT, who, id=copy) == {"draft": None}
        assert api.ask(PAGE, who, name=named) == {"drafts": {"totalCount": 0, "items": []}}
    assert api.ask(DRAFT, REVIEWER, id=original)["draft"]["id"] == original


@pytest.mark.parametrize(
    ("operation", "who"), [(WITHDRAW, COPIER), (WITHDRAW, ADMIN), (RETRY, ADMIN)], ids=["withdraw", "admin", "retry"]
)
def test_nothing_is_done_to_the_strangers_process(
    api: Api, behind: Behind, original: str, copy: str, operation: str, who: Someone
) -> None:
    before, row = behind.picture(original), behind.drafts.row(copy)
    payload = perform(api, operation, who, draftId=copy)
    assert codes(payload) == ["NOT_SUBMITTED"]
    if operation == WITHDRAW:
        message = (
            "This draft is not in approval: its row names another draft's process. Submit it to start its own approval."
        )
        assert payload["userErrors"][0]["message"] == message
    assert (behind.picture(original), behind.drafts.row(copy)) == (before, row)


def test_a_stopped_publication_is_not_retried_by_a_copy(api: Api, behind: Behind) -> None:
    draft_id = behind.drafts.new(plan=edited(ownedBy={"reference": f"Organization/{uuid.uuid4()}"}))
    submitted(api, draft_id, AUTHOR)
    assert approved(api, draft_id)["status"] == "PUBLISH_FAILED"
    copy_id = copied(behind, draft_id, name="A copy")
    before = behind.picture(draft_id)
    assert codes(perform(api, RETRY, ADMIN, draftId=copy_id)) == ["NOT_SUBMITTED"]
    assert codes(perform(api, WITHDRAW, COPIER, draftId=copy_id)) == ["NOT_SUBMITTED"]
    assert behind.picture(draft_id) == before


def test_a_copy_can_be_submitted_for_itself(api: Api, behind: Behind, original: str, copy: str) -> None:
    before = behind.picture(original)
    behind.drafts.edit(copy, plan=edited(name="For itself"))
    process_id = submitted(api, copy, COPIER)
    assert behind.picture(original) == before
    assert behind.variables(process_id)["draftId"] == copy
    assert status(api, copy)["state"] == "IN_REVIEW"
    assert perform(api, SUBMIT, COPIER, draftId=copy)["processId"] == process_id

    assert approved(api, copy)["status"] == "APPROVED"
    assert behind.picture(original) == before
    kinds = [event["kind"] for event in api.ask(DRAFT, COPIER, id=copy)["draft"]["history"]]
    assert kinds == ["PUBLISHED", "APPROVED", "SUBMITTED"]
    assert approved(api, original)["status"] == "APPROVED"
    assert behind.plan(original)["name"] == "In approval"


def test_a_copy_of_an_approved_draft_can_be_submitted(api: Api, behind: Behind) -> None:
    draft_id = behind.drafts.new()
    submitted(api, draft_id, AUTHOR)
    assert approved(api, draft_id)["status"] == "APPROVED"
    copy_id = copied(behind, draft_id, name=behind.drafts.row(draft_id)["name"])
    process_id = submitted(api, copy_id, COPIER)
    assert behind.drafts.row(copy_id)["camunda_process_id"] == process_id
    assert rejected(api, copy_id)["status"] == "REJECTED"


def test_a_copy_is_not_said_to_be_in_approval_when_it_is_rebased(api: Api, behind: Behind) -> None:
    plan_id, _ = behind.stored_plan()
    draft_id = behind.drafts.new(plan=edited(name="Edited"), aidbox_id=plan_id)
    submitted(api, draft_id, AUTHOR)
    copy_id = copied(behind, draft_id, name="A copy")
    revision = api.ask("query R($id: ID!) { draft(id: $id) { revision } }", COPIER, id=copy_id)["draft"]["revision"]
    before, row = behind.picture(draft_id), behind.drafts.row(copy_id)
    payload = perform(api, REBASE, COPIER, draftId=copy_id, revision=revision)
    assert codes(payload) == ["NOT_SUBMITTED"]
    assert (behind.picture(draft_id), behind.drafts.row(copy_id)) == (before, row)


# Processes of ours that name a draft which does not name them


def started_at_review(behind: Behind, draft_id: str, *, by: str, **more: str) -> tuple[str, str]:
    """A process past its registration, as an operator can start one; its id and its task's."""
    given = {"draftId": draft_id, "draftSource": "retool", "submittedBy": by, **more}
    body = {
        "businessKey": draft_id,
        "variables": {name: {"value": value, "type": "String"} for name, value in given.items()},
        "startInstructions": [{"type": "startBeforeActivity", "activityId": "review"}],
    }
    answer = behind.engine.post("/process-definition/key/benefit-approval/start", json=body)
    assert answer.is_success, answer.text
    process_id = str(answer.json()["id"])
    (task,) = behind.engine.get("/task", params={"processInstanceId": process_id}).json()
    return process_id, task["id"]


@pytest.mark.parametrize("outcome", [{}, {"approvalOutcome": "rejected"}], ids=["running", "with an outcome"])
def test_a_strangers_process_of_somebody_elses_draft_shows_them_nothing(
    api: Api, behind: Behind, named: str, outcome: dict[str, str]
) -> None:
    draft_id = behind.drafts.new(named)
    process_id, task_id = started_at_review(behind, draft_id, by=STRANGER.id, **outcome)
    for who in (STRANGER, REVIEWER):
        told = api.ask(TASK, who, id=task_id)["task"]
        assert told == {"id": task_id, "processId": process_id, "submittedBy": {"id": STRANGER.id}, "draft": None}
        assert api.ask(DRAFT, who, id=draft_id) == {"draft": None}
        assert api.ask(PAGE, who, name=named) == {"drafts": {"totalCount": 0, "items": []}}
    assert api.ask(TASK, AUTHOR, id=task_id) == {"task": None}
    told = api.ask(DRAFT, AUTHOR, id=draft_id)["draft"]
    assert (told["history"], told["approval"]["state"]) == ([], "NOT_SUBMITTED")
    behind.engine.delete(f"/process-instance/{process_id}")


def test_nor_once_it_has_ended(api: Api, behind: Behind, original: str) -> None:
    """Beside a submission that took the draft: only that one counts, whoever decided."""
    process_id, task_id = started_at_review(behind, original, by=STRANGER.id)
    second = Someone("decided-the-other", REVIEWER.groups)
    payload = perform(api, REQUEST_CHANGES, second, taskId=task_id, comment="What is this?")
    assert (payload["status"], payload["draft"]) == ("RETURNED", {"id": original, "status": "SUBMITTED"})
    assert behind.end_of(process_id) == ["returned"]
    assert api.ask(DRAFT, STRANGER, id=original) == {"draft": None}
    kinds = [event["kind"] for event in api.ask(DRAFT, AUTHOR, id=original)["draft"]["history"]]
    assert kinds == ["SUBMITTED"]


def test_its_approval_publishes_nothing(api: Api, behind: Behind) -> None:
    draft_id = behind.drafts.new()
    row: dict[str, Any] = behind.drafts.row(draft_id)
    process_id, task_id = started_at_review(behind, draft_id, by=STRANGER.id)
    payload = perform(api, COMPLETE, REVIEWER, taskId=task_id, approved=True)
    assert (payload["status"], payload["reason"]) == ("CONFLICT", "Draft is not in this approval")
    assert behind.end_of(process_id) == ["conflict"]
    assert (behind.versions(draft_id), behind.drafts.row(draft_id)) == ([], row)
