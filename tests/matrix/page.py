"""The tables of docs/permissions.md, and what they say of one mutation by one person in one state."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

PAGE = (Path(__file__).parent.parent.parent / "docs" / "permissions.md").read_text("utf-8")
DONE, AS_IT_IS, NOT_THERE = "done", "as it is", "NOT_FOUND"
APPROVED_IT, NOT_OWN = "yes, once they have approved it", "yes, unless they submitted it"
BEFORE_ANYTHING, ELSE_TAKEN = "no, before anything is read", "yes, while nobody else has it"
Table = dict[str, dict[str, str]]
ON_TASKS = (
    "completeApproval to approve",
    "completeApproval to reject",
    "requestChanges",
    "claimTask",
    "unclaimTask",
    "reassignTask",
    "updateTask",
)
ON_DRAFTS = (
    "submitForApproval",
    "rebaseDraft",
    "withdrawSubmission",
    "retryPublication",
    "reschedulePublication",
    "addComment",
)
APPROVED = ("scheduled", "publication failed", "approved")  # states in which the assignee has approved it
TAKEN = ("claimed", "copied row")  # states in which the assignee has the open task


@cache
def table(name: str) -> Table:
    """A table as row → column → cell, code ticks left out; empty cells too."""
    block = PAGE.partition(f"<!-- {name} -->\n")[2].partition(f"<!-- /{name} -->")[0]
    rows = [[cell.strip().replace("`", "") for cell in line.strip("|\n").split("|")] for line in block.splitlines()]
    heads = [head.partition(",")[0] for head in rows[0][1:]]
    return {_key(row[0]): dict(zip(heads, row[1:], strict=True)) for row in rows[2:]}


def _key(head: str) -> str:
    return head.partition(", never")[0]


def knows(state: str, role: str) -> frozenset[str]:
    """What a person of this role knows of: draft, draft by its id, task, inbox, owner."""
    cell = table("knows")[state][role]
    return frozenset() if cell == "nothing" else frozenset(cell.split(", "))


def sees_draft(state: str, role: str) -> bool:
    """Whether the draft can be read by its id."""
    return not knows(state, role).isdisjoint({"draft", "draft by its id"})


CASES = [(state, role) for state, cells in table("knows").items() for role, cell in cells.items() if cell]
STATES = tuple(table("knows"))


def verbs(state: str) -> list[str]:
    """The mutations that can be asked for in this state."""
    return [verb for verb, cell in table("when")[state].items() if cell]


def answer(state: str, role: str, verb: str) -> str:
    """What the tables say: DONE, AS_IT_IS, or a code of a refusal."""
    allowed = _allowed(state, role, verb)
    if BEFORE_ANYTHING in allowed and "yes" not in allowed:
        return "FORBIDDEN"
    is_known = "task" in knows(state, role) if verb in ON_TASKS else sees_draft(state, role)
    if not is_known:
        return NOT_THERE
    when, _, whose = table("when")[state][verb].partition(", for the ")
    if verb in ON_TASKS and (when not in (DONE, AS_IT_IS) or whose):
        return when if not whose or whose == role else "ALREADY_DECIDED"
    if (verb, when) == ("unclaimTask", AS_IT_IS):
        return AS_IT_IS
    return _refusal(state, allowed) or when


def _allowed(state: str, role: str, verb: str) -> Sequence[str]:
    cells = table("may")[verb]
    roles = [role, *(["owner"] if "owner" in knows(state, role) else [])]
    return [cells[each] for each in roles if each in cells] or ["no"]


def _refusal(state: str, allowed: Sequence[str]) -> str | None:
    if "never" in allowed:
        return "OWN_SUBMISSION"
    if "yes" in allowed or NOT_OWN in allowed or (APPROVED_IT in allowed and state in APPROVED):
        return None
    if ELSE_TAKEN in allowed:
        return "ALREADY_CLAIMED" if state in TAKEN else None
    return "FORBIDDEN"
