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

    told: ClassVar[str] = "done"
    variables: Mapping[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True)
class Left:
    """The process leaves by the boundary event of an error code."""

    told: ClassVar[str] = "left"
    code: str
    message: str
    variables: Mapping[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True)
class GaveUp:
    """Trying again can not help: an incident, until somebody mends the cause."""

    told: ClassVar[str] = "gave_up"
    message: str


Report = Done | Left | GaveUp
