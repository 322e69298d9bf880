"""The root type Query. Reads go straight through loaders to the upstreams; coordination has no part in them."""

from contextlib import nullcontext
from datetime import datetime
from typing import Annotated

import strawberry

from api.coordination.audit_log import audited
from api.coordination.publication_time import EARLIEST
from api.coordination.rules.permissions import acting_viewer
from api.errors import Refused, UserErrorCode
from api.schema.approval_status import ApprovalStatus, approval_statuses_of
from api.schema.arguments import checked_limit, checked_offset, demand_few
from api.schema.draft import Draft, draft
from api.schema.info import Info
from api.schema.lists import (
    MOST_TIMED,
    DraftFilter,
    DraftPage,
    DraftSort,
    TaskFilter,
    TaskPage,
    TaskSort,
    between,
    engine_query,
    engine_sorting,
    row_filter,
    row_sorting,
    to_be_published,
)
from api.schema.person import Person, viewer_as_person
from api.schema.plan_version import PlanVersion, plan_version
from api.schema.read_access import draft_by_id
from api.schema.requires import requires
from api.schema.task import Task, task_by_id
from api.schema.task_counts import TaskCount, task_counts_of
from api.upstreams.camunda.process_variables import condition, names
from api.upstreams.camunda.records import concerns
from api.upstreams.retool.records import GIVEN_ORDER
from api.upstreams.retool.records import DraftFilter as Narrowed

Limit = Annotated[int, strawberry.argument(description="The most items to return, 0 to 1000.")]
Offset = Annotated[int, strawberry.argument(description="The number of items to skip.")]
DraftId = Annotated[strawberry.ID, strawberry.argument(description="Retool's id of the draft.")]


