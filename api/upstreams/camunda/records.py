"""The records of the process engine (tasks, process instances, external tasks), and the names of our process model."""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from api.upstreams.camunda.process_variables import OUTCOME, ProcessVariables

PROCESS_KEY = "benefit-approval"
NOTIFICATION_KEY = "benefit-notification"
NOTIFY = "notify"  # its topics begin with it; also a variable of approvals: whether they throw the signal
WITHDRAW_MESSAGE = "withdraw-submission"
RESCHEDULE_MESSAGE = "reschedule-publication"
PUBLICATION = "publish-plan"
PUBLICATION_WITHDRAWN = "publication-withdrawn"
REGISTRATION = "register-submission"
TOPICS = (REGISTRATION, PUBLICATION, "record-outcome")

_ID = re.compile(r"[A-Za-z0-9_.:-]{1,64}")


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
    follow_up: datetime | None = None
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
        """Whether it still runs, suspended or not."""
        return self.end_time is None


class ExternalTask(msgspec.Struct, frozen=True, rename="camel"):
    """An external task that a process waits for. `retries`: None until the first failure, 0 for an incident."""

    id: str
    topic_name: str
    activity_id: str
    process_instance_id: str
    process_definition_key: str
    retries: int | None = None
    error_message: str | None = None
    worker_id: str | None = None
    create_time: datetime | None = None

    @property
    def has_failed(self) -> bool:
        """Whether an attempt has failed, so that the next one follows after backoff or by hand."""
        return self.retries is not None

    @property
    def has_given_up(self) -> bool:
        """Whether its retries are used up: an incident, until somebody removes the cause."""
        return self.retries == 0


class _Value(msgspec.Struct, frozen=True):
    value: Any = None


class LockedTask(msgspec.Struct, frozen=True, rename="camel"):
    """An external task that is locked by this service, with the variables of its process."""

    id: str
    topic_name: str
    process_instance_id: str
    worker_id: str
    retries: int | None = None
    business_key: str | None = None
    create_time: datetime | None = None
    values: dict[str, _Value] = msgspec.field(default_factory=dict, name="variables")

    @property
    def variables(self) -> ProcessVariables:
        """The variables of its process."""
        return ProcessVariables.read(self.raw)

    @property
    def raw(self) -> dict[str, Any]:
        """All of them, by the engine's names."""
        return {name: stored.value for name, stored in self.values.items()}

    @property
    def outcome(self) -> str:
        """The outcome that the model tells the topic record-outcome to write; empty where it tells none."""
        stored = self.values.get(OUTCOME)
        return "" if stored is None or stored.value is None else str(stored.value)


def plausible(ids: Sequence[str]) -> list[str]:
    """Those that can be ids of the engine. Others are never sent to it: it answers odd ones with 500."""
    return [engine_id for engine_id in ids if _ID.fullmatch(engine_id)]


def concerns(user_id: str, groups: Iterable[str]) -> dict[str, object]:
    """The engine's query for a person's tasks, claimed or not: assigned or offered to them, by name or by a group."""
    by_name: dict[str, object] = {"assignee": user_id, "candidateUser": user_id, "includeAssignedTasks": True}
    offered = sorted(groups)
    return {**by_name, "candidateGroups": offered} if offered else by_name
