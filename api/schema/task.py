"""The type Task: a step of a review that waits for a person, and the hops from it to draft and plan."""

from datetime import datetime

import strawberry

from api.coordination.auditing import audit
from api.coordination.seeing import seen_task
from api.identity import same_person
from api.schema.draft import Draft, draft
from api.schema.info import Info
from api.schema.person import Person, person
from api.schema.plan_version import BASE_VARIABLES, PlanVersion, base_plan_of, current_plan_of
from api.schema.reading import sees
from api.schema.reads import reads
from api.schema.user_error import UserErrorCode
from api.upstreams import camunda

FOUR_EYES = "You submitted this plan, so somebody else has to decide it."


@strawberry.type(description="Whether the viewer may decide a task, and if not, why.")
class Decidability:
    """The answer the mutation would give, without asking it."""

    allowed: bool = strawberry.field(description="Whether completeApproval would take the viewer's decision.")
    code: UserErrorCode | None = strawberry.field(default=None, description="Why not, for programs.")
    message: str | None = strawberry.field(default=None, description="Why not, for people.")


@strawberry.federation.type(keys=["id"], description="One step of a review, waiting for a person or already decided.")
class Task:
    """Plain fields come from the engine's task; the rest is asked when it is selected."""

    record: strawberry.Private[camunda.Task]
    id: strawberry.ID = strawberry.field(description="The engine's own id.")
    name: str = strawberry.field(description="What the process model calls the step.")
    step: str = strawberry.field(description="The step's key in the process model; a new step needs no new schema.")
    is_open: bool = strawberry.field(description="Whether it still waits for a decision.")
    assignee: Person | None = strawberry.field(description="Who has claimed it; null while it is its groups'.")
    created_at: datetime = strawberry.field(description="When the step began.")
    due_at: datetime | None = strawberry.field(description="When it should be decided, if the model says so.")
    priority: int = strawberry.field(description="As the model or an operator set it; 50 is the engine's default.")
    process_id: strawberry.ID = strawberry.field(description="The process instance it belongs to.")

    @strawberry.field(
        description="Groups whose members may claim it, as the process model names them.", metadata=reads()
    )
    async def candidate_groups(self, info: Info) -> list[str]:
        """One request a model, not one a task."""
        steps = await info.context.loaders.candidate_groups.load(self.record.process_definition_id)
        return (steps or {}).get(self.record.task_definition_key, [])

    @strawberry.field(description="Who submitted the draft.", metadata=reads(variables=("submittedBy",)))
    async def submitted_by(self, info: Info) -> Person | None:
        """By the process's variables."""
        variables = await info.context.loaders.variables.load(self.record.process_instance_id) or {}
        return person(variables.get("submittedBy"))

    @strawberry.field(
        description="The draft under review. Null when the drafts database could not be asked.",
        metadata=reads(finds=("drafts_by_process", "drafts")),
    )
    async def draft(self, info: Info) -> Draft | None:
        """Straight from the process; by the variables only for a draft that went on to another process."""
        loaders = info.context.loaders
        found = await loaders.drafts_by_process.load(self.record.process_instance_id)
        if found is None:
            # so seldom that it is asked by itself: every variable makes the request for a whole list longer
            draft_id = (await loaders.draft_ids.load(self.record.process_instance_id) or {}).get("draftId")
            found = await loaders.drafts.load(str(draft_id)) if draft_id else None
        return draft(found)

    @strawberry.field(
        description="The plan version the draft was submitted against. "
        "Null when there is none or the store could not be asked.",
        metadata=reads(variables=BASE_VARIABLES, finds=("plan_versions",)),
    )
    async def base_plan(self, info: Info) -> PlanVersion | None:
        """By the process's variables."""
        return await base_plan_of(info, self.record.process_instance_id)

    @strawberry.field(
        description="The plan as the store has it now. Null for a new plan.",
        metadata=reads(variables=("aidboxPlanId",), finds=("plans",)),
    )
    async def current_plan(self, info: Info) -> PlanVersion | None:
        """By the process's variables."""
        variables = await info.context.loaders.variables.load(self.record.process_instance_id) or {}
        return await current_plan_of(info, variables.get("aidboxPlanId"))

    @strawberry.field(
        description="True when the store moved on since submission: approving would end in a conflict. "
        "Null when that could not be asked.",
        metadata=reads(variables=BASE_VARIABLES),
    )
    async def has_conflict(self, info: Info) -> bool | None:
        """The base version against the current one; a new plan has nothing to conflict with."""
        variables = await info.context.loaders.variables.load(self.record.process_instance_id) or {}
        plan_id, base_version = variables.get("aidboxPlanId"), variables.get("baseVersion")
        if plan_id is None or base_version is None or not self.is_open:
            return False
        current = await info.context.loaders.plans.load(str(plan_id))
        return current is None or current.version_id != base_version

    @strawberry.field(
        description="Whether the viewer may decide it, and if not, why.", metadata=reads(variables=("submittedBy",))
    )
    async def decidable(self, info: Info) -> Decidability | None:
        """The rules of coordination/permissions.py, asked for all tasks of an answer at once."""
        if not self.is_open:
            return _not(UserErrorCode.ALREADY_DECIDED, "This task is no longer open.")
        viewer, settings = info.context.viewer, info.context.settings
        offered = info.context.loaders.decidable.load(self.record.id)
        variables = await info.context.loaders.variables.load(self.record.process_instance_id) or {}
        if same_person(str(variables.get("submittedBy")), viewer.id) and not settings.allow_own_approval:
            return _not(UserErrorCode.OWN_SUBMISSION, FOUR_EYES)
        if self.record.assignee and not same_person(self.record.assignee, viewer.id):
            return _not(UserErrorCode.ALREADY_CLAIMED, f"{self.record.assignee} has claimed this task.")
        allowed = same_person(self.record.assignee, viewer.id) or bool(await offered)
        return (
            Decidability(allowed=True) if allowed else _not(UserErrorCode.FORBIDDEN, "This task is not offered to you.")
        )

    @classmethod
    async def resolve_reference(cls, info: Info, id: strawberry.ID) -> "Task | None":  # noqa: A002  # the key's name
        """For a federation gateway: the task of a key."""
        return await task_by_id(info, id)


def _not(code: UserErrorCode, message: str) -> Decidability:
    return Decidability(allowed=False, code=code, message=message)


async def task_by_id(info: Info, task_id: str) -> Task | None:
    """A task, open or already completed, that the viewer may see."""
    record = await info.context.loaders.tasks.load(task_id)
    if record is None:
        return None
    if not await _may_see(info, record):
        audit(info.context.viewer, info.field_name, "refused", code="NOT_FOUND", task_id=record.id)
        return None
    return task(record)


async def _may_see(info: Info, record: camunda.Task) -> bool:
    """Open tasks are asked about together; about closed ones, the engine tells one at a time only."""
    if record.ended is None:
        return await sees(info, record)
    return await seen_task(info.context.upstreams, info.context.viewer, record) is not None


async def task_acted_on(info: Info, task_id: str | None) -> Task | None:
    """A task that the viewer did something with, and so knows, as it now is."""
    record = await info.context.loaders.tasks.load(task_id) if task_id else None
    return task(record) if record else None


def task(record: camunda.Task) -> Task:
    """The type of a task the engine sent."""
    return Task(
        record=record,
        id=strawberry.ID(record.id),
        name=record.name or record.task_definition_key,
        step=record.task_definition_key,
        is_open=record.ended is None,
        assignee=person(record.assignee),
        created_at=record.created,
        due_at=record.due,
        priority=record.priority,
        process_id=strawberry.ID(record.process_instance_id),
    )
