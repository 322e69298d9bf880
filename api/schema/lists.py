"""Pages of tasks and drafts, with their filters and sort keys."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from enum import Enum

import msgspec
import strawberry

from api.errors import Refused, UserErrorCode
from api.schema.arguments import checked_sort, checked_text
from api.schema.draft import Draft, DraftStatus, draft
from api.schema.info import Info
from api.schema.read_access import draft_by_id, page_reader
from api.schema.requires import requires
from api.schema.task import Task, task
from api.upstreams.camunda.authorizations import READ_TASKS, demand
from api.upstreams.camunda.process_variables import condition, instant, names
from api.upstreams.camunda.publications import publications
from api.upstreams.retool.records import DraftFilter as Narrowed

MOST_SEARCHED = 5000  # tasks whose drafts' names are searched
MOST_TIMED = 2000  # submissions that are to be published within a time
MOST_NAMED = 1000  # drafts that match a name; the engine is then asked by the ids of their processes
(SUBMITTED_BY,) = names("submitted_by")
BY_SUBMITTER = {"sortBy": "processVariable", "parameters": {"variable": SUBMITTED_BY, "type": "String"}}


@strawberry.input(description="A filter of tasks. All conditions must hold; absent ones are ignored.")
class TaskFilter:
    """Each field becomes a condition of the engine's query."""

    step: str | None = strawberry.field(default=None, description="Tasks of this step of the process model.")
    unassigned: bool | None = strawberry.field(
        default=None, description="True: tasks nobody has claimed. False: claimed ones."
    )
    assignee: strawberry.ID | None = strawberry.field(default=None, description="Claimed by this person.")
    due_before: datetime | None = strawberry.field(default=None, description="Due before this instant.")
    created_after: datetime | None = strawberry.field(default=None, description="Begun after this instant.")
    min_priority: int | None = strawberry.field(default=None, description="Of at least this priority.")
    submitted_by: strawberry.ID | None = strawberry.field(default=None, description="Submitted by this person.")
    publish_after: datetime | None = strawberry.field(
        default=None, description="Whose plan is proposed to be published after this instant."
    )
    publish_before: datetime | None = strawberry.field(
        default=None, description="Whose plan is proposed to be published before this instant."
    )
    draft_name_contains: str | None = strawberry.field(
        default=None,
        description="Of a submitted draft whose name contains this, ignoring case. Refused (INVALID) where more than "
        f"{MOST_NAMED} drafts of the listed tasks match, or more than {MOST_SEARCHED} tasks have to be searched.",
    )


@strawberry.enum(description="The sort keys of tasks.")
class TaskSortKey(Enum):
    """Names of the engine's own sort keys."""

    CREATED_AT = strawberry.enum_value("created", description="When the step began.")
    DUE_AT = strawberry.enum_value("dueDate", description="When it should be decided.")
    PRIORITY = strawberry.enum_value("priority", description="The priority.")
    NAME = strawberry.enum_value("nameCaseInsensitive", description="The step's name.")
    ASSIGNEE = strawberry.enum_value("assignee", description="Who has claimed it.")
    SUBMITTED_BY = strawberry.enum_value(SUBMITTED_BY, description="Who submitted the draft.")


@strawberry.input(description="A key tasks are sorted by.")
class TaskSort:
    """Several count in the order given."""

    by: TaskSortKey = strawberry.field(description="The key.")
    descending: bool = strawberry.field(default=False, description="Whether the order is descending.")


@strawberry.type(description="A page of tasks. Each field asks the engine only when it is selected.")
class TaskPage:
    """A query for tasks, not yet asked; None: nothing can match. `is_viewers`: it finds tasks of the viewer."""

    is_viewers: strawberry.Private[bool]
    query: strawberry.Private[dict[str, object] | None]
    sorting: strawberry.Private[list[dict[str, object]]]
    limit: strawberry.Private[int]
    offset: strawberry.Private[int]

    @strawberry.field(
        description="The tasks of this page. Null when the engine could not be asked.", metadata=requires()
    )
    async def items(self, info: Info) -> list[Task] | None:
        """One request, and one more for an empty page."""
        if self.query is None or self.limit == 0:
            return []
        engine = info.context.upstreams.camunda
        records = await engine.tasks(self.query, limit=self.limit, offset=self.offset, sorting=self.sorting)
        if not records:
            await demand(engine, READ_TASKS)
        if self.is_viewers:
            info.context.loaders.decidable.know({record.id: True for record in records})
        return [task(record) for record in records]

    @strawberry.field(
        description="The number of all matching tasks. Null when the engine could not be asked.", metadata=requires()
    )
    async def total_count(self, info: Info) -> int | None:
        """One request, and one more where there is none."""
        if self.query is None:
            return 0
        engine = info.context.upstreams.camunda
        count = await engine.task_count(self.query)
        if not count:
            await demand(engine, READ_TASKS)
        return count