@strawberry.type(description="All queries.")
class Query:
    """One field a question."""

    @strawberry.field(description="The person the request acts for.", metadata=requires())
    def viewer(self, info: Info) -> Person:
        """From the request alone."""
        return viewer_as_person(info.context.viewer)

    @strawberry.field(
        description="Open tasks of one person: assigned to them, or claimable by one of their groups. "
        "Defaults to the viewer; for others only tasks assigned to them.",
        metadata=requires(),
    )
    async def pending_tasks(
        self,
        info: Info,
        user_id: Annotated[
            strawberry.ID | None, strawberry.argument(description="Another person, for callers who may act for others.")
        ] = None,
        filter: Annotated[  # noqa: A002  # the schema's word
            TaskFilter | None, strawberry.argument(description="Filters the list.")
        ] = None,
        sort: Annotated[list[TaskSort] | None, strawberry.argument(description="By default oldest first.")] = None,
        limit: Limit = 50,
        offset: Offset = 0,
    ) -> TaskPage | None:
        """Filtered, sorted and paged by the engine."""
        viewer = info.context.viewer
        with audited(viewer, info.field_name, user_id=user_id) if user_id else nullcontext():
            person = acting_viewer(viewer, user_id)
        groups = viewer.groups if person.id == viewer.id else frozenset[str]()
        page = checked_limit(limit), checked_offset(offset)
        theirs: dict[str, object] = {"orQueries": [concerns(person.id, groups)]}
        return TaskPage(
            is_viewers=person.id == viewer.id,
            query=await engine_query(info, filter, theirs),
            sorting=engine_sorting(sort),
            limit=page[0],
            offset=page[1],
        )

    @strawberry.field(
        description="How many tasks of the viewer's inbox wait at each step. Null when the engine could not be asked.",
        metadata=requires(),
    )
    async def task_counts(self, info: Info) -> list[TaskCount] | None:
        """The tasks that `pendingTasks` lists without a filter."""
        return await task_counts_of(info)

    @strawberry.field(
        description="One task, open or already completed. Null when there is none that the viewer may see.",
        metadata=requires(variables=names("submitted_by", "draft_id")),
    )
    async def task(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="The engine's id.")],  # noqa: A002  # the schema's word
    ) -> Task | None:
        """The open task, else the history's."""
        demand_few(info.context, tasks=1, field="id")
        return await task_by_id(info, id)

    @strawberry.field(
        description="One draft. Null when there is none that the viewer may read.",
        metadata=requires(loaders=("drafts",)),
    )
    async def draft(self, info: Info, id: DraftId) -> Draft | None:  # noqa: A002  # the schema's word
        """Through the loader, so that several aliases are one statement."""
        return draft(await draft_by_id(info, id))

    @strawberry.field(
        description="Drafts that the viewer may read: these ids in this order (null where there is none), or a "
        "filtered page. The page has drafts the viewer wrote, drafts without author that were never submitted and, by "
        "the last submission of each, drafts they submitted, have a task for, or had one; those they may read for "
        "other reasons, an earlier submission for example, are found by id. For auditors and administrators the page "
        "has all drafts.",
        metadata=requires(),
    )
    async def drafts(
        self,
        info: Info,
        ids: Annotated[
            list[strawberry.ID] | None,
            strawberry.argument(description="Only these; filter and sort are then ignored."),
        ] = None,
        filter: Annotated[  # noqa: A002  # the schema's word
            DraftFilter | None, strawberry.argument(description="Filters the list.")
        ] = None,
        sort: Annotated[
            list[DraftSort] | None, strawberry.argument(description="By default last changed first.")
        ] = None,
        limit: Limit = 50,
        offset: Offset = 0,
    ) -> DraftPage | None:
        """Filtered, sorted and paged by the database."""
        return DraftPage(
            ids=ids,
            narrowed=await row_filter(info, filter),
            sorting=row_sorting(sort),
            limit=checked_limit(limit),
            offset=checked_offset(offset),
        )

    @strawberry.field(
        description="What goes live when: drafts that are approved and wait for their time, the first first, as far as "
        "the viewer may read them in `drafts`. One whose time has come is there until it is published; one whose "
        f"publication has failed stays. Refused (INVALID) where there are more than {MOST_TIMED}.",
        metadata=requires(),
    )
    async def scheduled_publications(
        self,
        info: Info,
        after: Annotated[
            datetime | None, strawberry.argument(name="from", description="To be published then or later.")
        ] = None,
        before: Annotated[
            datetime | None, strawberry.argument(name="to", description="To be published before that.")
        ] = None,
        limit: Limit = 50,
        offset: Offset = 0,
    ) -> DraftPage | None:
        """Found by the engine, read from the database."""
        page = checked_limit(limit), checked_offset(offset)
        timed = between(after or EARLIEST, before, bounds=("gteq", "lt"))
        found = await to_be_published(info, [condition("approved", value=True), *timed], "from")
        narrowed = Narrowed(processes=found)
        return DraftPage(ids=None, narrowed=narrowed, sorting=[(GIVEN_ORDER, False)], limit=page[0], offset=page[1])

    @strawberry.field(
        description="One plan of the store: the given version, or the one that was current at an instant, else the "
        "latest.",
        metadata=requires(loaders=("plans", "plan_versions", "plans_at")),
    )
    async def plan(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="The plan's id in the store.")],  # noqa: A002  # the schema's word
        version_id: Annotated[strawberry.ID | None, strawberry.argument(description="One of its versions.")] = None,
        as_of: Annotated[
            datetime | None,
            strawberry.argument(description="Instead of versionId: an instant. Null before the plan's first version."),
        ] = None,
    ) -> PlanVersion | None:
        """Null when the store has none, or not this version, or had none then."""
        if version_id is not None and as_of is not None:
            raise Refused(UserErrorCode.INVALID, "Give versionId or asOf, not both.", field="asOf")
        loaders = info.context.loaders
        if version_id is not None:
            found = await loaders.plan_versions.load((id, version_id))
        elif as_of is not None:
            found = await loaders.plans_at.load((id, as_of))
        else:
            found = await loaders.plans.load(id)
        return plan_version(found) if found else None

    @strawberry.field(
        description="The state of a draft's approval, read live from the engine. Null when there is no such draft "
        "that the viewer may read.",
        metadata=requires(loaders=("approvals",)),
    )
    async def approval_status(self, info: Info, draft_id: DraftId) -> ApprovalStatus | None:
        """Null when there is no such draft that the viewer may read."""
        record = await draft_by_id(info, draft_id)
        return (await approval_statuses_of(info, [record]))[0] if record else None
