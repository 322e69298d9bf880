"""Requests behind mutations, exactly and in their order: what the work itself needs, and little beside it.

Beside the writes: what decides whether the viewer may, what the plan and the draft are now, and the state the answer
tells. What has just been read or written is not asked for again.
"""

import uuid

import pytest

from tests.calls.recording import SQL, Recording
from tests.serving import AUTHOR, REVIEWER, Api
from tests.stories.behind import Behind, edited
from tests.stories.conftest import behind  # noqa: F401  # a fixture
from tests.verbs import perform

SUBMIT = """mutation Submit($input: SubmitForApprovalInput!) { submitForApproval(input: $input) {
  processId status draft { id status } userErrors { code } } }"""
COMPLETE = """mutation Complete($input: CompleteApprovalInput!) { completeApproval(input: $input) {
  status draft { id status } plan { id versionId } userErrors { code } } }"""

# the last request tells whether the process waits for more
CARRIED_OUT = ["POST /external-task/fetchAndLock", SQL, "POST /external-task/{id}/complete", "POST /external-task"]
SUBMITTED = [
    SQL,  # the draft
    "GET /authorization/check",
    "POST /history/process-instance",  # a submission that was interrupted would be adopted
    "POST /process-definition/key/benefit-approval/start",
    *CARRIED_OUT,
    SQL,  # the draft as registration left it, for the answer as well
]
READ_PLAN = "GET /InsurancePlan/{id}"
MAY_DECIDE = ["POST /task", "POST /history/variable-instance"]
DECIDED = ["POST /task/{id}/claim", "POST /task/{id}/complete"]
# when it began, decisions and comments, and tasks that other clients completed: read while the plan is written
RECORDED = [
    *("POST /history/process-instance", "POST /history/variable-instance", "POST /history/task"),
    "PUT /Provenance/{id}",
]
# of a process that has ended; the draft is read for the payload as well
STATE = [SQL, "POST /history/process-instance", "POST /history/variable-instance"]


def calls(recording: Recording) -> list[str]:
    return [call.kind for call in recording.calls]


@pytest.mark.parametrize("is_new", [True, False], ids=["a new plan", "an edit"])
def test_a_submission(cold: Api, recording: Recording, behind: Behind, is_new: bool) -> None:  # noqa: F811, FBT001  # the fixture; a parameter of cases
    plan_id = None if is_new else behind.stored_plan()[0]
    warm(cold, behind)
    draft_id = behind.drafts.new(aidbox_id=plan_id, plan=edited(name="Another"))
    recording.calls.clear()
    assert perform(cold, SUBMIT, AUTHOR, draftId=draft_id)["draft"] == {"id": draft_id, "status": "SUBMITTED"}
    assert sorted(calls(recording)) == sorted([*SUBMITTED, *([] if is_new else [READ_PLAN])])


def test_an_approval(cold: Api, recording: Recording, behind: Behind) -> None:  # noqa: F811  # the fixture
    plan_id, _ = behind.stored_plan()
    warm(cold, behind)
    draft_id = behind.drafts.new(aidbox_id=plan_id, plan=edited(name="Another"))
    perform(cold, SUBMIT, AUTHOR, draftId=draft_id)
    (task,) = behind.tasks(draft_id)
    recording.calls.clear()
    payload = perform(cold, COMPLETE, REVIEWER, taskId=task["id"], approved=True)
    assert payload == {
        "status": "APPROVED",
        "draft": {"id": draft_id, "status": "APPROVED"},
        "plan": {"id": plan_id, "versionId": behind.plan(plan_id)["meta"]["versionId"]},
        "userErrors": [],
    }
    publishing = [SQL, "PUT /InsurancePlan/{id}"]
    written = CARRIED_OUT[:3]  # the draft is marked
    done = [*MAY_DECIDE, SQL, READ_PLAN, *DECIDED, *publishing, *RECORDED, *written, *STATE]
    assert sorted(calls(recording)) == sorted(done)


def warm(cold: Api, behind: Behind) -> None:  # noqa: F811  # the fixture
    """What is asked for once in the life of a service has been."""
    draft_id = behind.drafts.new()
    perform(cold, SUBMIT, AUTHOR, draftId=draft_id)
    assert cold.ask("query T($id: ID!) { task(id: $id) { id } }", REVIEWER, id=str(uuid.uuid4())) == {"task": None}
