"""The type ApprovalStatus: the state of a draft's approval, derived from engine and drafts database on every read."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import Enum

import strawberry

from api.coordination.rules.approval_state import NOT_SUBMITTED, is_between_steps, is_idle, progress_of
from api.loaders import Value
from api.schema.draft import PUBLISH_AT, DraftStatus, draft_status, publication_time
from api.schema.info import Info
from api.schema.person import Person, person
from api.schema.read_access import variables_of_drafts, visible_tasks
from api.schema.requires import requires
from api.schema.task import Task, task
from api.upstreams.camunda import records as camunda_records
from api.upstreams.camunda.authorizations import READ_INSTANCES, READ_TASKS, demand
from api.upstreams.camunda.process_variables import LINK_VARIABLES, NO_VARIABLES, Decision, ProcessVariables, names
from api.upstreams.retool import records as retool_records
from columnar.batch_loader import Loader
from columnar.batched_field import found_of

PROCESS, VALUES, TASKS, WAITING, TIMERS = (
    "process",
    "values",
    "tasks",
    "waiting",
    "timers",
)  # what is asked of the engine for it
OUTCOME_VARIABLES = names("approval_outcome", "approved", "changes_requested", "conflict_detected")


@strawberry.enum(description="Where an approval stands, worked out from what the engine and the drafts say.")
class ApprovalState(Enum):
    """The states of coordination/rules/approval_state.py, with their descriptions."""

    NOT_SUBMITTED = strawberry.enum_value("NOT_SUBMITTED", description="Not in approval, and not decided.")
    IN_REVIEW = strawberry.enum_value("IN_REVIEW", description="Waits for a reviewer.")
    SCHEDULED = strawberry.enum_value("SCHEDULED", description="Approved; the process publishes it at a later time.")
    PUBLISHING = strawberry.enum_value("PUBLISHING", description="Approved; publication is under way.")
    PUBLISH_FAILED = strawberry.enum_value(
        "PUBLISH_FAILED",
        description="Approved, but publication gave up: `problem` says why, retryPublication goes on with it, "
        "withdrawSubmission takes the draft back.",
    )
    APPROVED = strawberry.enum_value("APPROVED", description="Approved and published.")
    REJECTED = strawberry.enum_value("REJECTED", description="Rejected by a reviewer.")
    RETURNED = strawberry.enum_value("RETURNED", description="Sent back to its author with what to change.")
    CONFLICT = strawberry.enum_value(
        "CONFLICT", description="Approved, but draft or plan had moved since submission; nothing was published."
    )
    WITHDRAWN = strawberry.enum_value("WITHDRAWN", description="Taken back out of approval.")


@strawberry.enum(description="What a reviewer decided.")
class Verdict(Enum):
    """The verdicts of upstreams/camunda/process_variables.py, with their descriptions."""

    APPROVED = strawberry.enum_value("APPROVED", description="To be published.")
    REJECTED = strawberry.enum_value("REJECTED", description="Not to be published.")
    RETURNED = strawberry.enum_value("RETURNED", description="To be changed and submitted again.")
    CONFLICT = strawberry.enum_value("CONFLICT", description="Approved, but draft or plan had moved.")


@strawberry.type(description="One reviewer's decision on one task.")
class TaskDecision:
    """A decision by completeApproval or requestChanges; tasks completed by other clients have none."""

    task_id: strawberry.ID = strawberry.field(description="The task that was decided.")
    step: str = strawberry.field(description="Its key in the process model.")
    verdict: Verdict = strawberry.field(description="What was decided.")
    decided_by: Person = strawberry.field(description="Whose decision it is.")
    acted_by: Person | None = strawberry.field(
        description="Who made it on their behalf; null where they did so themselves, or a trusted program did."
    )
    decided_at: datetime = strawberry.field(description="When.")
    comment: str | None = strawberry.field(description="What the reviewer wrote to it.")
    publish_at: datetime | None = strawberry.field(
        description="When the plan is to be published, where it was set with this decision."
    )
    reason: str | None = strawberry.field(description="Why it is a conflict, if it is one.")


@strawberry.type(description="Where the approval of a draft stands, asked live of the engine.")
class ApprovalStatus:
    """The status of the process that the draft was last submitted to."""

    process_id: strawberry.Private[str]
    author: strawberry.Private[str | None]
    waiting: strawberry.Private[list[camunda_records.Task]]
    draft_status: DraftStatus = strawberry.field(description="What the draft itself says.", metadata=requires())
    state: ApprovalState = strawberry.field(
        description="Where the approval stands.",
        metadata=requires(PROCESS, VALUES, TASKS, WAITING, TIMERS, variables=(*OUTCOME_VARIABLES, *LINK_VARIABLES)),
    )
    workflow_active: bool = strawberry.field(
        description="Whether its process still runs.", metadata=requires(PROCESS, variables=LINK_VARIABLES)
    )
    current_activity: str | None = strawberry.field(
        description="Keys of the process steps now open, by commas; null when none is.",
        metadata=requires(TASKS, WAITING, variables=LINK_VARIABLES),
    )
    problem: str | None = strawberry.field(
        description="Why publication stopped, when state is PUBLISH_FAILED, or why what was decided could not be "
        "noted on the draft.",
        metadata=requires(PROCESS, WAITING, variables=LINK_VARIABLES),
    )
    submitted_at: datetime | None = strawberry.field(
        description="When the process was started.", metadata=requires(PROCESS, variables=LINK_VARIABLES)
    )
    submitted_by: Person | None = strawberry.field(
        description="Who submitted the draft.",
        metadata=requires(VALUES, variables=(*names("submitted_by"), *LINK_VARIABLES)),
    )
    submitted_revision: str | None = strawberry.field(
        description="The revision that was submitted.",
        metadata=requires(VALUES, variables=(*names("draft_revision"), *LINK_VARIABLES)),
    )

    publish_at: datetime | None = strawberry.field(
        description=PUBLISH_AT, metadata=requires(VALUES, variables=(*names("publish_at"), *LINK_VARIABLES))
    )

    @strawberry.field(
        description="The tasks that wait for a decision, as far as the viewer may see them.",
        metadata=requires(VALUES, TASKS, variables=(*names("submitted_by"), *LINK_VARIABLES)),
    )
    async def open_tasks(self, info: Info) -> list[Task]:
        """The visible tasks; their candidates are read unless the viewer may see every task of the draft."""
        submitted_by = self.submitted_by.id if self.submitted_by else None
        shown = await visible_tasks(info, self.waiting, submitted_by=submitted_by, author=self.author)
        return [task(record) for record in shown]

    @strawberry.field(
        description="The decisions made so far, oldest first.",
        metadata=requires(VALUES, variables=LINK_VARIABLES),
    )
    async def decisions(self, info: Info) -> list[TaskDecision]:
        """The decisions stored in the process."""
        if self.state is ApprovalState.APPROVED:
            return await final_decisions(info, self.process_id)
        return task_decisions(await info.context.loaders.decisions.load(self.process_id) or {})


async def approval_statuses_of(info: Info, records: Sequence[retool_records.Draft]) -> list[ApprovalStatus]:
    """The statuses of drafts: at most four concurrent requests to the engine, and one more for idle processes.

    The variables are read with any of them, since they tell whether the process is the draft's.
    """
    processes, loaders = [record.camunda_process_id or "" for record in records], info.context.loaders
    requirements = info.context.requirements

    async def read(part: str, loader: Loader[str, Value]) -> Sequence[Value | None]:
        return await loader.load_many(processes) if requirements.has("approvals", part) else [None] * len(records)

    async def links() -> Sequence[ProcessVariables | None]:
        is_asked = any(requirements.has("approvals", part) for part in (PROCESS, VALUES, TASKS, WAITING))
        return await variables_of_drafts(info, records) if is_asked else [None] * len(records)

    asked = (
        read(PROCESS, loaders.processes),
        links(),
        read(TASKS, loaders.open_tasks),
        read(WAITING, loaders.waiting),
    )
    process, values, tasks, waiting = await asyncio.gather(*asked)
    found = list(zip(process, values, tasks, waiting, strict=True))
    if any(is_idle(each[0], each[2] or [], each[3] or []) for each in found) and requirements.has("approvals", TIMERS):
        await demand(info.context.upstreams.camunda, READ_TASKS, READ_INSTANCES)
    timers = await found_of(loaders.timers, [_timed(info, *each) for each in found])
    return [_status(record, *each, due) for record, each, due in zip(records, found, timers, strict=True)]


def _timed(
    info: Info,
    process: camunda_records.ProcessInstance | None,
    variables: ProcessVariables | None,
    tasks: list[camunda_records.Task] | None,
    waiting: list[camunda_records.ExternalTask] | None,
) -> str | None:
    """The id of the process, if its state depends on its timers."""
    is_read = info.context.requirements.has("approvals", TIMERS)
    is_timed = is_read and is_between_steps(process, variables or NO_VARIABLES, tasks or [], waiting or [])
    return process.id if process and is_timed else None


def _status(
    record: retool_records.Draft,
    process: camunda_records.ProcessInstance | None,
    values: ProcessVariables | None,
    tasks: list[camunda_records.Task] | None,
    waiting: list[camunda_records.ExternalTask] | None,
    due: datetime | None,
) -> ApprovalStatus:
    """The status of one draft: by its row alone without a process, NOT_SUBMITTED if its process is another draft's."""
    is_foreign = values is None and process is not None
    if values is None:
        process, tasks, waiting = None, None, None
    found, open_tasks = values or NO_VARIABLES, tasks or []
    progress = NOT_SUBMITTED if is_foreign else progress_of(record, process, found, open_tasks, waiting or [], due)
    steps = sorted({task.task_definition_key for task in open_tasks} | {task.activity_id for task in waiting or []})
    return ApprovalStatus(
        process_id=(record.camunda_process_id if values is not None else None) or "",
        author=record.created_by,
        waiting=open_tasks,
        draft_status=draft_status(record.status),
        state=ApprovalState[progress.state.name],
        workflow_active=progress.is_active,
        current_activity=", ".join(steps) or None,
        problem=progress.problem,
        submitted_at=process.start_time if process else None,
        submitted_by=person(found.submitted_by),
        submitted_revision=found.draft_revision,
        publish_at=publication_time(record, values),
    )


async def final_decisions(info: Info, process_id: str) -> list[TaskDecision]:
    """The decisions that a published version came of: the engine's or, once it has forgotten them, the store's."""
    loaders = info.context.loaders
    if made := await loaders.decisions.load(process_id):
        return task_decisions(made)
    record = await loaders.records.load(process_id)
    return task_decisions(record.decisions if record else {})


def task_decisions(made: Mapping[str, Decision]) -> list[TaskDecision]:
    """The types of decisions, in their order."""
    return [_decision(task_id, decision) for task_id, decision in made.items()]


def _decision(task_id: str, decision: Decision) -> TaskDecision:
    return TaskDecision(
        task_id=strawberry.ID(task_id),
        step=decision.step,
        verdict=Verdict[decision.verdict.name],
        decided_by=Person(id=strawberry.ID(decision.by)),
        acted_by=person(decision.acted_by),
        decided_at=decision.at,
        comment=decision.comment,
        publish_at=decision.publish_at,
        reason=decision.reason,
    )
