"""What a request reads of the things it finds, so that no more than that is asked of the three systems.

Worked out of a document by schema/reads.py, obeyed by loaders.py. Of what says nothing about it, everything is read.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from api.upstreams.camunda.records import VARIABLES
from api.upstreams.retool.records import Parts

# Parts of a draft and of a plan's version that are left out of an answer unless they are read.
PLAN, REVISION, RESOURCE = "plan", "revision", "resource"


@dataclass(frozen=True)
class Requirements:
    """`variables`: names of process variables. `parts`: by loader, parts of what it finds. None stands for all."""

    variables: frozenset[str] | None = None
    parts: Mapping[str, frozenset[str]] | None = None

    def has(self, loader: str, part: str) -> bool:
        """Whether this part of what a loader finds is read."""
        return self.parts is None or part in self.parts.get(loader, ())

    def of_draft(self, loader: str) -> Parts:
        """What is read of the drafts a loader finds."""
        return Parts(plan=self.has(loader, PLAN), revision=self.has(loader, REVISION))

    @property
    def names(self) -> tuple[str, ...]:
        """The process variables to ask for. Never none: the engine would take that for all there are."""
        return tuple(name for name in VARIABLES if self.variables is None or name in self.variables) or VARIABLES


EVERYTHING = Requirements()
