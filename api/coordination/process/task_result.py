"""What became of an external task: the three answers that work on it can have. Made by publish.py and
external_tasks.py, told to the engine by `external_tasks.carry_out`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from api.upstreams.camunda.records import Scalar


@dataclass(frozen=True)
class Done:
    """It is done; the process goes on with these variables."""

    outcome: ClassVar[str] = "done"
    variables: Mapping[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True)
class BpmnError:
    """The process leaves by the boundary event of an error code."""

    outcome: ClassVar[str] = "bpmn_error"
    code: str
    message: str
    variables: Mapping[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True)
class Incident:
    """Trying again can not help: an incident, until somebody mends the cause."""

    outcome: ClassVar[str] = "incident"
    message: str


TaskResult = Done | BpmnError | Incident
