"""The requirements of a request: which process variables and which parts of drafts and plans it reads.

Each field declares its own by schema/requires.py, and those of a document are derived from them, so that loaders ask
the three systems for no more than that. Without a document everything is required.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from api.upstreams.camunda.process_variables import VARIABLES
from api.upstreams.retool.records import Parts

# Expensive parts of a draft and of a plan version, fetched only where they are required.
PLAN, REVISION, RESOURCE = "plan", "revision", "resource"
PROCESS_VARIABLES = "process_variables"  # stands for a loader, of which each variable is a part


@dataclass(frozen=True)
class Requirements:
    """`parts`: by loader, the expensive parts that are required of what it finds. None means all."""

    parts: Mapping[str, frozenset[str]] | None = None

    def has(self, loader: str, part: str) -> bool:
        """Whether this part of what a loader finds is required."""
        return self.parts is None or part in self.parts.get(loader, ())

    def of_draft(self, loader: str) -> Parts:
        """The parts that are required of the drafts a loader finds."""
        return Parts(plan=self.has(loader, PLAN), revision=self.has(loader, REVISION))

    @property
    def names(self) -> tuple[str, ...]:
        """The process variables to ask for. Never an empty list: the engine would take that for all variables."""
        return tuple(name for name in VARIABLES if self.has(PROCESS_VARIABLES, name)) or VARIABLES


EVERYTHING = Requirements()
