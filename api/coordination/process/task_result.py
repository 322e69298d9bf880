"""The results of an external task, as they are reported to the engine: done, a BPMN error, or an incident."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from api.coordination.policy import Policy
from api.upstreams import Upstreams
from api.upstreams.aidbox.records import PlanVersion
from api.upstreams.camunda.process_variables import Scalar
from api.upstreams.camunda.records import LockedTask


@dataclass(frozen=True)
class Done:
    """The task is complete; the process goes on with these variables. `published`: the version that is stored."""

    outcome: ClassVar[str] = "done"
    variables: Mapping[str, Scalar] = field(default_factory=dict)
    published: PlanVersion | None = None


@dataclass(frozen=True)
class BpmnError:
    """The process leaves the task by the boundary event of an error code."""

    outcome: ClassVar[str] = "bpmn_error"
    code: str
    message: str
    variables: Mapping[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True)
class Incident:
    """A failure that a retry cannot help: an incident, until somebody removes the cause."""

    outcome: ClassVar[str] = "incident"
    message: str


TaskResult = Done | BpmnError | Incident
Work = Callable[[Upstreams, Policy, LockedTask], Awaitable[TaskResult]]
