"""Approval records: what the store keeps of the approvals of published versions, as FHIR Provenance.

A record is read as the engine's history has it, so that whoever reads one can read the other once the engine has
deleted its history. Its id follows from the process id, and its tag from the draft id.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import msgspec

from api.errors import Garbled, UpstreamFailed
from api.upstreams.aidbox.client import Aidbox
from api.upstreams.camunda.client import Camunda
from api.upstreams.camunda.confirmed_history import COMPLETED, known_processes
from api.upstreams.camunda.involvement import Submitted, involved
from api.upstreams.camunda.process_variables import Comment, Decision, Outcome, ProcessVariables
from api.upstreams.camunda.records import ProcessInstance, Task
from authentication.identity import same_person
from fhir_answers.provenance import Provenance, Review, Statement, facts, provenance_of, resource_id, review_of

PREFIX = "urn:plan-api:"
PROCESS, DRAFT = "approval-process", "draft"
BY_RULE = "By a rule of the process model; no person decided"
CODED = ("step", "verdict", "asked", "at", "publish_at")  # of decisions and comments
MOST_TASKS = 1000
Said = TypeVar("Said", Decision, Comment)


@dataclass(frozen=True)
class ApprovalRecord:
    """An approval that ended in a published version. `decisions` by task id and `comments` by id, oldest first.

    `people`: everybody who took part.
    """

    process: ProcessInstance
    values: ProcessVariables
    author: str | None
    decisions: Mapping[str, Decision]
    comments: Mapping[str, Comment]
    people: frozenset[str]

    def names(self, user_id: str) -> bool:
        """Whether a person took part, as anything."""
        return any(same_person(each, user_id) for each in self.people)


async def records_by_process(
    aidbox: Aidbox, source: str, process_ids: Sequence[str]
) -> dict[str, ApprovalRecord | UpstreamFailed]:
    """The records of a source's processes that published a version: one request a hundred."""
    by_id = {resource_id(source, process_id): process_id for process_id in process_ids}
    found: dict[str, ApprovalRecord | UpstreamFailed] = {}
    for key, each in (await aidbox.provenances_by_id(list(by_id))).items():
        try:
            found[by_id[key]] = each if isinstance(each, UpstreamFailed) else _record(each)
        except Garbled as error:
            found[by_id[key]] = error
    return found


async def records_by_draft(aidbox: Aidbox, source: str, draft_ids: Sequence[str]) -> dict[str, list[ApprovalRecord]]:
    """All records of each draft of a source, newest first: one search a hundred."""
    by_tag = {resource_id(source, draft_id): draft_id for draft_id in draft_ids}
    found: dict[str, list[ApprovalRecord]] = {draft_id: [] for draft_id in draft_ids}
    provenances = await aidbox.provenances_by_tag(PREFIX + DRAFT, list(by_tag))
    for each in sorted(provenances, key=lambda provenance: provenance.recorded, reverse=True):
        if (draft_id := by_tag.get(review_of(each, PREFIX).tags.get(DRAFT, ""))) is not None:
            found[draft_id].append(_record(each))
    return found


async def involved_or_recorded(
    aidbox: Aidbox, camunda: Camunda, drafts: Sequence[Submitted], user_id: str, groups: Iterable[str]
) -> dict[Submitted, bool]:
    """Which of these drafts the person is involved in, by the engine or by a record.

    The store is asked about every draft that the engine does not settle, so that cost and timing reveal nothing.
    """
    found = await involved(camunda, drafts, user_id, groups)
    others = [draft for draft, is_involved in found.items() if not is_involved]
    records = await records_by_draft(aidbox, camunda.own.draft_source, [draft.draft_id for draft in others])
    return found | {draft: any(record.names(user_id) for record in records[draft.draft_id]) for draft in others}


@dataclass(frozen=True)
class EngineRecord:
    """What the engine has of an approval. `process`: None once its history is deleted. `tasks`: the completed ones."""

    process: ProcessInstance | None
    decisions: Mapping[str, Decision]
    comments: Mapping[str, Comment]
    tasks: Sequence[Task]


