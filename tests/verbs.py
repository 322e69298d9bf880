"""The verbs of the API as tests use them: one operation each, answering its payload."""

from typing import Any

from tests.serving import AUDITOR, REVIEWER, Api, Someone

SUBMIT = """mutation Submit($input: SubmitForApprovalInput!) { submitForApproval(input: $input) {
  processId status draft { id status } userErrors { code message field } } }"""
COMPLETE = """mutation Complete($input: CompleteApprovalInput!) { completeApproval(input: $input) {
  status reason draft { id status aidboxId } plan { id versionId } task { id isOpen }
  userErrors { code message field } } }"""
REQUEST_CHANGES = """mutation Return($input: RequestChangesInput!) { requestChanges(input: $input) {
  status reason draft { id status } userErrors { code message field } } }"""
WITHDRAW = """mutation Withdraw($input: WithdrawSubmissionInput!) { withdrawSubmission(input: $input) {
  draft { id status } userErrors { code message field } } }"""
RETRY = """mutation Retry($input: RetryPublicationInput!) { retryPublication(input: $input) {
  draft { id status } userErrors { code message field } } }"""
CLAIM = """mutation Claim($input: ClaimTaskInput!) { claimTask(input: $input) {
  task { id assignee { id } } userErrors { code message field } } }"""
UNCLAIM = """mutation Unclaim($input: UnclaimTaskInput!) { unclaimTask(input: $input) {
  task { id assignee { id } } userErrors { code message field } } }"""
REASSIGN = """mutation Reassign($input: ReassignTaskInput!) { reassignTask(input: $input) {
  task { id assignee { id } } userErrors { code message field } } }"""
STATUS = """query Status($draftId: ID!) { approvalStatus(draftId: $draftId) {
  draftStatus state workflowActive currentActivity problem openTasks { id step }
  decisions { step verdict comment reason decidedBy { id } } submittedBy { id } submittedRevision } }"""


def perform(api: Api, operation: str, someone: Someone, **fields: object) -> dict[str, Any]:
    """Run a mutation of one field with this input; its payload."""
    (payload,) = api.ask(operation, someone, input=fields).values()
    assert isinstance(payload, dict)
    return payload


def codes(payload: dict[str, Any]) -> list[str]:
    """The codes of a payload's userErrors."""
    return [error["code"] for error in payload["userErrors"]]


def submitted(api: Api, draft_id: str, author: Someone) -> str:
    """Submit a draft that must be accepted; its process id."""
    payload = perform(api, SUBMIT, author, draftId=draft_id)
    assert payload["userErrors"] == []
    return str(payload["processId"])


def status(api: Api, draft_id: str, someone: Someone = AUDITOR) -> dict[str, Any]:
    """The approval status of a draft that must exist."""
    answer = api.ask(STATUS, someone, draftId=draft_id)["approvalStatus"]
    assert isinstance(answer, dict)
    return answer


def open_task(api: Api, draft_id: str) -> str:
    """The id of the one open task of a draft."""
    (task,) = status(api, draft_id)["openTasks"]
    return str(task["id"])


def approved(api: Api, draft_id: str, reviewer: Someone = REVIEWER) -> dict[str, Any]:
    """Approve the one open task of a draft; the payload, whatever it says."""
    return perform(api, COMPLETE, reviewer, taskId=open_task(api, draft_id), approved=True)


def rejected(api: Api, draft_id: str, reviewer: Someone = REVIEWER) -> dict[str, Any]:
    """Reject the one open task of a draft; the payload, whatever it says."""
    return perform(api, COMPLETE, reviewer, taskId=open_task(api, draft_id), approved=False)
