"""The type AuditEvent: an event in the approvals of a draft, derived from the engine's history.

All drafts of an answer share four reads: submissions, variables, decisions and comments; and one more where the
publication of any of them was moved.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from heapq import merge
from itertools import islice

import strawberry

from api.schema.info import Info
from api.schema.person import Person, person
from api.schema.submissions import submissions_of
from api.upstreams.approval_records import BY_RULE
from api.upstreams.camunda.ownership import Ownership
from api.upstreams.camunda.process_variables import Comment, Decision, Move, Outcome, ProcessVariables, Verdict
from api.upstreams.camunda.records import ProcessInstance
from api.upstreams.retool.records import Draft


@strawberry.enum(description="What happened to a draft in approval.")
class AuditEventKind(Enum):
    """The kinds of events: a submission, what people did with it, and its end."""

    SUBMITTED = strawberry.enum_value("SUBMITTED", description="It was sent into approval.")
    APPROVED = strawberry.enum_value("APPROVED", description="A reviewer approved it; several steps, several of these.")
    REJECTED = strawberry.enum_value("REJECTED", description="A reviewer rejected it.")
    RETURNED = strawberry.enum_value("RETURNED", description="A reviewer sent it back with what to change.")
    CONFLICT = strawberry.enum_value("CONFLICT", description="Draft or plan had moved, so nothing was published.")
    COMMENTED = strawberry.enum_value("COMMENTED", description="Somebody wrote a comment on it.")
    RESCHEDULED = strawberry.enum_value(
        "RESCHEDULED", description="Its publication was moved from `publishAtBefore` to `publishAt`, null for at once."
    )
    WITHDRAWN = strawberry.enum_value("WITHDRAWN", description="It was taken back out of approval.")
    PUBLISHED = strawberry.enum_value("PUBLISHED", description="It became a version of its plan.")
    SUPERSEDED = strawberry.enum_value(
        "SUPERSEDED", description="Another submission was faster or the draft changed, so this one ended by itself."
    )
    CANCELLED = strawberry.enum_value("CANCELLED", description="Its process was ended in the engine.")


DECISIONS = (AuditEventKind.APPROVED, AuditEventKind.REJECTED, AuditEventKind.RETURNED)


@strawberry.type(description="One thing that happened to a draft in approval.")
class AuditEvent:
    """An event of the engine's history, available for its time to live; of a published submission, of the store's."""

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
    reason: str | None = strawberry.field(
        default=None, description="Why, for a conflict; for an approval, that no person made it."
    )
    plan_version_id: strawberry.ID | None = strawberry.field(
        default=None,
        description="SUBMITTED: the plan version it was submitted against. PUBLISHED: the one it became.",
    )
    publish_at: datetime | None = strawberry.field(
        default=None,
        description="When the plan was to be published from then on. SUBMITTED: as proposed. APPROVED: as set with the "
        "decision, null where it was left as it was. RESCHEDULED: the new time, null for at once.",
    )
    publish_at_before: datetime | None = strawberry.field(
        default=None, description="With APPROVED and RESCHEDULED: what `publishAt` replaced; null for no time."
    )


@dataclass(frozen=True)
class Submission:
    """A process, its variables, the decisions on its tasks, the comments on it and its moves, each oldest first."""

    process: ProcessInstance
    values: ProcessVariables
    decisions: list[Decision]
    comments: list[Comment]
    moves: list[Move]


async def history_of(info: Info, draft: Draft, limit: int) -> list[AuditEvent]:
    """The last events of a draft: its submissions newest first, the events of each newest first."""
    loaders, own = info.context.loaders, info.context.upstreams.camunda.own
    submissions, (decisions, comments) = await submissions_of(info, draft, loaders.decisions, loaders.comments)
    variables, processes = submissions.variables, submissions.processes
    moved = [process.id for process in processes if variables[process.id].rescheduled_by is not None]
    moves = dict(zip(moved, await loaders.moves.load_many(moved), strict=True))
    every = [
        Submission(
            process,
            variables[process.id],
            list((made or {}).values()),
            list((written or {}).values()),
            moves.get(process.id) or [],
        )
        for process, made, written in zip(processes, decisions, comments, strict=True)
        if process.id in submissions.own or _is_superseded(own, draft, variables[process.id])
    ]
    every += [
        Submission(each.process, each.values, list(each.decisions.values()), list(each.comments.values()), [])
        for each in submissions.recorded
    ]
    events = (event for each in every for event in reversed(list(_events(each))))
    return list(islice(events, limit))


def _is_superseded(own: Ownership, draft: Draft, values: ProcessVariables) -> bool:
    """Whether a process was a submission of the draft that another one superseded."""
    return own.links(values, draft.id) and values.recorded_outcome is Outcome.SUPERSEDED


def _events(submission: Submission) -> Iterator[AuditEvent]:
    """The events of one submission in causal order, since timestamps of several machines do not give it."""
    process, values = submission.process, submission.values
    yield _event(
        submission,
        AuditEventKind.SUBMITTED,
        process.start_time,
        by=person(values.submitted_by),
        acted_by=person(values.submission_acted_by),
        comment=values.submission_comment,
        plan_version_id=_id(values.base_version),
        publish_at=_proposed(submission),
    )
    # `merge` keeps decisions in their order, whatever their clocks say, and puts comments and moves between them.
    acts: list[Sequence[Decision | Comment | Move]] = [submission.decisions, submission.comments, submission.moves]
    for act in merge(*acts, key=lambda each: each.at):
        yield _act(submission, act)
    if process.end_time is not None:
        for kind in _ends(submission):
            yield _end(submission, kind, process.end_time)


def _proposed(submission: Submission) -> datetime | None:
    """When the submission proposed to publish: what was replaced first, else what stands."""
    replaced: list[Decision | Move] = [*filter(_is_timed, submission.decisions), *submission.moves]
    return replaced[0].publish_at_before if replaced else submission.values.publish_at


def _is_timed(decision: Decision) -> bool:
    """Whether a decision set the time of publication."""
    return decision.verdict is Verdict.APPROVED and decision.publish_at is not None


def _act(submission: Submission, act: Decision | Comment | Move) -> AuditEvent:
    if isinstance(act, Decision):
        return _decided(submission, act)
    return _commented(submission, act) if isinstance(act, Comment) else _moved(submission, act)


def _moved(submission: Submission, move: Move) -> AuditEvent:
    return _event(
        submission,
        AuditEventKind.RESCHEDULED,
        move.at,
        by=person(move.by),
        acted_by=person(move.acted_by),
        publish_at=move.publish_at,
        publish_at_before=move.publish_at_before,
    )


def _decided(submission: Submission, decision: Decision) -> AuditEvent:
    is_timed = _is_timed(decision)
    return _event(
        submission,
        AuditEventKind[decision.verdict.name],
        decision.at,
        by=person(decision.by),
        acted_by=person(decision.acted_by),
        step=decision.step,
        comment=decision.comment,
        reason=decision.reason,
        publish_at=decision.publish_at if is_timed else None,
        publish_at_before=decision.publish_at_before if is_timed else None,
    )


def _commented(submission: Submission, comment: Comment) -> AuditEvent:
    return _event(
        submission,
        AuditEventKind.COMMENTED,
        comment.at,
        by=person(comment.by),
        acted_by=person(comment.acted_by),
        comment=comment.text,
    )


def _ends(submission: Submission) -> list[AuditEventKind]:
    """The kinds of final events of an ended submission, without those that its decisions say already."""
    values = submission.values
    known = {AuditEventKind[decision.verdict.name] for decision in submission.decisions}
    ends = [AuditEventKind[values.outcome.name] if values.outcome else AuditEventKind.CANCELLED]
    if values.recorded_outcome is Outcome.APPROVED:
        ends.append(AuditEventKind.PUBLISHED)
    return [kind for kind in ends if kind not in known]


def _end(submission: Submission, kind: AuditEventKind, at: datetime) -> AuditEvent:
    values = submission.values
    why = kind in (AuditEventKind.CONFLICT, AuditEventKind.SUPERSEDED)
    is_withdrawn = kind is AuditEventKind.WITHDRAWN
    is_by_rule = kind is AuditEventKind.APPROVED and values.decided_by_rule is True
    return _event(
        submission,
        kind,
        at,
        by=person(_ended_by(values, kind)),
        acted_by=person(values.withdrawal_acted_by) if is_withdrawn else None,
        comment=values.comment if kind in DECISIONS else None,
        reason=BY_RULE if is_by_rule else values.reason if why else None,
        plan_version_id=_id(values.published_version) if kind is AuditEventKind.PUBLISHED else None,
    )


def _ended_by(values: ProcessVariables, kind: AuditEventKind) -> str | None:
    if kind is AuditEventKind.WITHDRAWN:
        return values.withdrawn_by
    if kind not in DECISIONS:
        return None
    return values.approved_by if kind is AuditEventKind.APPROVED else values.rejected_by


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
    publish_at: datetime | None = None,
    publish_at_before: datetime | None = None,
) -> AuditEvent:
    return AuditEvent(
        kind=kind,
        at=at,
        process_id=strawberry.ID(submission.process.id),
        revision=submission.values.draft_revision,
        by=by,
        acted_by=acted_by,
        step=step,
        comment=comment,
        reason=reason,
        plan_version_id=plan_version_id,
        publish_at=publish_at,
        publish_at_before=publish_at_before,
    )


def _id(version_id: str | None) -> strawberry.ID | None:
    return None if version_id is None else strawberry.ID(version_id)
