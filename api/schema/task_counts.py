"""The type TaskCount: how many tasks of an inbox wait at each step, and with whom."""

from collections.abc import Sequence
from datetime import UTC, datetime

import strawberry

from api.errors import Refused, UserErrorCode
from api.schema.info import Info
from api.upstreams.camunda.authorizations import READ_TASKS, demand
from api.upstreams.camunda.records import Task, concerns
from authentication.identity import Viewer, same_person

MOST_COUNTED = 10_000


@strawberry.type(description="How many open tasks of the viewer's inbox wait at one step.")
class TaskCount:
    """Each task counts in one of `unassigned`, `mine` and `others`."""

    step: str = strawberry.field(description="The step's key in the process model.")
    unassigned: int = strawberry.field(description="Claimed by nobody.")
    mine: int = strawberry.field(description="Claimed by the viewer.")
    others: int = strawberry.field(description="Claimed by somebody else in the viewer's groups.")
    overdue: int = strawberry.field(description="Of all these, those whose due date has passed.")


async def task_counts_of(info: Info) -> list[TaskCount]:
    """The counts by step, in alphabetical order: one request, and one more where there are none."""
    viewer, engine = info.context.viewer, info.context.upstreams.camunda
    query: dict[str, object] = {"orQueries": [concerns(viewer.id, viewer.groups)]}
    tasks = await engine.tasks(query, limit=MOST_COUNTED + 1)
    if not tasks:
        await demand(engine, READ_TASKS)
    if len(tasks) > MOST_COUNTED:
        raise Refused(
            UserErrorCode.INVALID, f"More than {MOST_COUNTED} tasks wait; count by pendingTasks and a filter."
        )
    steps = sorted({task.task_definition_key for task in tasks})
    return [_count(viewer, step, [task for task in tasks if task.task_definition_key == step]) for step in steps]


def _count(viewer: Viewer, step: str, tasks: Sequence[Task]) -> TaskCount:
    unassigned = sum(task.assignee is None for task in tasks)
    mine = sum(same_person(task.assignee, viewer.id) for task in tasks)
    now = datetime.now(UTC)
    return TaskCount(
        step=step,
        unassigned=unassigned,
        mine=mine,
        others=len(tasks) - unassigned - mine,
        overdue=sum(task.due is not None and task.due < now for task in tasks),
    )
