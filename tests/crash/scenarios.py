"""What is tried: for each verb a draft made ready for it, what is asked, and which of its calls change what.

The operations select next to nothing: what a payload reads after the verb comes after its last call.
"""

import uuid
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from doctor.setup import MODEL
from sandbox.samples import ENCODER
from tests.crash.doomed import Asked
from tests.crash.moves import Move, When
from tests.crash.picture import Picture
from tests.serving import ADMIN, AUTHOR, REVIEWER, Api, Someone
from tests.stories.behind import FHIR_JSON, Behind, edited
from tests.verbs import approved, open_task, perform, rejected, submitted

TWO_STEPS, FIRST_VERSION = "two-steps", "first-version"
MODELS = {
    TWO_STEPS: MODEL.parent / "examples" / "two-step-approval.bpmn",
    FIRST_VERSION: Path(__file__).parent.parent / "reconcile" / "first-version.bpmn",
}
LATER, LATER_STILL = (f"{datetime.now(UTC) + timedelta(days=days):%Y-%m-%dT00:00:00Z}" for days in (30, 60))
ERRORS = "userErrors { code message }"
SUBMIT = f"mutation ($input: SubmitForApprovalInput!) {{ submitForApproval(input: $input) {{ processId {ERRORS} }} }}"
COMPLETE = (
    f"mutation ($input: CompleteApprovalInput!) {{ completeApproval(input: $input) {{ status reason {ERRORS} }} }}"
)
RETURN = f"mutation ($input: RequestChangesInput!) {{ requestChanges(input: $input) {{ status reason {ERRORS} }} }}"
WITHDRAW = f"mutation ($input: WithdrawSubmissionInput!) {{ withdrawSubmission(input: $input) {{ {ERRORS} }} }}"
RESCHEDULE = f"mutation ($input: ReschedulePublicationInput!) {{ reschedulePublication(input: $input) {{ {ERRORS} }} }}"
RETRY = f"mutation ($input: RetryPublicationInput!) {{ retryPublication(input: $input) {{ {ERRORS} }} }}"
CLAIM = f"mutation ($input: ClaimTaskInput!) {{ claimTask(input: $input) {{ {ERRORS} }} }}"
UNCLAIM = f"mutation ($input: UnclaimTaskInput!) {{ unclaimTask(input: $input) {{ {ERRORS} }} }}"
REASSIGN = f"mutation ($input: ReassignTaskInput!) {{ reassignTask(input: $input) {{ {ERRORS} }} }}"
UPDATE = f"mutation ($input: UpdateTaskInput!) {{ updateTask(input: $input) {{ {ERRORS} }} }}"
COMMENT = f"mutation ($input: AddCommentInput!) {{ addComment(input: $input) {{ comment {{ text }} {ERRORS} }} }}"
OPERATIONS = (SUBMIT, COMPLETE, RETURN, WITHDRAW, RETRY, RESCHEDULE, CLAIM, UNCLAIM, REASSIGN, UPDATE, COMMENT)


@dataclass(frozen=True)
class World:
    """An undisturbed replica without a worker, to make drafts ready with, and the systems behind it."""

    api: Api
    behind: Behind


@dataclass(frozen=True)
class Case:
    """A draft made ready; `names` are for further ids that are its own, `moves` what is to happen during the verb."""

    draft_id: str
    asked: Asked
    plan_id: str
    names: Mapping[str, str] = field(default_factory=dict)
    moves: tuple[Move, ...] = ()


Change = Callable[[Picture], Picture]


@dataclass(frozen=True)
class Write:
    """A call (the nth of those alike) that changes something; `left`: what a draft becomes when nobody asks again.

    None stands for all that the verb does.
    """

    call: str
    nth: int = 0
    left: Change | None = None


