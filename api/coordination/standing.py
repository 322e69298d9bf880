"""Where the approval of a draft stands, worked out from what the three systems say. Pure; kept nowhere.

Used by the verbs for their answers and by the schema for `approvalStatus`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from api.upstreams.drafts import Draft
from api.upstreams.engine import ExternalTask, ProcessInstance, Scalar, Task, text


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
    """`problem` is the store's own words when publication gave up."""

    state: State
    is_active: bool
    problem: str | None = None


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
) -> Standing:
    """The standing of a draft in the process it was last submitted to.

    A draft that is not `submitted` tells its own state, since that was written as the last step. One that is, that
    was deleted, or that has gone on to another process stands where its process stands, and where that has ended, at
    the end it came to; at none, if an operator ended it.
    """
    if process is not None and process.is_active:
        return _running(variables, open_tasks, waiting)
    has_gone_on = draft is not None and process is not None and draft.camunda_process_id != process.id
    said = variables.get("approvalOutcome") if draft is None or draft.is_submitted or has_gone_on else draft.status
    return Standing(BY_STATUS.get(text(said) or "", State.NOT_SUBMITTED), is_active=False)


def _running(variables: Mapping[str, Scalar], open_tasks: Sequence[Task], waiting: Sequence[ExternalTask]) -> Standing:
    topics = {task.topic_name: task for task in waiting}
    if publication := topics.get("publish-plan"):
        if publication.retries == 0:
            return Standing(State.PUBLISH_FAILED, is_active=True, problem=publication.error_message)
        return Standing(State.PUBLISHING, is_active=True)
    if "record-outcome" in topics:
        return Standing(decided(variables), is_active=True)
    if not open_tasks and not waiting and variables.get("approved") is True:
        return Standing(State.PUBLISHING, is_active=True)
    return Standing(State.IN_REVIEW, is_active=True)


def decided(variables: Mapping[str, Scalar]) -> State:
    """What the reviewers decided, before it is written on the draft."""
    if variables.get("conflictDetected") is True:
        return State.CONFLICT
    if variables.get("changesRequested") is True:
        return State.RETURNED
    return State.REJECTED if variables.get("approved") is False else State.WITHDRAWN
