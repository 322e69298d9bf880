"""The type Task: a review step that waits for a person or is decided, and its edges to draft and plans."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated

import strawberry

from api.coordination.decide import already_decided
from api.coordination.rules.permissions import demand_decidable
from api.coordination.rules.visibility import visible_task
from api.errors import Refused
from api.schema.arguments import checked_limit
from api.schema.comment import Comment, comments_of_process
from api.schema.draft import Draft, draft
from api.schema.info import Info
from api.schema.person import Person, person
from api.schema.plan_version import BASE_VARIABLES, PlanVersion, base_plans_of, current_plans_of
from api.schema.read_access import audit_hidden, can_see_task, load_as_if_hidden, readable_draft
from api.schema.requires import requires
from api.schema.user_error import UserErrorCode
from api.upstreams.camunda import records as camunda_records
from api.upstreams.camunda.process_variables import NO_VARIABLES, Decision, ProcessVariables, names
from api.upstreams.retool import records as retool_records
from columnar.batched_field import batched_field, found_of


@strawberry.type(description="Whether the viewer may decide a task, and if not, why.")
class Decidability:
    """The answer that a decision would have, by the rule of the mutations; see coordination/rules/permissions.py."""

    allowed: bool = strawberry.field(description="Whether completeApproval would accept the viewer's decision.")
    code: UserErrorCode | None = strawberry.field(default=None, description="Why not, for programs.")
    message: str | None = strawberry.field(default=None, description="Why not, for people.")


def _processes(tasks: "Sequence[Task]") -> list[str]:
    return [task.record.process_instance_id for task in tasks]


async def _variables(tasks: "Sequence[Task]", info: Info) -> list[ProcessVariables]:
    found = await info.context.loaders.variables.load_many(_processes(tasks))
    return [variables or NO_VARIABLES for variables in found]


async def _candidate_groups(tasks: "Sequence[Task]", info: Info) -> list[list[str]]:
    """Candidate groups of tasks; the number of requests depends on the groups, not on the tasks."""
    found = await info.context.loaders.candidate_groups.load_many(task.record for task in tasks)
    return [groups or [] for groups in found]


async def _submitters(tasks: "Sequence[Task]", info: Info) -> list[Person | None]:
    return [person(variables.submitted_by) for variables in await _variables(tasks, info)]


async def _publication_times(tasks: "Sequence[Task]", info: Info) -> list[datetime | None]:
    return [variables.publish_at for variables in await _variables(tasks, info)]


async def _drafts(tasks: "Sequence[Task]", info: Info) -> list[Draft | None]:
    """The drafts that the processes name, as these are published. Rows that only name a process do not count."""
    named = [variables.draft_id for variables in await _variables(tasks, info)]
    records = await found_of(info.context.loaders.drafts, named)
    apart = [record for task, record in zip(tasks, records, strict=True) if record and not _is_in(task, record)]
    known = {
        record.id for record in await asyncio.gather(*(readable_draft(info, record) for record in apart)) if record
    }
    return [
        draft(record) if record and (_is_in(task, record) or record.id in known) else None
        for task, record in zip(tasks, records, strict=True)
    ]


def _is_in(task: "Task", record: retool_records.Draft) -> bool:
    """Whether a draft is in the task's process; any other is shown only to viewers who may read it anyway."""
    return record.camunda_process_id == task.record.process_instance_id


async def _base_plans(tasks: "Sequence[Task]", info: Info) -> list[PlanVersion | None]:
    return await base_plans_of(info, await _variables(tasks, info))


async def _current_plans(tasks: "Sequence[Task]", info: Info) -> list[PlanVersion | None]:
    return await current_plans_of(info, [variables.aidbox_plan_id for variables in await _variables(tasks, info)])


async def _conflicts(tasks: "Sequence[Task]", info: Info) -> list[bool]:
    """Whether each base version is out of date; a new plan has none."""
    variables = await _variables(tasks, info)
    bases = [each.base if task.is_open else None for task, each in zip(tasks, variables, strict=True)]
    current = await found_of(info.context.loaders.plans, [base and base[0] for base in bases])
    return [
        base is not None and (plan is None or plan.version_id != base[1])
        for base, plan in zip(bases, current, strict=True)
    ]


async def _decidable(tasks: "Sequence[Task]", info: Info) -> list[Decidability]:
    """Decidability of all tasks of an answer, by the verb's own rule; closed tasks say how they were decided."""
    loaders, open_tasks = info.context.loaders, [task for task in tasks if task.is_open]
    offered, variables, made = await asyncio.gather(
        loaders.decidable.load_many(task.id for task in open_tasks),
        _variables(open_tasks, info),
        loaders.decisions.load_many(task.process_id for task in tasks if not task.is_open),
    )
    found, decided = zip(offered, variables, strict=True), iter(made)
    return [_open(info, task, *next(found)) if task.is_open else _closed(task, next(decided)) for task in tasks]


def _open(info: Info, task: "Task", offered: bool | None, variables: ProcessVariables) -> Decidability:  # noqa: FBT001  # a row of what was found
    submitters, allow_own = variables.submitters, info.context.policy.allow_own_approval
    try:
        demand_decidable(info.context.reader, task.record, submitters, is_offered=bool(offered), allow_own=allow_own)
    except Refused as refusal:
        return _not(refusal)
    return Decidability(allowed=True)


