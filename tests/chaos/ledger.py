"""What was done in a run: every operation with its answer, every draft with the contents it was given."""

import asyncio
import uuid
from dataclasses import dataclass, field
from typing import Any

from tests.races.invariants import NAME


@dataclass
class Operation:
    """One call of a client's. `payload` is None for what was not answered, or not with data; `failure` says why."""

    verb: str
    person: str
    draft_id: str
    task_id: str | None = None
    wanted: str | None = None
    payload: dict[str, Any] | None = None
    failure: str | None = None

    @property
    def accepted(self) -> bool:
        """Whether it was answered with success."""
        return self.payload is not None and not self.payload.get("userErrors")

    @property
    def told(self) -> str:
        """What became of it in one word: `accepted`, the refusal's code, or the failure's."""
        if self.payload is None:
            return self.failure or "unanswered"
        return "accepted" if self.accepted else str(self.payload["userErrors"][0]["code"])


@dataclass
class Written:
    """A content of a draft; `certain` unless the database did not say that it took it."""

    plan: str
    certain: bool = False


@dataclass
class KnownDraft:
    """A draft of the run, its author, the plan it edits or becomes, and what was written on it, in order."""

    id: str
    author: str
    plan_id: str
    contents: list[Written] = field(default_factory=list)
    name: str = NAME
    pen: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def may_be(self) -> list[str]:
        """What the row may say: the last content that was certainly taken, or one that may have been at any time."""
        certain = [written.plan for written in self.contents if written.certain]
        return certain[-1:] + [written.plan for written in self.contents if not written.certain]


@dataclass
class Ledger:
    """Everything of a run. `living`: drafts that clients work on; `healed_after`: seconds of each healing."""

    operations: list[Operation] = field(default_factory=list)
    drafts: list[KnownDraft] = field(default_factory=list)
    living: list[KnownDraft] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    healed_after: list[float] = field(default_factory=list)
    not_healed: list[str] = field(default_factory=list)
    settled_after: float = 0

    def note(self, operation: Operation) -> Operation:
        self.operations.append(operation)
        return operation


def new_name(word: str) -> str:
    """A name nobody had before."""
    return f"{word} {uuid.uuid4()}"
