"""The type AuditEvent: what happened to a draft in approval, put together from the engine's history.

`history_of` asks the engine three questions for all drafts of an answer: submissions, variables, decisions.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from itertools import islice

import strawberry

from api.coordination.decide import Decision, read_decision
from api.coordination.rules.approval_state import decided
from api.loaders import Variables
from api.schema.info import Info
from api.schema.person import Person, person
from api.upstreams.camunda.ownership import Ownership
from api.upstreams.camunda.records import DECISION_PREFIX, ProcessInstance, Scalar, text
from api.upstreams.retool.records import Draft


@strawberry.enum(description="What happened to a draft in approval.")
class AuditEventKind(Enum):
    """A submission, the decisions on it, and its end."""

    SUBMITTED = strawberry.enum_value("SUBMITTED", description="It was sent into approval.")
    APPROVED = strawberry.enum_value("APPROVED", description="A reviewer approved it; several steps, several of these.")
    REJECTED = strawberry.enum_value("REJECTED", description="A reviewer rejected it.")
    RETURNED = strawberry.enum_value("RETURNED", description="A reviewer sent it back with what to change.")
    CONFLICT = strawberry.enum_value("CONFLICT", description="Draft or plan had moved, so nothing was published.")
    WITHDRAWN = strawberry.enum_value("WITHDRAWN", description="It was taken back out of approval.")
    PUBLISHED = strawberry.enum_value("PUBLISHED", description="It became a version of its plan.")
    SUPERSEDED = strawberry.enum_value(
        "SUPERSEDED", description="Another submission was faster or the draft changed, so this one ended by itself."
    )
    CANCELLED = strawberry.enum_value("CANCELLED", description="Its process was ended in the engine.")


ENDS = {
    "approved": AuditEventKind.PUBLISHED,
    "rejected": AuditEventKind.REJECTED,
    "returned": AuditEventKind.RETURNED,
    "conflict": AuditEventKind.CONFLICT,
    "withdrawn": AuditEventKind.WITHDRAWN,
    "superseded": AuditEventKind.SUPERSEDED,
}
ENDED_BY = {
    AuditEventKind.APPROVED: "approvedBy",
    AuditEventKind.REJECTED: "rejectedBy",
    AuditEventKind.RETURNED: "rejectedBy",
    AuditEventKind.WITHDRAWN: "withdrawnBy",
}


@strawberry.type(description="One thing that happened to a draft in approval.")
class AuditEvent:
    """From the engine's history, which keeps it as long as the process model says."""

    kind: AuditEventKind = strawberry.field(description="What happened.")
    at: datetime = strawberry.field(description="When.")
    process_id: strawberry.ID = strawberry.field(description="The submission it belongs to: a process of the engine.")
    revision: str | None = strawberry.field(description="The draft's revision that was submitted.")
    by: Person | None = strawberry.field(
        default=None, description="Who did it, or for whom it was done; null when nobody is on record."
    )
    acted_by: Person | None = strawberry.field(
        default=None,
        description="Who did it on their behalf; null where they did so themselves, or a trusted program did.",
    )
    step: str | None = strawberry.field(default=None, description="The review step, for a decision.")
    comment: str | None = strawberry.field(default=None, description="What the person wrote to it.")
    reason: str | None = strawberry.field(default=None, description="Why, for a conflict.")
    plan_version_id: strawberry.ID | None = strawberry.field(
        default=None,
        description="SUBMITTED: the plan version it was submitted against. PUBLISHED: the one it became.",
    )


@dataclass(frozen=True)
class Submission:
    """One process with its variables and the decisions on its tasks, oldest first."""

    process: ProcessInstance
    values: Variables
    decisions: list[Decision]


