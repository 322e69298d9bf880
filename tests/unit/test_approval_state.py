"""The progress of an approval, as a table: row, process, variables, open tasks and waiting work → state."""

from datetime import UTC, datetime

import pytest

from api.coordination.rules.approval_state import Progress, State, is_between_steps, progress_of
from api.upstreams.camunda.process_variables import NO_VARIABLES, ProcessVariables, Scalar
from api.upstreams.camunda.records import ExternalTask, ProcessInstance, Task
from api.upstreams.retool.records import Draft

THEN = datetime(2027, 1, 1, tzinfo=UTC)
RUNNING = ProcessInstance(id="p", business_key="d", state="ACTIVE", start_time=THEN)
SUSPENDED = ProcessInstance(id="p", business_key="d", state="SUSPENDED", start_time=THEN)
ENDED = ProcessInstance(id="p", business_key="d", state="COMPLETED", start_time=THEN, end_time=THEN)
DELETED = ProcessInstance(id="p", business_key="d", state="EXTERNALLY_TERMINATED", start_time=THEN, end_time=THEN)
REVIEW = Task("t", "Review plan", "review", "p", "definition", None, 50, THEN)


def row(status: str) -> Draft:
    return Draft("d", "A plan", status, "{}", "revision", None, "p", "author", THEN)


def waits(topic: str, retries: int | None = None, error: str | None = None) -> ExternalTask:
    return ExternalTask("e", topic, topic, "p", "benefit-approval", retries, error)


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("draft", State.NOT_SUBMITTED),
        ("approved", State.APPROVED),
        ("rejected", State.REJECTED),
        ("returned", State.RETURNED),
        ("conflict", State.CONFLICT),
        ("withdrawn", State.WITHDRAWN),
        ("submitted", State.NOT_SUBMITTED),
        ("a word of somebody else's", State.NOT_SUBMITTED),
    ],
)
@pytest.mark.parametrize("process", [None, ENDED, DELETED])
def test_without_a_running_process_the_row_tells(status: str, state: State, process: ProcessInstance | None) -> None:
    assert progress_of(row(status), process, NO_VARIABLES, [], []) == Progress(state, is_active=False)


@pytest.mark.parametrize("draft", [row("submitted"), None], ids=["still submitted", "deleted"])
@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        ("approved", State.APPROVED),
        ("rejected", State.REJECTED),
        ("returned", State.RETURNED),
        ("conflict", State.CONFLICT),
        ("withdrawn", State.WITHDRAWN),
        ("superseded", State.NOT_SUBMITTED),
        (None, State.NOT_SUBMITTED),
        (True, State.NOT_SUBMITTED),
    ],
)
def test_a_row_that_does_not_know_the_end_yet_is_told_by_the_process(
    draft: Draft | None, outcome: Scalar, state: State
) -> None:
    assert progress_of(draft, ENDED, ProcessVariables.read({"approvalOutcome": outcome}), [], []) == Progress(
        state, is_active=False
    )


@pytest.mark.parametrize("process", [RUNNING, SUSPENDED])
@pytest.mark.parametrize("status", ["submitted", "draft", "approved"])
@pytest.mark.parametrize(
    ("variables", "tasks", "waiting", "state", "problem"),
    [
        ({}, [REVIEW], [], State.IN_REVIEW, None),
        ({"approved": True}, [REVIEW], [], State.IN_REVIEW, None),
        ({}, [], [], State.IN_REVIEW, None),
        ({}, [], [waits("register-submission")], State.IN_REVIEW, None),
        ({"approved": True}, [], [waits("publish-plan")], State.PUBLISHING, None),
        ({"approved": True}, [], [waits("publish-plan", 59, "away")], State.PUBLISHING, None),
        ({"approved": True}, [], [waits("publish-plan", 0, "no such code")], State.PUBLISH_FAILED, "no such code"),
        ({"approved": True}, [], [waits("another-topic"), waits("publish-plan")], State.PUBLISHING, None),
        ({"approved": True}, [], [], State.PUBLISHING, None),
        ({"approved": "true"}, [], [], State.IN_REVIEW, None),
        ({"approved": False}, [], [waits("record-outcome")], State.REJECTED, None),
        ({"approved": False, "changesRequested": True}, [], [waits("record-outcome")], State.RETURNED, None),
        ({"approved": False, "conflictDetected": True}, [], [waits("record-outcome")], State.CONFLICT, None),
        ({}, [], [waits("record-outcome")], State.WITHDRAWN, None),
    ],
)
def test_a_running_process_tells(
    process: ProcessInstance,
    status: str,
    variables: dict[str, Scalar],
    tasks: list[Task],
    waiting: list[ExternalTask],
    state: State,
    problem: str | None,
) -> None:
    told = progress_of(row(status), process, ProcessVariables.read(variables), tasks, waiting)
    assert told == Progress(state, is_active=True, problem=problem)


@pytest.mark.parametrize(
    ("process_id", "status", "variables", "state"),
    [
        (None, "approved", {}, State.NOT_SUBMITTED),
        (None, "rejected", {}, State.NOT_SUBMITTED),
        ("p", "approved", {"approvalOutcome": "rejected"}, State.REJECTED),
        ("p", "approved", {"approvalOutcome": "withdrawn", "approved": True}, State.WITHDRAWN),
        ("p", "rejected", {"approvalOutcome": "approved"}, State.APPROVED),
        ("p", "approved", {"approvalOutcome": "superseded"}, State.NOT_SUBMITTED),
        ("p", "approved", {"approved": False}, State.REJECTED),
        ("p", "approved", {"approved": False, "conflictDetected": True}, State.CONFLICT),
        ("p", "approved", {"approved": True}, State.APPROVED),
        ("p", "conflict", {"approved": True}, State.CONFLICT),
        ("p", "draft", {"approvalOutcome": "rejected"}, State.NOT_SUBMITTED),
        ("another", "approved", {"approvalOutcome": "rejected"}, State.REJECTED),
    ],
)
def test_the_process_is_believed_before_the_row(
    process_id: str | None, status: str, variables: dict[str, Scalar], state: State
) -> None:
    draft = Draft("d", "A plan", status, "{}", "revision", None, process_id, "author", THEN)
    process = ENDED if process_id else None
    assert progress_of(draft, process, ProcessVariables.read(variables), [], []) == Progress(state, is_active=False)


@pytest.mark.parametrize(
    ("variables", "tasks", "waiting", "state"),
    [
        ({"approved": True}, [], [], State.SCHEDULED),
        ({"approved": False}, [], [], State.IN_REVIEW),
        ({"approved": True}, [REVIEW], [], State.IN_REVIEW),
        ({"approved": True}, [], [waits("publish-plan")], State.PUBLISHING),
    ],
)
def test_a_timer_counts_where_nobody_is_waited_for(
    variables: dict[str, Scalar], tasks: list[Task], waiting: list[ExternalTask], state: State
) -> None:
    due = THEN if state is State.SCHEDULED else None
    values = ProcessVariables.read(variables)
    assert is_between_steps(RUNNING, values, tasks, waiting) is (due is not None)
    assert progress_of(row("submitted"), RUNNING, values, tasks, waiting, THEN) == Progress(
        state, is_active=True, due=due
    )