async def engine_query(info: Info, narrowed: TaskFilter | None, theirs: dict[str, object]) -> dict[str, object] | None:
    """The engine's query for a filter, among the tasks that `theirs` finds; None when nothing can match.

    Names of drafts, which the engine does not have, are searched in one statement: only those of these tasks, since
    neither the answer nor the time it takes may depend on other people's drafts.
    """
    query = {**(_plain_query(narrowed) if narrowed else {}), **theirs}
    named = checked_text(narrowed.draft_name_contains, "draftNameContains") if narrowed else None
    if not named:
        return query
    systems = info.context.upstreams
    tasks = await systems.camunda.tasks(query, limit=MOST_SEARCHED + 1)
    _demand_few(tasks, MOST_SEARCHED, "tasks would have to be searched; filter by step or another condition, too")
    process_ids = await systems.retool.named_processes(list({task.process_instance_id for task in tasks}), named)
    _demand_few(process_ids, MOST_NAMED, "drafts of these tasks match; use a longer part of the name")
    # To the engine an empty list is no condition.
    return {**query, "processInstanceIdIn": process_ids} if process_ids else None


def _demand_few(found: Sequence[object], most: int, what: str) -> None:
    if len(found) > most:
        raise Refused(UserErrorCode.INVALID, f"More than {most} {what}.", field="draftNameContains")


def _plain_query(narrowed: TaskFilter) -> dict[str, object]:
    query: dict[str, object] = {
        "taskDefinitionKey": checked_text(narrowed.step, "step"),
        "assignee": checked_text(narrowed.assignee, "assignee"),
        "dueBefore": instant(narrowed.due_before) if narrowed.due_before else None,
        "createdAfter": instant(narrowed.created_after) if narrowed.created_after else None,
        "minPriority": narrowed.min_priority,
    }
    if narrowed.unassigned is not None:
        # `unassigned: false` is no condition to the engine; `assigned: true` is.
        query["unassigned" if narrowed.unassigned else "assigned"] = True
    variables = between(narrowed.publish_after, narrowed.publish_before)
    if (submitted_by := checked_text(narrowed.submitted_by, SUBMITTED_BY)) is not None:
        variables.append(condition("submitted_by", submitted_by))
    query["processVariables"] = variables or None
    return {name: value for name, value in query.items() if value is not None}


def between(
    after: datetime | None, before: datetime | None, *, bounds: tuple[str, str] = ("gt", "lt")
) -> list[dict[str, object]]:
    """Conditions on the time at which plans are to be published. `bounds`: the engine's operators."""
    given = zip((after, before), bounds, strict=True)
    return [condition("publish_at", moment, operator) for moment, operator in given if moment is not None]


async def to_be_published(info: Info, conditions: Sequence[object], field: str) -> tuple[tuple[str, str], ...]:
    """Drafts in approval and their processes that meet conditions, the first to be published first. Raises Refused."""
    found = await publications(info.context.upstreams.camunda, conditions, at_most=MOST_TIMED)
    if found is None:
        message = f"More than {MOST_TIMED} plans are to be published in this time; narrow it."
        raise Refused(UserErrorCode.INVALID, message, field=field)
    return tuple((each.draft_id, each.process_id or "") for each in found)


def engine_sorting(sort: Sequence[TaskSort] | None) -> list[dict[str, object]]:
    """The engine's sort keys; by default the oldest first."""
    keys = checked_sort(sort) or [TaskSort(by=TaskSortKey.CREATED_AT)]
    return [{**_sorted_by(key.by), "sortOrder": "desc" if key.descending else "asc"} for key in keys]


def _sorted_by(key: TaskSortKey) -> dict[str, object]:
    return {"sortBy": str(key.value)} if key is not TaskSortKey.SUBMITTED_BY else dict(BY_SUBMITTER)


