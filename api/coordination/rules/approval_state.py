"""The state of a draft's approval, derived from its row, its process and what that waits for. Pure; stored nowhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from api.errors import public_part
from api.upstreams.camunda.process_variables import Outcome, ProcessVariables
from api.upstreams.camunda.records import PUBLICATION, ExternalTask, ProcessInstance, Task
from api.upstreams.retool.records import Draft


class State(StrEnum):
    """The states of an approval; each is described in the schema (`schema/approval_status.py`)."""

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
class Progress:
    """The state of an approval. `problem`: why an external task failed for good. `due`: of a scheduled process."""

    state: State
    is_active: bool
    problem: str | None = None
    due: datetime | None = None


NOT_SUBMITTED = Progress(State.NOT_SUBMITTED, is_active=False)
BY_STATUS = {outcome.value: State[outcome.name] for outcome in Outcome if outcome is not Outcome.SUPERSEDED}


def progress_of(
    draft: Draft | None,
    process: ProcessInstance | None,
    variables: ProcessVariables,
    open_tasks: Sequence[Task],
    waiting: Sequence[ExternalTask],
    due: datetime | None = None,
) -> Progress:
    """The state of a draft in the process it was last submitted to. `due`: of the process's next timer.

    The process decides: what it waits for while it runs, its outcome afterwards, whatever the draft's row says.
    """
    if process is not None and process.is_active:
        if is_between_steps(process, variables, open_tasks, waiting):
            return Progress(State.SCHEDULED if due else State.PUBLISHING, is_active=True, due=due)
        return _running(variables, waiting)
    return Progress(_ended(draft, process, variables), is_active=False)


def is_between_steps(
    process: ProcessInstance | None,
    variables: ProcessVariables,
    open_tasks: Sequence[Task],
    waiting: Sequence[ExternalTask],
) -> bool:
    """Whether a running process is approved and idle, so that its timers decide between SCHEDULED and PUBLISHING."""
    return is_idle(process, open_tasks, waiting) and variables.approved is True


def is_idle(process: ProcessInstance | None, open_tasks: Sequence[Task], waiting: Sequence[ExternalTask]) -> bool:
    """Whether a running process has neither tasks nor external tasks, or none that the engine shows to this service."""
    return process is not None and process.is_active and not open_tasks and not waiting


def _running(variables: ProcessVariables, waiting: Sequence[ExternalTask]) -> Progress:
    topics = {task.topic_name: task for task in waiting}
    if publication := topics.get(PUBLICATION):
        if publication.has_given_up:
            return Progress(State.PUBLISH_FAILED, is_active=True, problem=public_part(publication.error_message))
        return Progress(State.PUBLISHING, is_active=True)
    if record := topics.get("record-outcome"):
        problem = public_part(record.error_message) if record.has_given_up else None
        return Progress(State[variables.unpublished_outcome.name], is_active=True, problem=problem)
    return Progress(State.IN_REVIEW, is_active=True)


def _ended(draft: Draft | None, process: ProcessInstance | None, variables: ProcessVariables) -> State:
    """The state after the process has ended.

    1. A draft that still waits, was deleted or was submitted again: the outcome that the process recorded, none if an
       operator ended it.
    2. A draft that is being edited again, or names no process: not in approval.
    3. Any other: the recorded outcome, else the draft's own status. A model may record none, an engine may have
       deleted its history.
    """
    outcome = variables.approval_outcome
    at_its_end = BY_STATUS.get(outcome or "", State.NOT_SUBMITTED)
    has_gone_on = draft is not None and process is not None and draft.camunda_process_id != process.id
    if draft is None or draft.is_submitted or has_gone_on:
        return at_its_end
    named = BY_STATUS.get(draft.status)
    if named is None or draft.camunda_process_id is None:
        return State.NOT_SUBMITTED
    if outcome is not None:
        return at_its_end
    return State[variables.unpublished_outcome.name] if variables.approved is False else named