def _closed(task: "Task", decisions: Mapping[str, Decision] | None) -> Decidability:
    return _not(already_decided(task.record, (decisions or {}).get(task.id)))


def _not(refusal: Refused) -> Decidability:
    return Decidability(allowed=False, code=UserErrorCode[refusal.code.name], message=refusal.message)


@strawberry.federation.type(keys=["id"], description="One step of a review, waiting for a person or already decided.")
class Task:
    """A task. Plain fields come with the engine's record; the others are read when they are selected."""

    record: strawberry.Private[camunda_records.Task]
    id: strawberry.ID = strawberry.field(description="The engine's own id.")
    name: str = strawberry.field(description="What the process model calls the step.")
    step: str = strawberry.field(description="The step's key in the process model; a new step needs no new schema.")
    is_open: bool = strawberry.field(description="Whether it still waits for a decision.")
    assignee: Person | None = strawberry.field(description="Who has claimed it; null while it is its groups'.")
    created_at: datetime = strawberry.field(description="When the step began.")
    due_at: datetime | None = strawberry.field(description="When it should be decided, if the model says so.")
    follow_up_at: datetime | None = strawberry.field(description="When to look at it again, as whoever has it set it.")
    priority: int = strawberry.field(description="As the model or an operator set it; 50 is the engine's default.")
    process_id: strawberry.ID = strawberry.field(description="The process instance it belongs to.")

    candidate_groups: list[str] = batched_field(
        _candidate_groups,
        description="Groups whose members may claim it, or could while it was open, as the engine has them.",
        metadata=requires(),
    )
    submitted_by: Person | None = batched_field(
        _submitters, description="Who submitted the draft.", metadata=requires(variables=names("submitted_by"))
    )
    publish_at: datetime | None = batched_field(
        _publication_times,
        description="When the plan is to be published, as proposed or decided so far. Null: once it is approved.",
        metadata=requires(variables=names("publish_at")),
    )
    draft: Draft | None = batched_field(
        _drafts,
        description="The draft under review. Null when it is no longer in this process, unless the viewer may read it, "
        "and when the engine or the drafts database could not be asked.",
        metadata=requires(variables=names("draft_id"), loaders=("drafts",)),
    )
    base_plan: PlanVersion | None = batched_field(
        _base_plans,
        description="The plan version the draft was submitted against. "
        "Null when there is none or the store could not be asked.",
        metadata=requires(variables=BASE_VARIABLES, loaders=("plan_versions",)),
    )
    current_plan: PlanVersion | None = batched_field(
        _current_plans,
        description="The plan as the store has it now. Null for a new plan.",
        metadata=requires(variables=names("aidbox_plan_id"), loaders=("plans",)),
    )
    has_conflict: bool | None = batched_field(
        _conflicts,
        description="True when the store moved on since submission: approving would end in a conflict. "
        "Null when that could not be asked.",
        metadata=requires(variables=BASE_VARIABLES),
    )
    decidable: Decidability | None = batched_field(
        _decidable,
        description="Whether the viewer may decide it, and if not, why.",
        metadata=requires(variables=names("submitted_by", "submission_acted_by")),
    )

    @strawberry.field(
        description="What was written on its submission beside the decisions, newest first. Null when the engine could "
        "not be asked.",
        metadata=requires(),
    )
    async def comments(
        self,
        info: Info,
        limit: Annotated[int, strawberry.argument(description="The most comments to return, 0 to 1000.")] = 50,
    ) -> list[Comment] | None:
        """One request to the engine, for all tasks of an answer."""
        return await comments_of_process(info, self.record.process_instance_id, checked_limit(limit))

    @classmethod
    async def resolve_reference(cls, info: Info, id: strawberry.ID) -> "Task | None":  # noqa: A002  # the key's name
        """For a federation gateway: the task of a key."""
        return await task_by_id(info, id)


async def task_by_id(info: Info, task_id: str) -> Task | None:
    """A task, open or already completed, that the viewer may see."""
    record = await info.context.loaders.tasks.load(task_id)
    if record is None:
        await load_as_if_hidden(info, task_id)
        return None
    if not await _may_see(info, record):
        if record.ended is None:  # as for a task that is not there
            past_task = info.context.upstreams.camunda.past_task(record.id)
            await asyncio.gather(past_task, info.context.loaders.tasks_are_shown.load("all"))
        audit_hidden(info, task_id=record.id)
        return None
    return task(record)


async def _may_see(info: Info, record: camunda_records.Task) -> bool:
    """Whether the viewer may see a task; open tasks are batched, closed ones cost requests each."""
    if record.ended is None:
        return await can_see_task(info, record)
    return await visible_task(info.context.upstreams, info.context.reader, record) is not None


def task(record: camunda_records.Task) -> Task:
    """The type of an engine's record."""
    return Task(
        record=record,
        id=strawberry.ID(record.id),
        name=record.name or record.task_definition_key,
        step=record.task_definition_key,
        is_open=record.ended is None,
        assignee=person(record.assignee),
        created_at=record.created,
        due_at=record.due,
        follow_up_at=record.follow_up,
        priority=record.priority,
        process_id=strawberry.ID(record.process_instance_id),
    )
