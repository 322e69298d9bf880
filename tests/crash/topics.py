"""What waits for a worker, and how it came to wait past the API: for test_topics.py."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tests.crash.scenarios import World
from tests.serving import AUTHOR
from tests.stories.behind import edited
from tests.verbs import submitted

REPORTS = tuple(f"camunda POST /external-task/{{id}}/{report}" for report in ("complete", "bpmnError", "failure"))
FETCH = "camunda POST /external-task/fetchAndLock"


@dataclass(frozen=True)
class Topic:
    """`prepare` makes a draft and tells its id and its plan's.

    `end`: status of the row, ends of its process, and the number of versions, once all is done.
    """

    prepare: Callable[[World], tuple[str, str]]
    end: tuple[str, list[str], int]


def _started_by_hand(world: World) -> tuple[str, str]:
    """An edit, of which the process knows nothing but the draft."""
    plan_id, _ = world.behind.stored_plan()
    draft_id = world.behind.drafts.new(plan=edited(name="Edited"), aidbox_id=plan_id)
    world.behind.start(draft_id, business_key=draft_id)
    return draft_id, plan_id


def _outrun(world: World) -> tuple[str, str]:
    """A second process of a draft that is in approval."""
    draft_id = world.behind.drafts.new()
    submitted(world.api, draft_id, AUTHOR)
    world.behind.start(draft_id, business_key=draft_id)
    return draft_id, draft_id


def _completed(world: World, draft_id: str, *, approved: bool) -> None:
    """Submitted, and decided in the engine's own Tasklist."""
    submitted(world.api, draft_id, AUTHOR)
    (task,) = world.behind.tasks(draft_id)
    world.behind.complete(task["id"], approved=approved)


def _new_plan(world: World) -> tuple[str, str]:
    draft_id = world.behind.drafts.new()
    _completed(world, draft_id, approved=True)
    return draft_id, draft_id


def _edit(world: World) -> tuple[str, str]:
    plan_id, _ = world.behind.stored_plan()
    draft_id = world.behind.drafts.new(plan=edited(name="Edited"), aidbox_id=plan_id)
    _completed(world, draft_id, approved=True)
    return draft_id, plan_id


def _moved(world: World) -> tuple[str, str]:
    draft_id, plan_id = _edit(world)
    world.behind.put(plan_id, name="Outside")
    return draft_id, plan_id


def _unfit(world: World) -> tuple[str, str]:
    """The store does not have what the plan refers to."""
    draft_id = world.behind.drafts.new(plan=edited(ownedBy={"reference": f"Organization/{NOBODY}"}))
    _completed(world, draft_id, approved=True)
    return draft_id, draft_id


def _rejected(world: World) -> tuple[str, str]:
    draft_id = world.behind.drafts.new()
    _completed(world, draft_id, approved=False)
    return draft_id, draft_id


NOBODY = uuid.UUID(int=0)
TOPICS: Mapping[str, Topic] = {
    "register, started by hand": Topic(_started_by_hand, ("submitted", [], 1)),
    "register, another was faster": Topic(_outrun, ("submitted", ["superseded"], 0)),
    "publish a new plan": Topic(_new_plan, ("approved", ["approved"], 1)),
    "publish an edit": Topic(_edit, ("approved", ["approved"], 2)),
    "publish what has moved": Topic(_moved, ("conflict", ["conflict"], 2)),
    "publish what the store refuses": Topic(_unfit, ("submitted", [], 0)),
    "record an outcome": Topic(_rejected, ("rejected", ["rejected"], 0)),
}