@dataclass(frozen=True)
class Scenario:
    """`writes` are the calls that change something by themselves, in their order; the last of them decides.

    `end`: status of the row, ends of its processes, and the number of versions, when all is done. `is_asked_late`:
    only when a dead replica's locks have ended; a task that failed before may pause for long, so nobody waits for it.
    """

    prepare: Callable[[World], Case]
    writes: tuple[Write, ...]
    end: tuple[str, list[str], int]
    is_asked_late: bool = False


def _new(world: World) -> str:
    return world.behind.drafts.new()


def _edit(world: World) -> tuple[str, str]:
    plan_id, _ = world.behind.stored_plan()
    return world.behind.drafts.new(plan=edited(name="Edited"), aidbox_id=plan_id), plan_id


def _case(asked: Asked, draft_id: str, plan_id: str | None = None) -> Case:
    return Case(draft_id, asked, plan_id or draft_id)


def _submit_new(world: World) -> Case:
    draft_id = _new(world)
    return _case(Asked(SUBMIT, AUTHOR, {"draftId": draft_id}), draft_id)


def _submit_edit(world: World) -> Case:
    draft_id, plan_id = _edit(world)
    return _case(Asked(SUBMIT, AUTHOR, {"draftId": draft_id}), draft_id, plan_id)


def _submit_again(world: World) -> Case:
    draft_id = _new(world)
    submitted(world.api, draft_id, AUTHOR)
    assert rejected(world.api, draft_id)["status"] == "REJECTED"
    return _case(Asked(SUBMIT, AUTHOR, {"draftId": draft_id}), draft_id)


def _process_gone(world: World) -> str:
    draft_id = _new(world)
    process_id = submitted(world.api, draft_id, AUTHOR)
    world.behind.delete_process(process_id)
    return draft_id


def _submit_after_deletion(world: World) -> Case:
    draft_id = _process_gone(world)
    return _case(Asked(SUBMIT, AUTHOR, {"draftId": draft_id}), draft_id)


def _withdraw_after_deletion(world: World) -> Case:
    draft_id = _process_gone(world)
    return _case(Asked(WITHDRAW, AUTHOR, {"draftId": draft_id}), draft_id)


def _decide_new(operation: str, **fields: object) -> Callable[[World], Case]:
    def prepare(world: World) -> Case:
        draft_id = _new(world)
        submitted(world.api, draft_id, AUTHOR)
        return _case(Asked(operation, REVIEWER, {"taskId": open_task(world.api, draft_id), **fields}), draft_id)

    return prepare


def _scheduled(operation: str, who: Someone, **fields: object) -> Callable[[World], Case]:
    """Of an edit that is approved for later."""

    def prepare(world: World) -> Case:
        case = _in_review(world)
        payload = perform(world.api, COMPLETE, REVIEWER, **case.asked.fields, publishAt=LATER)
        assert payload["status"] == "SCHEDULED"
        return _case(Asked(operation, who, {"draftId": case.draft_id, **fields}), case.draft_id, case.plan_id)

    return prepare


def _in_review(world: World) -> Case:
    """Before the approval of an edit."""
    draft_id, plan_id = _edit(world)
    submitted(world.api, draft_id, AUTHOR)
    asked = Asked(COMPLETE, REVIEWER, {"taskId": open_task(world.api, draft_id), "approved": True})
    return _case(asked, draft_id, plan_id)


def _approve_first_step(world: World) -> Case:
    draft_id = _new(world)
    world.behind.start(draft_id, business_key=draft_id, submittedBy=AUTHOR.id, tenant=TWO_STEPS)
    submitted(world.api, draft_id, AUTHOR)
    return _case(Asked(COMPLETE, REVIEWER, {"taskId": open_task(world.api, draft_id), "approved": True}), draft_id)


def _conflict_at_once(world: World) -> Case:
    case = _in_review(world)
    world.behind.put(case.plan_id, name="Outside")
    return case