async def engine_record(camunda: Camunda, process_id: str) -> EngineRecord:
    """What the engine has of an approval: three concurrent requests. Raises Denied."""
    processes, (decisions, comments), tasks = await asyncio.gather(
        known_processes(camunda, [process_id]),
        camunda.said_in(process_id),
        camunda.past_tasks({"processInstanceId": process_id, "taskDeleteReason": COMPLETED}, limit=MOST_TASKS),
    )
    return EngineRecord(processes.get(process_id), decisions, comments, tasks)


def provenance_by_engine(
    found: EngineRecord, source: str, process_id: str, values: ProcessVariables, author: str | None, ended: datetime
) -> Provenance:
    """The record to write of a publication, by what the engine has. `ended`: when the version was stored."""
    begun = found.process.start_time if found.process else ended
    decided = {task_id: _statement(each, each.comment) for task_id, each in found.decisions.items()}
    # tasks that other clients completed, whose verdicts are not known
    decided |= {
        task.id: Statement(task.assignee, None, facts(step=task.task_definition_key, at=task.ended))
        for task in sorted(found.tasks, key=lambda task: (task.created, task.id))
        if task.id not in decided and task.assignee
    }
    if values.approved_by not in (None, *(each.by for each in decided.values())):
        decided[""] = Statement(str(values.approved_by))
    by, acted_by, text = values.submitted_by, values.submission_acted_by, values.submission_comment
    draft_id = values.draft_id or ""
    review = Review(
        id=resource_id(source, process_id),
        kind="InsurancePlan",
        resource_id=values.aidbox_plan_id or "",
        version_id=values.published_version or "",
        base_version=values.base_version,
        begun=begun,
        ended=ended,
        author=author,
        submission=Statement(by, acted_by, facts(at=begun), text) if by else None,
        decisions=decided,
        comments={own: _statement(each, each.text) for own, each in found.comments.items()},
        rule=BY_RULE if values.decided_by_rule else None,
        used=facts(draft=draft_id, revision=values.draft_revision),
        tags={PROCESS: process_id, DRAFT: resource_id(source, draft_id)},
        service="plan-api",
    )
    return provenance_of(review, PREFIX)


def _record(provenance: Provenance) -> ApprovalRecord:
    """The record in a Provenance. Raises Garbled for one that is not as this service writes it."""
    review = review_of(provenance, PREFIX)
    sent, decided = review.submission or Statement(""), review.decisions
    unseen = [each.by for each in decided.values() if "verdict" not in each.facts]
    values = ProcessVariables(
        draft_id=review.used.get(DRAFT),
        draft_revision=review.used.get("revision"),
        base_version=review.base_version,
        submitted_by=sent.by or None,
        submission_acted_by=sent.acted_by,
        submission_comment=sent.text,
        aidbox_plan_id=review.resource_id,
        published_version=review.version_id,
        approval_outcome=Outcome.APPROVED.value,
        approved_by=unseen[-1] if unseen else None,
        decided_by_rule=True if review.rule else None,
    )
    process_id = review.tags.get(PROCESS, "")
    return ApprovalRecord(
        ProcessInstance(process_id, values.draft_id, "COMPLETED", review.begun, review.ended),
        values,
        review.author,
        {own: _read(each, Decision) for own, each in decided.items() if "verdict" in each.facts},
        {own: _read(each, Comment) for own, each in review.comments.items()},
        review.people,
    )


def _statement(said: Decision | Comment, text: str | None) -> Statement:
    values: dict[str, str | None] = msgspec.to_builtins(said)
    return Statement(said.by, said.acted_by, facts(**{name: values.get(name) for name in CODED}), text)


def _read(said: Statement, kind: type[Said]) -> Said:
    words = dict.fromkeys(("comment", "text"), said.text)
    try:
        return msgspec.convert({**said.facts, "by": said.by, "acted_by": said.acted_by, **words}, kind)
    except msgspec.ValidationError as error:
        raise Garbled("aidbox", f"A Provenance is not as this service writes it: {error}") from error
