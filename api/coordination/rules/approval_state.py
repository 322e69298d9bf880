"""Where the approval of a draft stands, worked out from what the three systems say. Pure; kept nowhere.

Used by the verbs for their answers and by the schema for `approvalStatus`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from api.errors import told_of
from api.upstreams.camunda.records import PUBLICATION, ExternalTask, ProcessInstance, Scalar, Task, text
from api.upstreams.retool.records import Draft


class State(StrEnum):
    """Each is described in the schema (`schema/approval_status.py`)."""

    NOT_SUBMITTED = "NOT_SUBMITTED"
    IN_REVIEW = "IN_REVIEW"
    SCHEDULED = "SCHEDULED"
    PUBLISHING = "PUBLISHING"
    PUBLISH_FAILED = "PUBLISH_FAILED"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    RETURNED = "RETURNED"
    CONFLICT = "CONFLICT"
    WITHDRAWN = "WITHDRAWN"


@dataclass(frozen=True)
class Standing:
    """`problem` says why publication, or the record of an outcome, gave up. `due`: when what is scheduled goes on."""

    state: State
    is_active: bool
    problem: str | None = None
    due: datetime | None = None


NOT_SUBMITTED = Standing(State.NOT_SUBMITTED, is_active=False)
BY_STATUS = {
    "approved": State.APPROVED,
    "rejected": State.REJECTED,
    "returned": State.RETURNED,
    "conflict": State.CONFLICT,
    "withdrawn": State.WITHDRAWN,
}


def standing(
    draft: Draft | None,
    process: ProcessInstance | None,
    variables: Mapping[str, Scalar],
    open_tasks: Sequence[Task],
    waiting: Sequence[ExternalTask],
    due: datetime | None = None,
) -> Standing:
    """The standing of a draft in the process it was last submitted to. `due`: when the next timer of that goes off.

    While the process runs it tells where it stands, and afterwards what it came to, whatever is written on the draft.
    """
    if process is not None and process.is_active:
        if is_between_steps(process, variables, open_tasks, waiting):
            return Standing(State.SCHEDULED if due else State.PUBLISHING, is_active=True, due=due)
        return _running(variables, waiting)
    return Standing(_ended(draft, process, variables), is_active=False)


def is_between_steps(
    process: ProcessInstance | None,
    variables: Mapping[str, Scalar],
    open_tasks: Sequence[Task],
    waiting: Sequence[ExternalTask],
) -> bool:
    """Whether a running process is approved and waits for nobody: then it matters whether it waits for a timer."""
    return is_idle(process, open_tasks, waiting) and variables.get("approved") is True


def is_idle(process: ProcessInstance | None, open_tasks: Sequence[Task], waiting: Sequence[ExternalTask]) -> bool:
    """Whether a running process seems to wait for nobody: for a timer, or for what this service is not shown."""
    return process is not None and process.is_active and not open_tasks and not waiting


def _running(variables: Mapping[str, Scalar], waiting: Sequence[ExternalTask]) -> Standing:
    topics = {task.topic_name: task for task in waiting}
    if publication := topics.get(PUBLICATION):
        if publication.has_given_up:
            return Standing(State.PUBLISH_FAILED, is_active=True, problem=told_of(publication.error_message))
        return Standing(State.PUBLISHING, is_active=True)
    if record := topics.get("record-outcome"):
        problem = told_of(record.error_message) if record.has_given_up else None
        return Standing(decided(variables), is_active=True, problem=problem)
    return Standing(State.IN_REVIEW, is_active=True)


def _ended(draft: Draft | None, process: ProcessInstance | None, variables: Mapping[str, Scalar]) -> State:
    """A draft that waits, was deleted or has gone on stands at its process's end; at none, if an operator ended it.

    One that is written again stands at none. An outcome that the draft names counts where the process says nothing
    else: it may be forgotten, or of a model that does not record it. Without a process there is none.
    """
    outcome = text(variables.get("approvalOutcome"))
    at_its_end = BY_STATUS.get(outcome or "", State.NOT_SUBMITTED)
    has_gone_on = draft is not None and process is not None and draft.camunda_process_id != process.id
    if draft is None or draft.is_submitted or has_gone_on:
        return at_its_end
    named = BY_STATUS.get(draft.status)
    if named is None or draft.camunda_process_id is None:
        return State.NOT_SUBMITTED
    if outcome is not None:
        return at_its_end
    return decided(variables) if variables.get("approved") is False else named


def decided(variables: Mapping[str, Scalar]) -> State:
    """What the reviewers decided, before it is written on the draft."""
    if variables.get("conflictDetected") is True:
        return State.CONFLICT
    if variables.get("changesRequested") is True:
        return State.RETURNED
    return State.REJECTED if variables.get("approved") is False else State.WITHDRAWN