def _conflict_while_publishing(when: When) -> Callable[[World], Case]:
    def prepare(world: World) -> Case:
        case = _in_review(world)
        base = world.behind.plan(case.plan_id)["meta"]["versionId"]
        move = Move(str(case.asked.fields["taskId"]), case.plan_id, base, when)
        return Case(case.draft_id, case.asked, case.plan_id, moves=(move,))

    return prepare


def _withdraw(world: World) -> Case:
    draft_id = _new(world)
    submitted(world.api, draft_id, AUTHOR)
    return _case(Asked(WITHDRAW, AUTHOR, {"draftId": draft_id}), draft_id)


def _comment(world: World) -> Case:
    draft_id = _new(world)
    submitted(world.api, draft_id, AUTHOR)
    return _case(Asked(COMMENT, REVIEWER, {"draftId": draft_id, "text": "Why?"}), draft_id)


def _stopped(world: World) -> tuple[str, str, Mapping[str, str]]:
    """A draft whose publication gave up, what the store lacks for it, and names for ids that are its own."""
    owner = str(uuid.uuid4())
    draft_id = world.behind.drafts.new(plan=edited(ownedBy={"reference": f"Organization/{owner}"}))
    submitted(world.api, draft_id, AUTHOR)
    assert approved(world.api, draft_id)["status"] == "PUBLISH_FAILED"
    (process_id,) = world.behind.active(draft_id)
    revision = world.behind.variables(process_id)["draftRevision"]
    return draft_id, owner, {owner: "<owner>", revision: "<revision>"}


def _withdraw_stopped(world: World) -> Case:
    draft_id, _, names = _stopped(world)
    return Case(draft_id, Asked(WITHDRAW, AUTHOR, {"draftId": draft_id}), draft_id, names)


def _retry(world: World) -> Case:
    """Its publication gave up, and the cause is mended."""
    draft_id, owner, names = _stopped(world)
    body = ENCODER.encode({"resourceType": "Organization", "id": owner, "name": "Found at last"})
    assert world.behind.store.put(f"/Organization/{owner}", content=body, headers=FHIR_JSON).status_code == 201
    return Case(draft_id, Asked(RETRY, ADMIN, {"draftId": draft_id}), draft_id, names)


def _claimed(operation: str, **fields: object) -> Callable[[World], Case]:
    """Of a task that the reviewer has."""

    def prepare(world: World) -> Case:
        draft_id = _new(world)
        submitted(world.api, draft_id, AUTHOR)
        (task,) = world.behind.tasks(draft_id)
        assert world.behind.engine.post(f"/task/{task['id']}/claim", json={"userId": REVIEWER.id}).is_success
        return _case(Asked(operation, REVIEWER, {"taskId": task["id"], **fields}), draft_id)

    return prepare


def _only_claimed(before: Picture) -> Picture:
    """As it was, but that the reviewer has the task."""
    after = deepcopy(before)
    after["tasks"][-1]["assignee"] = REVIEWER.id
    return after


def _only_released(before: Picture) -> Picture:
    """As it was, but that the draft waits no longer for the process that is gone."""
    after = deepcopy(before)
    after["row"]["status"] = "withdrawn"
    return after


# Calls that are not sent again when their answer is lost, nor looked into: the request may end with an error there.
NOT_SENT_AGAIN = {
    f"camunda POST /process-definition/key/{MODEL.stem}/start",
    "camunda POST /message",
    "camunda POST /task/{id}/unclaim",
    "camunda POST /task/{id}/assignee",
    "camunda PUT /external-task/{id}/retries",
    "camunda POST /external-task/{id}/unlock",
}
SAID = uuid.uuid5(uuid.NAMESPACE_URL, f"{REVIEWER.id}\nWhy?").hex
WHY = f"comment_{SAID}"
START = Write(f"camunda POST /process-definition/key/{MODEL.stem}/start")
CLAIM_CALL, COMPLETE_CALL = "camunda POST /task/{id}/claim", "camunda POST /task/{id}/complete"
DECIDE = (Write(CLAIM_CALL, left=_only_claimed), Write(COMPLETE_CALL))