@strawberry.input(description="A filter of drafts. All conditions must hold; absent ones are ignored.")
class DraftFilter:
    """Each field becomes a condition of the SQL statement."""

    status: list[DraftStatus] | None = strawberry.field(default=None, description="Of one of these statuses.")
    created_by: strawberry.ID | None = strawberry.field(default=None, description="Written by this person.")
    name_contains: str | None = strawberry.field(default=None, description="Whose name contains this, ignoring case.")
    aidbox_id: strawberry.ID | None = strawberry.field(default=None, description="That edit or became this plan.")
    publish_after: datetime | None = strawberry.field(
        default=None, description="In approval, and to be published after this instant, as proposed or approved."
    )
    publish_before: datetime | None = strawberry.field(
        default=None,
        description="In approval, and to be published before this instant, as proposed or approved. Refused (INVALID) "
        f"where more than {MOST_TIMED} are.",
    )


@strawberry.enum(description="The sort keys of drafts.")
class DraftSortKey(Enum):
    """Names of the row's own columns."""

    UPDATED_AT = strawberry.enum_value("updated_at", description="When the row last changed.")
    NAME = strawberry.enum_value("name", description="The name.")
    STATUS = strawberry.enum_value("status", description="The status, alphabetically.")


@strawberry.input(description="A key drafts are sorted by.")
class DraftSort:
    """Several count in the order given."""

    by: DraftSortKey = strawberry.field(description="The key.")
    descending: bool = strawberry.field(default=False, description="Whether the order is descending.")


@strawberry.type(description="A page of drafts. Each field asks the database only when it is selected.")
class DraftPage:
    """A query for drafts, not yet asked; or the ids that were given."""

    ids: strawberry.Private[list[strawberry.ID] | None]
    narrowed: strawberry.Private[Narrowed]
    sorting: strawberry.Private[list[tuple[str, bool]]]
    limit: strawberry.Private[int]
    offset: strawberry.Private[int]

    @strawberry.field(
        description="The drafts of this page; for given ids in their order, with null where the viewer may read none. "
        "Null as a whole when the drafts database could not be asked.",
        metadata=requires(loaders=("drafts", "draft_page")),
    )
    async def items(self, info: Info) -> list[Draft | None] | None:
        """One statement."""
        if self.ids is not None:
            found = await asyncio.gather(*(draft_by_id(info, draft_id) for draft_id in self._page_of_ids()))
            return [draft(record) for record in found]
        database, narrowed = info.context.upstreams.retool, await self._readable(info)
        parts = info.context.requirements.of_draft("draft_page")
        records = await database.page(narrowed, self.sorting, limit=self.limit, offset=self.offset, parts=parts)
        return [draft(record) for record in records]

    @strawberry.field(
        description="The number of all matches; for given ids, their number. "
        "Null when the drafts database could not be asked.",
        metadata=requires(),
    )
    async def total_count(self, info: Info) -> int | None:
        """One statement, or none for given ids."""
        if self.ids is not None:
            return len(self.ids)
        return await info.context.upstreams.retool.count(await self._readable(info))

    async def _readable(self, info: Info) -> Narrowed:
        """The filter restricted to what the viewer may read, for pages and counts alike."""
        allowed = await page_reader(info, written_by=self.narrowed.created_by)
        return msgspec.structs.replace(self.narrowed, reader=allowed)

    def _page_of_ids(self) -> list[strawberry.ID]:
        return (self.ids or [])[self.offset : self.offset + self.limit]


async def row_filter(info: Info, narrowed: DraftFilter | None) -> Narrowed:
    """The database's filter. The engine is asked only for the time of publication, which rows do not have."""
    if narrowed is None:
        return Narrowed()
    timed = between(narrowed.publish_after, narrowed.publish_before)
    return Narrowed(
        statuses=tuple(str(status.value) for status in narrowed.status) if narrowed.status is not None else None,
        created_by=checked_text(narrowed.created_by, "createdBy"),
        name_contains=checked_text(narrowed.name_contains, "nameContains"),
        aidbox_id=checked_text(narrowed.aidbox_id, "aidboxId"),
        processes=await to_be_published(info, timed, "publishBefore") if timed else None,
    )


def row_sorting(sort: Sequence[DraftSort] | None) -> list[tuple[str, bool]]:
    """The database's sort keys; by default the last changed first."""
    keys = checked_sort(sort) or [DraftSort(by=DraftSortKey.UPDATED_AT, descending=True)]
    return [(str(key.by.value), key.descending) for key in keys]
