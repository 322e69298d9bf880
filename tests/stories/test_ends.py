"""The ends a submission can come to other than publication, and that a draft can be submitted again after each."""

from collections.abc import Callable
from typing import Any

import pytest

from api.settings import Settings
from tests.serving import ADMIN, AUTHOR, GOLD, REVIEWER, Api, Someone, serving
from tests.stories.behind import Behind, edited, exactly, read
from tests.verbs import (
    COMPLETE,
    REQUEST_CHANGES,
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
from tests.wiretap import meanwhile

COMPLETION = r"POST /engine-rest/task/[^/]+/complete"
VERSION_CHANGED = "Version changed during approval"
DRAFT_CHANGED = "Draft changed since it was submitted"


def _ended(api: Api, behind: Behind, draft_id: str, process_id: str, end: str) -> None:
    """Row, engine and approvalStatus say the same end; nothing is open any more."""
    row = behind.drafts.row(draft_id)
    assert (row["status"], row["camunda_process_id"]) == (end, process_id)
    assert behind.end_of(process_id) == [end]
    assert (behind.active(draft_id), behind.tasks(draft_id)) == ([], [])
    told = status(api, draft_id)
    assert (told["draftStatus"], told["state"]) == (end.upper(), end.upper())
    assert (told["workflowActive"], told["currentActivity"], told["openTasks"]) == (False, None, [])


def test_reject(api: Api, behind: Behind) -> None:
    draft_id = behind.drafts.new()
    process_id = submitted(api, draft_id, AUTHOR)
    task_id = open_task(api, draft_id)
    payload = perform(api, COMPLETE, REVIEWER, taskId=task_id, approved=False, comment="  Too dear.\n")

    assert payload == {
        "status": "REJECTED",
        "reason": None,
        "draft": {"id": draft_id, "status": "REJECTED", "aidboxId": None},
        "plan": None,
        "task": {"id": task_id, "isOpen": False},
        "userErrors": [],
    }
    _ended(api, behind, draft_id, process_id, "rejected")
    assert behind.versions(draft_id) == []
    assert status(api, draft_id)["decisions"] == [
        {
            "step": "review",
            "verdict": "REJECTED",
            "comment": "Too dear.",
            "reason": None,
            "decidedBy": {"id": "reviewer"},
        }
    ]
    assert behind.variables(process_id)["rejectedBy"] == "reviewer"


def test_request_changes(api: Api, behind: Behind) -> None:
    draft_id = behind.drafts.new()
    process_id = submitted(api, draft_id, AUTHOR)
    payload = perform(api, REQUEST_CHANGES, REVIEWER, taskId=open_task(api, draft_id), comment="300 visits?")

    assert payload == {
        "status": "RETURNED",
        "reason": None,
        "draft": {"id": draft_id, "status": "RETURNED"},
        "userErrors": [],
    }
    _ended(api, behind, draft_id, process_id, "returned")
    (decision,) = status(api, draft_id)["decisions"]
    assert (decision["verdict"], decision["comment"]) == ("RETURNED", "300 visits?")


@pytest.mark.parametrize("who", [AUTHOR, ADMIN, Someone("AUTHOR")], ids=["author", "admin", "author by another case"])
def test_withdraw(api: Api, behind: Behind, who: Someone) -> None:
    draft_id = behind.drafts.new()
    process_id = submitted(api, draft_id, AUTHOR)
    payload = perform(api, WITHDRAW, who, draftId=draft_id)

    assert payload == {"draft": {"id": draft_id, "status": "WITHDRAWN"}, "userErrors": []}
    _ended(api, behind, draft_id, process_id, "withdrawn")
    assert status(api, draft_id)["decisions"] == []
    assert perform(api, WITHDRAW, who, draftId=draft_id) == payload


def test_withdraw_by_who_submitted_somebody_elses_draft(api: Api, behind: Behind) -> None:
    """Submitted by an administrator in another person's name; that person takes it back."""
    draft_id = behind.drafts.new(author=None)
    payload = perform(api, SUBMIT, ADMIN, draftId=draft_id, userId="deputy")
    assert payload["userErrors"] == []
    assert status(api, draft_id)["submittedBy"] == {"id": "deputy"}

    assert codes(perform(api, WITHDRAW, Someone("deputy"), draftId=draft_id)) == []
    _ended(api, behind, draft_id, payload["processId"], "withdrawn")


def test_conflict_when_the_store_moved_before_the_approval(api: Api, behind: Behind) -> None:
    plan_id, base = behind.stored_plan()
    draft_id = behind.drafts.new(plan=edited(name="Edited"), aidbox_id=plan_id)
    process_id = submitted(api, draft_id, AUTHOR)
    outside = behind.put(plan_id, name="By somebody else")
    payload = approved(api, draft_id)

    assert (payload["status"], payload["reason"], payload["userErrors"]) == ("CONFLICT", VERSION_CHANGED, [])
    assert payload["plan"] == {"id": plan_id, "versionId": outside}
    _ended(api, behind, draft_id, process_id, "conflict")
    assert [version["meta"]["versionId"] for version in behind.versions(plan_id)] == [outside, base]
    variables = behind.variables(process_id)
    assert (variables["approved"], variables["conflictDetected"], variables["reason"]) == (False, True, VERSION_CHANGED)
    (decision,) = status(api, draft_id)["decisions"]
    assert (decision["verdict"], decision["reason"]) == ("CONFLICT", VERSION_CHANGED)


def test_conflict_when_the_draft_was_edited_before_the_approval(api: Api, behind: Behind) -> None:
    draft_id = behind.drafts.new()
    process_id = submitted(api, draft_id, AUTHOR)
    behind.drafts.edit(draft_id, plan=edited(name="Edited later"))
    payload = approved(api, draft_id)

    assert (payload["status"], payload["reason"], payload["plan"]) == ("CONFLICT", DRAFT_CHANGED, None)
    _ended(api, behind, draft_id, process_id, "conflict")
    assert behind.versions(draft_id) == []


def test_a_changed_digit_is_a_changed_draft(api: Api, behind: Behind) -> None:
    draft_id = behind.drafts.new()
    submitted(api, draft_id, AUTHOR)
    behind.drafts.edit(draft_id, plan=GOLD.replace("1500.00", "1500.0"))

    assert approved(api, draft_id)["reason"] == DRAFT_CHANGED


def test_conflict_when_the_plan_was_deleted(api: Api, behind: Behind) -> None:
    plan_id, base = behind.stored_plan()
    draft_id = behind.drafts.new(plan=edited(name="Edited"), aidbox_id=plan_id)
    process_id = submitted(api, draft_id, AUTHOR)
    assert behind.store.delete(f"/InsurancePlan/{plan_id}").is_success
    payload = approved(api, draft_id)

    assert (payload["status"], payload["reason"], payload["plan"]) == ("CONFLICT", VERSION_CHANGED, None)
    _ended(api, behind, draft_id, process_id, "conflict")
    assert behind.store.get(f"/InsurancePlan/{plan_id}").status_code == 410
    assert [version["meta"]["versionId"] for version in behind.versions(plan_id)] == [base]


def test_a_draft_of_a_deleted_plan_can_not_be_submitted(api: Api, behind: Behind) -> None:
    plan_id, _ = behind.stored_plan()
    assert behind.store.delete(f"/InsurancePlan/{plan_id}").is_success
    draft_id = behind.drafts.new(aidbox_id=plan_id)
    before = behind.picture(draft_id)

    assert codes(perform(api, SUBMIT, AUTHOR, draftId=draft_id)) == ["INVALID"]
    assert behind.picture(draft_id) == before


def test_a_new_plan_whose_place_is_taken_is_submitted_again_as_its_successor(api: Api, behind: Behind) -> None:
    """Its id is made from the draft's, so whoever wrote there meant this plan: after the conflict it is the base."""
    draft_id = behind.drafts.new(plan=edited(name="Ours"))
    submitted(api, draft_id, AUTHOR)
    base = behind.put(draft_id, name="Theirs")
    assert approved(api, draft_id)["status"] == "CONFLICT"

    process_id = submitted(api, draft_id, AUTHOR)
    variables = behind.variables(process_id)
    assert (variables["aidboxPlanId"], variables["baseVersion"]) == (draft_id, base)
    assert approved(api, draft_id)["status"] == "APPROVED"
    assert [version["name"] for version in behind.versions(draft_id)] == ["Ours", "Theirs"]


def test_a_draft_deleted_during_review_can_be_rejected_alone(api: Api, behind: Behind) -> None:
    """What the table does not have may be another deployment's, so nothing is said of it that ends its approval."""
    draft_id = behind.drafts.new()
    process_id = submitted(api, draft_id, AUTHOR)
    task_id = open_task(api, draft_id)
    behind.drafts.connection.execute("DELETE FROM benefit_plan_drafts WHERE id = %s", [draft_id])
    before = behind.variables(process_id)
    payload = perform(api, COMPLETE, REVIEWER, taskId=task_id, approved=True)

    message = "The drafts table does not have this task's draft, so it cannot be approved. Reject it if it was deleted."
    assert payload["userErrors"] == [{"code": "NOT_FOUND", "message": message, "field": "taskId"}]
    assert (payload["status"], behind.active(draft_id), behind.variables(process_id)) == (None, [process_id], before)
    assert perform(api, COMPLETE, REVIEWER, taskId=task_id, approved=False)["status"] == "REJECTED"
    assert (behind.end_of(process_id), behind.versions(draft_id)) == (["rejected"], [])


def test_conflict_when_the_store_moves_between_approval_and_publication(
    api: Api, settings: Settings, behind: Behind
) -> None:
    plan_id, base = behind.stored_plan()
    draft_id = behind.drafts.new(plan=edited(name="Edited"), aidbox_id=plan_id)
    process_id = submitted(api, draft_id, AUTHOR)
    outside: list[str] = []
    moves = meanwhile("camunda", COMPLETION, lambda: outside.append(behind.put(plan_id, name="Outside")))
    with serving(settings, transports=moves) as disturbed:
        payload = approved(disturbed, draft_id)

    assert (payload["status"], payload["reason"]) == ("CONFLICT", VERSION_CHANGED)
    _ended(api, behind, draft_id, process_id, "conflict")
    assert [version["meta"]["versionId"] for version in behind.versions(plan_id)] == [*outside, base]
    assert behind.plan(plan_id)["name"] == "Outside"
    (decision,) = status(api, draft_id)["decisions"]
    assert decision["verdict"] == "APPROVED"


def test_conflict_when_the_store_moves_right_before_the_write(api: Api, settings: Settings, behind: Behind) -> None:
    """After both comparisons: only If-Match stands in the way."""
    plan_id, base = behind.stored_plan()
    draft_id = behind.drafts.new(plan=edited(name="Edited"), aidbox_id=plan_id)
    process_id = submitted(api, draft_id, AUTHOR)
    outside: list[str] = []
    moves = meanwhile(
        "aidbox", f"PUT /fhir/InsurancePlan/{plan_id}", lambda: outside.append(behind.put(plan_id, name="Outside"))
    )
    with serving(settings, transports=moves) as disturbed:
        payload = approved(disturbed, draft_id)

    assert (payload["status"], payload["reason"]) == ("CONFLICT", VERSION_CHANGED)
    _ended(api, behind, draft_id, process_id, "conflict")
    assert [version["meta"]["versionId"] for version in behind.versions(plan_id)] == [*outside, base]


def test_conflict_when_the_draft_is_edited_between_approval_and_publication(
    api: Api, settings: Settings, behind: Behind
) -> None:
    draft_id = behind.drafts.new()
    process_id = submitted(api, draft_id, AUTHOR)
    moves = meanwhile("camunda", COMPLETION, lambda: behind.drafts.edit(draft_id, plan=edited(name="Edited later")))
    with serving(settings, transports=moves) as disturbed:
        payload = approved(disturbed, draft_id)

    assert (payload["status"], payload["reason"], payload["plan"]) == ("CONFLICT", DRAFT_CHANGED, None)
    _ended(api, behind, draft_id, process_id, "conflict")
    assert behind.versions(draft_id) == []


def test_a_draft_edited_while_it_is_submitted_is_refused(api: Api, settings: Settings, behind: Behind) -> None:
    draft_id = behind.drafts.new()
    moves = meanwhile(
        "camunda",
        "POST /engine-rest/process-definition/key/benefit-approval/start",
        lambda: behind.drafts.edit(draft_id, plan=edited(name="Edited meanwhile")),
    )
    with serving(settings, transports=moves) as disturbed:
        payload = perform(disturbed, SUBMIT, AUTHOR, draftId=draft_id)

    assert (codes(payload), payload["processId"], payload["draft"]) == (["DRAFT_CHANGED"], None, None)
    row = behind.drafts.row(draft_id)
    assert (row["status"], row["camunda_process_id"]) == ("draft", None)
    (process,) = behind.processes(draft_id)
    assert behind.end_of(process["id"]) == ["superseded"]
    assert codes(perform(api, SUBMIT, AUTHOR, draftId=draft_id)) == []


def test_a_second_process_of_one_draft_is_superseded(api: Api, settings: Settings, behind: Behind) -> None:
    """Two submissions meet after both looked for a running process; both name the one that has the draft."""
    draft_id = behind.drafts.new()
    first: list[str] = []
    start = "POST /engine-rest/process-definition/key/benefit-approval/start"
    moves = meanwhile("camunda", start, lambda: first.append(submitted(api, draft_id, AUTHOR)))
    with serving(settings, transports=moves) as disturbed:
        second = submitted(disturbed, draft_id, AUTHOR)

    assert first == [second]
    winner, loser = behind.processes(draft_id)
    assert (winner["id"], winner["state"], behind.end_of(loser["id"])) == (second, "ACTIVE", ["superseded"])
    assert len(behind.tasks(draft_id)) == 1
    assert behind.variables(loser["id"])["approvalOutcome"] == "superseded"


def _in_conflict(api: Api, behind: Behind, draft_id: str) -> dict[str, Any]:
    behind.put(behind.drafts.row(draft_id)["aidbox_id"], name="Outside")
    return approved(api, draft_id)


ENDS: dict[str, Callable[[Api, Behind, str], Any]] = {
    "rejected": lambda api, _, draft_id: rejected(api, draft_id),
    "returned": lambda api, _, draft_id: perform(
        api, REQUEST_CHANGES, REVIEWER, taskId=open_task(api, draft_id), comment="Look again"
    ),
    "withdrawn": lambda api, _, draft_id: perform(api, WITHDRAW, AUTHOR, draftId=draft_id),
    "conflict": _in_conflict,
}


@pytest.mark.parametrize("is_edited", [True, False], ids=["edited", "as it was"])
@pytest.mark.parametrize("end", ENDS)
def test_a_draft_can_be_submitted_again_after(api: Api, behind: Behind, end: str, is_edited: bool) -> None:  # noqa: FBT001  # a parameter of cases
    plan_id, _ = behind.stored_plan()
    text = edited(name="First try")
    draft_id = behind.drafts.new(plan=text, aidbox_id=plan_id)
    first = submitted(api, draft_id, AUTHOR)
    ENDS[end](api, behind, draft_id)
    assert behind.drafts.row(draft_id)["status"] == end
    if is_edited:
        text = edited(name="Second try")
        behind.drafts.edit(draft_id, plan=text)
    base = behind.plan(plan_id)["meta"]["versionId"]
    second = submitted(api, draft_id, AUTHOR)

    assert second != first
    variables = behind.variables(second)
    assert (variables["baseVersion"], variables["previousProcessId"]) == (base, first)
    told = status(api, draft_id)
    assert (told["draftStatus"], told["state"], told["decisions"]) == ("SUBMITTED", "IN_REVIEW", [])
    assert approved(api, draft_id)["status"] == "APPROVED"
    assert exactly(behind.plan(plan_id)) == exactly(read(text))
    assert behind.active(draft_id) == []


# What an operator does to a process in Cockpit, or a restored database


def test_a_process_deleted_by_an_operator_can_be_withdrawn(api: Api, behind: Behind) -> None:
    draft_id = behind.drafts.new()
    process_id = submitted(api, draft_id, AUTHOR)
    behind.delete_process(process_id)
    told = status(api, draft_id)
    assert (told["draftStatus"], told["state"], told["workflowActive"]) == ("SUBMITTED", "NOT_SUBMITTED", False)

    assert perform(api, WITHDRAW, AUTHOR, draftId=draft_id)["draft"]["status"] == "WITHDRAWN"
    assert status(api, draft_id)["state"] == "WITHDRAWN"


def test_a_draft_whose_process_was_deleted_can_be_submitted_again(api: Api, behind: Behind) -> None:
    draft_id = behind.drafts.new()
    first = submitted(api, draft_id, AUTHOR)
    behind.delete_process(first)
    second = submitted(api, draft_id, AUTHOR)

    assert second != first
    assert behind.drafts.row(draft_id)["camunda_process_id"] == second
    assert approved(api, draft_id)["status"] == "APPROVED"


@pytest.mark.parametrize("decide", [approved, rejected])
def test_an_end_that_a_restored_row_forgot_is_written_again(
    api: Api, behind: Behind, decide: Callable[[Api, str], dict[str, Any]]
) -> None:
    draft_id = behind.drafts.new()
    submitted(api, draft_id, AUTHOR)
    decide(api, draft_id)
    ended = behind.picture(draft_id)
    behind.drafts.connection.execute(
        "UPDATE benefit_plan_drafts SET status = 'submitted', aidbox_id = NULL WHERE id = %s", [draft_id]
    )
    assert status(api, draft_id)["state"] == ended["row"]["status"].upper()
    assert codes(perform(api, WITHDRAW, AUTHOR, draftId=draft_id)) == ["NOT_SUBMITTED"]

    now = behind.picture(draft_id)
    ended["row"].pop("updated_at")
    now["row"].pop("updated_at")
    assert now == ended


def test_withdrawing_while_the_registration_is_not_reported_yet(api: Api, behind: Behind) -> None:
    """As when a replica dies after it noted the process on the draft and before it told the engine."""
    draft_id = behind.drafts.new()
    process_id = behind.start(draft_id, business_key=draft_id, submittedBy="author")
    behind.drafts.connection.execute(
        "UPDATE benefit_plan_drafts SET status = 'submitted', camunda_process_id = %s WHERE id = %s",
        [process_id, draft_id],
    )
    assert perform(api, WITHDRAW, AUTHOR, draftId=draft_id)["userErrors"] == []
    _ended(api, behind, draft_id, process_id, "withdrawn")


def test_a_decision_repeated_when_the_draft_has_gone_on_tells_its_own_end(api: Api, behind: Behind) -> None:
    draft_id = behind.drafts.new()
    submitted(api, draft_id, AUTHOR)
    task_id = open_task(api, draft_id)
    first = perform(api, COMPLETE, REVIEWER, taskId=task_id, approved=False)
    assert first["status"] == "REJECTED"
    submitted(api, draft_id, AUTHOR)
    assert approved(api, draft_id)["status"] == "APPROVED"

    repeated = perform(api, COMPLETE, REVIEWER, taskId=task_id, approved=False)
    assert (repeated["status"], repeated["userErrors"], repeated["plan"]) == ("REJECTED", [], None)
