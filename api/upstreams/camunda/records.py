"""The engine's own things: its records, the names in our process model, and the forms in which it is told values.

Read by camunda.py, which asks the engine, and by everybody who gets a record from there.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from api.errors import Refused, UserErrorCode
from api.identity import utf16_length

PROCESS_KEY = "benefit-approval"
WITHDRAW_MESSAGE = "withdraw-submission"
PUBLICATION = "publish-plan"
PUBLICATION_WITHDRAWN = "publication-withdrawn"
REGISTRATION = "register-submission"
TOPICS = (REGISTRATION, PUBLICATION, "record-outcome")

DRAFT_VARIABLES = (
    "draftId", "draftSource", "draftRevision", "baseVersion", "submittedBy", "aidboxPlanId", "previousProcessId",
    "submissionComment", "submissionActedBy",
)  # fmt: skip
OUTCOME_VARIABLES = (
    "approvalOutcome",
    "publishedVersion",
    "approved",
    "approvedBy",
    "rejectedBy",
    "withdrawnBy",
    "withdrawalActedBy",
    "comment",
    "changesRequested",
    "conflictDetected",
    "reason",
)
VARIABLES = (*DRAFT_VARIABLES, *OUTCOME_VARIABLES)
DECISION_PREFIX = "decision_"

LONGEST_TEXT = 2000  # of a string variable on Oracle, NVARCHAR2(2000); on other databases it is 4000

_ID = re.compile(r"[A-Za-z0-9_.:-]{1,64}")

Scalar = str | bool | int | float | None
Variables = Mapping[str, Scalar]


class Task(msgspec.Struct, frozen=True, rename="camel"):
    """A user task, open or already completed. Instants keep the engine's own offset."""

    id: str
    name: str | None
    task_definition_key: str
    process_instance_id: str
    process_definition_id: str
    assignee: str | None
    priority: int
    created: datetime
    due: datetime | None = None
    ended: datetime | None = None
    delete_reason: str | None = None
    suspended: bool = False


class ProcessInstance(msgspec.Struct, frozen=True, rename="camel"):
    """One submission, running or ended, from the engine's history."""

    id: str
    business_key: str | None
    state: str
    start_time: datetime
    end_time: datetime | None = None

    @property
    def is_active(self) -> bool:
        """Whether it still runs (a suspended one counts)."""
        return self.end_time is None


class ExternalTask(msgspec.Struct, frozen=True, rename="camel"):
    """Work a process waits for. `retries` is None until the first failure, 0 once it gave up (an incident)."""

    id: str
    topic_name: str
    activity_id: str
    process_instance_id: str
    retries: int | None = None
    error_message: str | None = None
    worker_id: str | None = None
    create_time: datetime | None = None

    @property
    def has_failed(self) -> bool:
        """Whether a try failed already, so that the next one comes later or by hand."""
        return self.retries is not None

    @property
    def has_given_up(self) -> bool:
        """Whether it waits for somebody to mend the cause (an incident)."""
        return self.retries == 0


class _Value(msgspec.Struct, frozen=True):
    value: Any = None


class LockedTask(msgspec.Struct, frozen=True, rename="camel"):
    """An external task that is ours for a while, with the variables it needs."""

    id: str
    topic_name: str
    process_instance_id: str
    worker_id: str
    retries: int | None = None
    business_key: str | None = None
    create_time: datetime | None = None
    values: dict[str, _Value] = msgspec.field(default_factory=dict, name="variables")

    @property
    def variables(self) -> dict[str, Scalar]:
        """Name → value, those of the task's own scope included."""
        return {name: unless_blank(held.value) for name, held in self.values.items()}


def plausible(ids: Sequence[str]) -> list[str]:
    """Those that can be ids of the engine's. Others never reach it: it answers odd ones with 500."""
    return [engine_id for engine_id in ids if _ID.fullmatch(engine_id)]


def concerns(user_id: str, groups: Iterable[str]) -> dict[str, object]:
    """The engine's query for tasks of a person, claimed or not: assigned to them, or offered to them by name or by one
    of their groups.
    """
    by_name: dict[str, object] = {"assignee": user_id, "candidateUser": user_id, "includeAssignedTasks": True}
    offered = sorted(groups)
    return {**by_name, "candidateGroups": offered} if offered else by_name


def typed(variables: Variables) -> dict[str, dict[str, object]]:
    """Variables in the engine's form. Types are named: the engine would guess, and store objects as Java.

    Raises Refused (INVALID), as `demand_storable`.
    """
    demand_storable(variables)
    kinds: dict[type, Literal["String", "Boolean", "Long", "Double", "Null"]] = {
        str: "String", bool: "Boolean", int: "Long", float: "Double", type(None): "String",
    }  # fmt: skip
    return {name: {"value": value, "type": kinds[type(value)]} for name, value in variables.items()}


def submitters(variables: Variables) -> tuple[str | None, str | None]:
    """For whom a draft was submitted, and by whom where that is another person."""
    return text(variables.get("submittedBy")), text(variables.get("submissionActedBy"))


def demand_storable(variables: Variables) -> None:
    """Whether every database that an engine may stand on holds these variables. Raises Refused (INVALID)."""
    for name, value in variables.items():
        if isinstance(value, str) and (excess := excess_length(value)):
            message = f"The process variable {name} would be {excess} characters longer than the engine holds."
            raise Refused(UserErrorCode.INVALID, message)


def excess_length(value: str) -> int:
    """How many UTF-16 code units a text is longer than a string variable may be."""
    return max(utf16_length(value) - LONGEST_TEXT, 0)


def unless_blank(value: Scalar) -> Scalar:
    """A variable's value; blank text, which forms send for what nobody filled in, is none."""
    return None if isinstance(value, str) and not value.strip() else value


def text(value: Scalar) -> str | None:
    """A variable as text. None stays None: nobody is called "None"."""
    return None if value is None else str(value)


def instant(moment: datetime) -> str:
    """A point in time in the only form the engine reads (milliseconds, offset without colon)."""
    moment = moment.astimezone(UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}+0000"