async def history_of(info: Info, draft: Draft, limit: int) -> list[AuditEvent]:
    """The last events of a draft: its submissions newest first, the events of each newest first."""
    loaders = info.context.loaders
    processes = await loaders.processes_by_draft.load(draft.id) or []
    ids = [process.id for process in processes]
    variables, decisions = await asyncio.gather(loaders.variables.load_many(ids), loaders.decisions.load_many(ids))
    values_of = {process_id: values or {} for process_id, values in zip(ids, variables, strict=True)}
    own = info.context.upstreams.camunda.own
    submissions = own.submissions(draft.id, draft.camunda_process_id, values_of)
    events = (
        event
        for process, values, made in zip(processes, variables, decisions, strict=True)
        if process.id in submissions or _is_superseded(own, draft, values or {})
        for event in reversed(list(_events(Submission(process, values or {}, _decisions(made or {})))))
    )
    return list(islice(events, limit))


def _is_superseded(own: Ownership, draft: Draft, values: Variables) -> bool:
    """Whether a process tried to be a submission of the draft, and found that it could not."""
    return own.links(values, draft.id) and values.get("approvalOutcome") == "superseded"


def _decisions(variables: Variables) -> list[Decision]:
    read = (read_decision(value) for name, value in variables.items() if name.startswith(DECISION_PREFIX))
    return sorted((decision for decision in read if decision), key=lambda decision: decision.at)


def _events(submission: Submission) -> Iterator[AuditEvent]:
    """What happened in one submission, in the order it must have: clocks of several machines tell it less well."""
    process, values = submission.process, submission.values
    yield _event(
        submission,
        AuditEventKind.SUBMITTED,
        process.start_time,
        by=person(values.get("submittedBy")),
        acted_by=person(values.get("submissionActedBy")),
        comment=text(values.get("submissionComment")),
        plan_version_id=_id(values.get("baseVersion")),
    )
    for decision in submission.decisions:
        yield _event(
            submission,
            AuditEventKind[decision.verdict.name],
            decision.at,
            by=person(decision.by),
            acted_by=person(decision.acted_by),
            step=decision.step,
            comment=decision.comment,
            reason=decision.reason,
        )
    if process.end_time is not None:
        for kind in _ends(submission):
            yield _end(submission, kind, process.end_time)


def _ends(submission: Submission) -> list[AuditEventKind]:
    """How an ended submission came to its end, as far as its decisions do not say so already."""
    values = submission.values
    known = {AuditEventKind[decision.verdict.name] for decision in submission.decisions}
    end = ENDS.get(text(values.get("approvalOutcome")) or "")
    if end is None and values.get("approved") is None:
        end = AuditEventKind.CANCELLED
    elif end is None:  # a model without our record of its outcome
        end = AuditEventKind.APPROVED if values["approved"] is True else AuditEventKind[decided(values).name]
    ends = [AuditEventKind.APPROVED, end] if end is AuditEventKind.PUBLISHED else [end]
    return [kind for kind in ends if kind not in known]


def _end(submission: Submission, kind: AuditEventKind, at: datetime) -> AuditEvent:
    values = submission.values
    why = kind in (AuditEventKind.CONFLICT, AuditEventKind.SUPERSEDED)
    return _event(
        submission,
        kind,
        at,
        by=person(values.get(ENDED_BY.get(kind, ""))),
        acted_by=person(values.get("withdrawalActedBy")) if kind is AuditEventKind.WITHDRAWN else None,
        comment=text(values.get("comment")) if kind in ENDED_BY and kind is not AuditEventKind.WITHDRAWN else None,
        reason=text(values.get("reason")) if why else None,
        plan_version_id=_id(values.get("publishedVersion")) if kind is AuditEventKind.PUBLISHED else None,
    )


def _event(
    submission: Submission,
    kind: AuditEventKind,
    at: datetime,
    *,
    by: Person | None,
    acted_by: Person | None = None,
    step: str | None = None,
    comment: str | None = None,
    reason: str | None = None,
    plan_version_id: strawberry.ID | None = None,
) -> AuditEvent:
    return AuditEvent(
        kind=kind,
        at=at,
        process_id=strawberry.ID(submission.process.id),
        revision=text(submission.values.get("draftRevision")),
        by=by,
        acted_by=acted_by,
        step=step,
        comment=comment,
        reason=reason,
        plan_version_id=plan_version_id,
    )


def _id(value: Scalar) -> strawberry.ID | None:
    return None if value is None else strawberry.ID(str(value))
