"""The requirements of a request: which process variables and which parts of drafts and plans it reads.

Derived from the document by schema/requires.py, so that loaders ask the three systems for no more than that. Without
a document everything is required.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from api.upstreams.camunda.process_variables import VARIABLES
from api.upstreams.retool.records import Parts

# Expensive parts of a draft and of a plan version, fetched only where they are required.
PLAN, REVISION, RESOURCE = "plan", "revision", "resource"


@dataclass(frozen=True)
class Requirements:
    """`variables`: names of process variables. `parts`: by loader, expensive parts of what it finds. None means all."""

    variables: frozenset[str] | None = None
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
        return tuple(name for name in VARIABLES if self.variables is None or name in self.variables) or VARIABLES


EVERYTHING = Requirements()
