"""What must hold after every race, whatever its outcome: asked of the three systems themselves.

At most one active process a draft, and the draft is `submitted` exactly while it runs; one winner; no version that
nobody approved or that differs from what was reviewed; none that took the place of somebody else's unseen; and a
decision that agrees with how it ended.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.serving import GOLD
from tests.stories.behind import Behind, edited, exactly, read

Variables = Mapping[str, Any]
NAME = "Summit Gold PPO 1500"


@dataclass
class Raced:
    """A draft, every content it had by revision, and the versions of its plan that others stored."""

    behind: Behind
    draft_id: str
    plan_id: str
    contents: dict[str, str] = field(default_factory=dict)
    outside: list[str] = field(default_factory=list)

    def know(self, plan: str) -> None:
        """A content that the draft has, or is about to have."""
        self.contents[_revision(self.behind, plan)] = plan

    def edit(self, plan: str) -> dict[str, Any]:
        """What its author does in Retool."""
        self.know(plan)
        self.behind.drafts.edit(self.draft_id, plan=plan)
        return {}

    def store_version(self, name: str) -> dict[str, Any]:
        """What somebody else does to the plan in the store; again where another write met it."""
        try:
            version_id = self.behind.put(self.plan_id, name=name)
        except AssertionError as refusal:
            if "HAPI-0550" not in str(refusal):  # of writes at the same moment, the one that lost
                raise
            version_id = self.behind.put(self.plan_id, name=name)
        self.outside.append(version_id)
        return {}


def of_new_plan(behind: Behind) -> Raced:
    """A draft of a plan that is not in the store."""
    draft_id = behind.drafts.new(NAME)
    raced = Raced(behind, draft_id, draft_id)
    raced.know(GOLD)
    return raced


def of_stored_plan(behind: Behind, plan_id: str | None = None, *, name: str = "Edited") -> Raced:
    """A draft that edits a plan, one of its own if none is named."""
    found, base = (plan_id, None) if plan_id else behind.stored_plan()
    plan = edited(name=name)
    raced = Raced(behind, behind.drafts.new(NAME, plan, aidbox_id=found), found, outside=[base] if base else [])
    raced.know(plan)
    return raced


def _revision(behind: Behind, plan: str) -> str:
    """The revision as the documentation defines it, in SQL: a SHA-256 over name and plan."""
    found = behind.drafts.connection.execute(
        "SELECT encode(sha256(convert_to(jsonb_build_array(%s::text, %s::jsonb::text)::text, 'UTF8')), 'hex')",
        [NAME, plan],
    ).fetchone()
    assert found
    return str(found[0])


@dataclass(frozen=True)
class Aftermath:
    """How a race ended: the draft's status, the process that has it, and every process's end, None while it runs."""

    status: str
    process_id: str | None
    ends: Mapping[str, str | None]

    @property
    def superseded(self) -> int:
        """How many processes found the draft gone to another."""
        return list(self.ends.values()).count("superseded")


def check(*all_raced: Raced) -> Aftermath:
    """Assert everything of drafts of one plan, once nothing moves any more; the aftermath of the first."""
    published: dict[str, str | None] = {}
    aftermaths = [_check_draft(raced, published) for raced in all_raced]
    _check_versions(all_raced[0], published, {version for raced in all_raced for version in raced.outside})
    return aftermaths[0]


def _check_draft(raced: Raced, published: dict[str, str | None]) -> Aftermath:
    behind, row = raced.behind, raced.behind.drafts.row(raced.draft_id)
    ends: dict[str, str | None] = {}
    followed: list[str | None] = []
    for process in behind.processes(raced.draft_id):
        process_id, variables = process["id"], behind.variables(process["id"])
        end = ends[process_id] = _end(behind, process, variables)
        if end != "superseded":
            followed.append(variables.get("previousProcessId"))
            _check_decision(end, variables, row["created_by"], len(behind.tasks(raced.draft_id)))
        if end == "approved":
            _check_published(raced, variables)
            published[variables["publishedVersion"]] = variables.get("baseVersion")
    had_it = [process_id for process_id, end in ends.items() if end != "superseded"]
    assert followed == [None, *had_it][: len(had_it)]  # each registered once, after the one before it
    assert row["camunda_process_id"] == (had_it[-1] if had_it else None)
    assert row["status"] == ((ends[had_it[-1]] or "submitted") if had_it else "draft")
    return Aftermath(row["status"], row["camunda_process_id"], ends)


def _end(behind: Behind, process: Mapping[str, Any], variables: Variables) -> str | None:
    if process["state"] == "ACTIVE":
        return None
    assert process["state"] == "COMPLETED"
    (end,) = behind.end_of(process["id"])
    assert variables["approvalOutcome"] == end
    assert behind.incidents(process["id"]) == []
    return end


def _check_decision(end: str | None, variables: Variables, author: str, open_tasks: int) -> None:
    decisions = [json.loads(value) for name, value in variables.items() if name.startswith("decision_")]
    verdicts = [decision["verdict"] for decision in decisions]
    match end:
        case None:
            assert (verdicts, open_tasks) == ([], 1)
        case "withdrawn":
            assert verdicts in ([], ["APPROVED"])  # of a publication that gave up
            assert variables["withdrawnBy"] == author
        case "conflict":
            assert verdicts in (["CONFLICT"], ["APPROVED"])
            assert variables["conflictDetected"] is True
            assert variables["reason"]
        case _:
            assert verdicts == [end.upper()]
            assert variables["approved"] is (end == "approved")
    if decisions:
        assert (variables.get("approvedBy") or variables.get("rejectedBy")) == decisions[0]["by"]


def _check_published(raced: Raced, variables: Variables) -> None:
    """What was published is what was reviewed, and follows what it was compared with."""
    history = [version["meta"]["versionId"] for version in raced.behind.versions(raced.plan_id)]
    version_id = variables["publishedVersion"]
    assert version_id in history, "the published version is not in the store"
    (version,) = [each for each in raced.behind.versions(raced.plan_id) if each["meta"]["versionId"] == version_id]
    assert exactly(version) == exactly(read(raced.contents[variables["draftRevision"]]))
    before = history[history.index(version_id) + 1 :]
    assert (before[0] if before else None) == variables.get("baseVersion"), "it took the place of a version nobody saw"


def _check_versions(raced: Raced, published: Mapping[str, str | None], outside: set[str]) -> None:
    """Every version is somebody else's, or the one of an approval."""
    history = [version["meta"]["versionId"] for version in raced.behind.versions(raced.plan_id)]
    assert len(history) == len(set(history))
    assert set(history) == outside | set(published)