SCENARIOS: Mapping[str, Scenario] = {
    "submit a new plan": Scenario(_submit_new, (START,), ("submitted", [], 0)),
    "submit an edit": Scenario(_submit_edit, (START,), ("submitted", [], 1)),
    "submit again": Scenario(_submit_again, (START,), ("submitted", ["rejected"], 0)),
    "submit, its process deleted": Scenario(
        _submit_after_deletion, (Write("retool UPDATE", left=_only_released), START), ("submitted", [], 0)
    ),
    "approve a new plan": Scenario(_decide_new(COMPLETE, approved=True), DECIDE, ("approved", ["approved"], 1)),
    "approve an edit": Scenario(_in_review, DECIDE, ("approved", ["approved"], 2)),
    "approve for later": Scenario(_decide_new(COMPLETE, approved=True, publishAt=LATER), DECIDE, ("submitted", [], 0)),
    "approve an earlier step": Scenario(_approve_first_step, DECIDE, ("submitted", [], 0)),
    "reject": Scenario(_decide_new(COMPLETE, approved=False), DECIDE, ("rejected", ["rejected"], 0)),
    "request changes": Scenario(_decide_new(RETURN, comment="Look again"), DECIDE, ("returned", ["returned"], 0)),
    "conflict at once": Scenario(_conflict_at_once, DECIDE, ("conflict", ["conflict"], 2)),
    "conflict before publication": Scenario(
        _conflict_while_publishing(When.DECIDED), DECIDE, ("conflict", ["conflict"], 2)
    ),
    "conflict at publication": Scenario(_conflict_while_publishing(When.LOCKED), DECIDE, ("conflict", ["conflict"], 2)),
    "withdraw": Scenario(_withdraw, (Write("camunda POST /message"),), ("withdrawn", ["withdrawn"], 0)),
    "withdraw what is scheduled": Scenario(
        _scheduled(WITHDRAW, AUTHOR), (Write("camunda POST /message"),), ("withdrawn", ["withdrawn"], 1)
    ),
    "reschedule": Scenario(
        _scheduled(RESCHEDULE, ADMIN, publishAt=LATER_STILL), (Write("camunda POST /message"),), ("submitted", [], 1)
    ),
    "publish now": Scenario(
        _scheduled(RESCHEDULE, ADMIN), (Write("camunda POST /message"),), ("approved", ["approved"], 2)
    ),
    "withdraw what could not be published": Scenario(
        _withdraw_stopped,
        (Write("camunda POST /external-task/{id}/bpmnError"),),
        ("withdrawn", ["withdrawn"], 0),
        is_asked_late=True,
    ),
    "withdraw, its process deleted": Scenario(
        _withdraw_after_deletion, (Write("retool UPDATE"),), ("withdrawn", [], 0)
    ),
    "retry a publication": Scenario(
        _retry, (Write("camunda PUT /external-task/{id}/retries"),), ("approved", ["approved"], 1), is_asked_late=True
    ),
    "claim": Scenario(_decide_new(CLAIM), (Write(CLAIM_CALL),), ("submitted", [], 0)),
    "unclaim": Scenario(_claimed(UNCLAIM), (Write("camunda POST /task/{id}/unclaim"),), ("submitted", [], 0)),
    "reassign": Scenario(
        _claimed(REASSIGN, userId="another"), (Write("camunda POST /task/{id}/assignee"),), ("submitted", [], 0)
    ),
    "update a task": Scenario(_claimed(UPDATE, priority=90), (Write("camunda PUT /task/{id}"),), ("submitted", [], 0)),
    "comment": Scenario(
        _comment, (Write(f"camunda PUT /process-instance/{{id}}/variables/{WHY}"),), ("submitted", [], 0)
    ),
}
