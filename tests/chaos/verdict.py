"""What a run came to, once everything is well again and nothing moves any more. Asked of the three systems themselves.

Lost: an operation that was answered with success and whose effect is not there. A submission's process is unknown to
the engine, or gave way to another; a decision is not in the history as its reviewer made it, or its process did not
end as the answer said; a version that was published is not in the store; a withdrawal, a claim or a hand-over left no
trace; an edit that the database took is not on the draft.
Stuck: what never comes to its end. A process waits for the API, or for nothing at all; a draft is `submitted` and no
process runs; an incident.
Doubled: two active processes of one draft; two submissions that follow the same one; one content stored twice.
Wrong: any other invariant of the races that does not hold (tests/races/invariants.py).
"""

import json
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from tests.chaos.ledger import KnownDraft, Ledger, Operation
from tests.races.invariants import Raced, check
from tests.stories.behind import Behind, exactly, read

ENDS = {
    "APPROVED": {"approved"},
    "REJECTED": {"rejected"},
    "RETURNED": {"returned"},
    "CONFLICT": {"conflict"},
    "PUBLISHING": {"approved", "conflict"},
}


@dataclass
class Verdict:
    """A sentence for each thing that is lost, stuck, doubled or wrong; and what there is in all."""

    lost: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    processes: int = 0
    versions: int = 0

    @property
    def is_good(self) -> bool:
        return not (self.lost or self.stuck or self.doubled or self.wrong)


@dataclass(frozen=True)
class Process:
    """A process as the engine tells it; `end` is None while it runs."""

    id: str
    draft_id: str
    end: str | None
    variables: dict[str, Any]


def waiting(behind: Behind, ledger: Ledger) -> list[str]:
    """What is not settled yet: processes that wait for the API, drafts that wait for a process that does not run."""
    found = []
    for draft in ledger.drafts:
        active, row = behind.active(draft.id), behind.drafts.row(draft.id)
        for process_id in active:
            found += [
                f"{draft.id}: {task['topicName']} of {process_id} waits" for task in behind.external_tasks(process_id)
            ]
        if active and not behind.tasks(draft.id):
            found.append(f"{draft.id}: {active} wait for nobody")
        if (row["status"] == "submitted") != bool(active):
            found.append(f"{draft.id}: is {row['status']}, and {len(active)} processes run")
    return found


def judge(behind: Behind, ledger: Ledger) -> Verdict:
    verdict = Verdict(stuck=[*ledger.not_healed, *waiting(behind, ledger)])
    processes = {process.id: process for draft in ledger.drafts for process in _processes(behind, draft)}
    verdict.processes = len(processes)
    for operation in ledger.operations:
        if operation.accepted and (loss := _loss(behind, operation, processes)):
            verdict.lost.append(f"{operation.verb} of {operation.draft_id} by {operation.person}: {loss}")
    for draft in ledger.drafts:
        verdict.lost += _lost_edit(behind, draft)
        verdict.doubled += _doubled_processes(draft, [each for each in processes.values() if each.draft_id == draft.id])
    by_plan = sorted(ledger.drafts, key=lambda draft: draft.plan_id)
    for plan_id, drafts in groupby(by_plan, key=lambda draft: draft.plan_id):
        _judge_plan(behind, plan_id, list(drafts), verdict)
    return verdict


def _processes(behind: Behind, draft: KnownDraft) -> Iterator[Process]:
    for process in behind.processes(draft.id):
        ends = behind.end_of(process["id"]) if process["state"] != "ACTIVE" else []
        yield Process(process["id"], draft.id, ends[0] if ends else None, behind.variables(process["id"]))


def _loss(behind: Behind, operation: Operation, processes: dict[str, Process]) -> str | None:
    """Why what was accepted is not there, or None."""
    payload = operation.payload or {}
    match operation.verb:
        case "submit":
            process = processes.get(payload["processId"])
            if process is None or process.draft_id != operation.draft_id:
                return f"there is no process {payload['processId']}"
            return "its process was superseded" if process.end == "superseded" else None
        case "approve" | "reject" | "request changes":
            return _lost_decision(operation, payload, processes)
        case "withdraw":
            ended = {process.end for process in processes.values() if process.draft_id == operation.draft_id}
            return None if "withdrawn" in ended else "no process was withdrawn"
        case "claim" | "reassign":
            who = operation.wanted or operation.person
            return None if who in _assigned(behind, str(operation.task_id)) else f"{who} never had the task"
        case _:
            return None


def _lost_decision(operation: Operation, payload: dict[str, Any], processes: dict[str, Process]) -> str | None:
    name = f"decision_{operation.task_id}"
    process = next((each for each in processes.values() if name in each.variables), None)
    if process is None:
        return "the decision is not in the history"
    decision = json.loads(process.variables[name])
    if (decision["by"], decision["asked"]) != (operation.person, operation.wanted):
        return f"the history has {decision['asked']} by {decision['by']}"
    ends = ENDS.get(payload["status"])
    return None if ends and process.end in ends else f"answered {payload['status']}, ended {process.end}"


def _assigned(behind: Behind, task_id: str) -> set[str]:
    """Everybody who ever had a task."""
    asked = {"taskId": task_id, "type": "assignee", "operationType": "add"}
    links = behind.engine.get("/history/identity-link-log", params=asked).json()
    return {link["userId"] for link in links}


def _lost_edit(behind: Behind, draft: KnownDraft) -> list[str]:
    now = exactly(read(behind.drafts.row(draft.id)["plan_data"]))
    return [] if now in {exactly(read(plan)) for plan in draft.may_be} else [f"{draft.id}: its last edit is gone"]


def _doubled_processes(draft: KnownDraft, processes: list[Process]) -> list[str]:
    registered = [process for process in processes if process.end != "superseded"]
    followed = [process.variables.get("previousProcessId") for process in registered]
    active = [process.id for process in processes if process.end is None]
    found = [f"{draft.id}: {active} are active"] if len(active) > 1 else []
    return found + [f"{draft.id}: {previous} was followed twice" for previous in _repeated(followed)]


def _judge_plan(behind: Behind, plan_id: str, drafts: list[KnownDraft], verdict: Verdict) -> None:
    """The versions of a plan, and the races' invariants for the drafts that edit it."""
    versions = behind.versions(plan_id)
    verdict.versions += len(versions)
    verdict.doubled += [f"{plan_id}: {name} is stored twice" for name in _repeated(each["name"] for each in versions)]
    outside = [each["meta"]["versionId"] for each in versions if each["name"].startswith("Outside")]
    all_raced = [Raced(behind, draft.id, plan_id, outside=outside) for draft in drafts]
    for raced, draft in zip(all_raced, drafts, strict=True):
        for written in draft.contents:
            raced.know(written.plan)
    try:
        check(*all_raced)
    except (AssertionError, KeyError, ValueError) as broken:
        line = traceback.extract_tb(broken.__traceback__)[-1].line
        verdict.wrong.append(f"{plan_id}, edited by {[draft.id for draft in drafts]}: {broken!r} at `{line}`")


def _repeated(items: Iterable[Any]) -> list[Any]:
    seen, found = set(), []
    for item in items:
        if item in seen:
            found.append(item)
        seen.add(item)
    return found
