"""Batching: within one request, everything asked of an upstream at the same moment is asked once. One line a loader.

Made by `context` for each request (a loader belongs to its event loop) and made anew after every write. Resolvers use
them; coordination never does. A batch that fails fails for all who asked, and was logged once by the upstream.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, fields
from functools import partial
from typing import TypeVar

from api.batching import Loader
from api.identity import Viewer
from api.needs import RESOURCE, Needs
from api.upstreams import Upstreams
from api.upstreams.camunda import ExternalTask, ProcessInstance, Scalar, Task
from api.upstreams.involvement import Submitted, concerning, involved
from api.upstreams.plan_version import PlanKey, PlanVersion
from api.upstreams.retool import Draft

Key = TypeVar("Key")
Value = TypeVar("Value")
Variables = dict[str, Scalar]

LARGEST_BATCH = 5000


def by_key(fetch: Callable[[Sequence[Key]], Awaitable[dict[Key, Value]]]) -> Loader[Key, Value]:
    """A loader over a `…_by_…` function of an upstream; what that does not find is None."""
    return Loader(fetch, largest=LARGEST_BATCH)


@dataclass(frozen=True)
class Loaders:
    """What a request can load, named after what comes back and, where it is not its own id, by what it is found."""

    drafts: Loader[str, Draft]
    drafts_by_process: Loader[str, Draft]
    drafts_by_plan: Loader[str, Draft]
    tasks: Loader[str, Task]
    processes: Loader[str, ProcessInstance]
    processes_by_draft: Loader[str, list[ProcessInstance]]
    variables: Loader[str, Variables]
    draft_ids: Loader[str, Variables]
    decisions: Loader[str, Variables]
    open_tasks: Loader[str, list[Task]]
    waiting: Loader[str, list[ExternalTask]]
    candidate_groups: Loader[str, dict[str, list[str]]]
    decidable: Loader[str, bool]
    involved: Loader[Submitted, bool]
    concerning: Loader[str, list[str]]
    plans: Loader[str, PlanVersion]
    plan_versions: Loader[PlanKey, PlanVersion]
    plan_histories: Loader[tuple[str, int], list[PlanVersion]]

    def abandon(self) -> None:
        """End what is being asked: nobody waits for it any longer."""
        for each in fields(self):
            getattr(self, each.name).abandon()


def make_loaders(upstreams: Upstreams, viewer: Viewer, needs: Needs) -> Loaders:
    """Loaders with nothing in them, that ask for what is needed. To be called where the event loop runs."""
    retool, camunda, aidbox = upstreams.retool, upstreams.camunda, upstreams.aidbox

    async def decidable(task_ids: Sequence[str]) -> dict[str, bool]:
        concerned = await camunda.claimable(task_ids, viewer.id, viewer.groups)
        return {task_id: task_id in concerned for task_id in task_ids}

    async def involvement(drafts: Sequence[Submitted]) -> dict[Submitted, bool]:
        return await involved(camunda, drafts, viewer.id, viewer.groups)

    async def concern(_own: Sequence[str]) -> dict[str, list[str]]:
        return {viewer.id: await concerning(camunda, viewer.id, viewer.groups)}

    return Loaders(
        drafts=by_key(partial(retool.drafts_by_id, parts=needs.of_draft("drafts"))),
        drafts_by_process=by_key(partial(retool.drafts_by_process, parts=needs.of_draft("drafts_by_process"))),
        drafts_by_plan=by_key(partial(retool.drafts_by_plan, parts=needs.of_draft("drafts_by_plan"))),
        tasks=by_key(camunda.tasks_by_id),
        processes=by_key(camunda.processes_by_id),
        processes_by_draft=by_key(camunda.processes_by_draft),
        variables=by_key(partial(camunda.variables_by_process, names=needs.names)),
        draft_ids=by_key(partial(camunda.variables_by_process, names=["draftId"])),
        decisions=by_key(camunda.decisions_by_process),
        open_tasks=by_key(camunda.open_tasks_by_process),
        waiting=by_key(camunda.external_tasks_by_process),
        candidate_groups=by_key(camunda.candidate_groups_by_definition),
        decidable=by_key(decidable),
        involved=by_key(involvement),
        concerning=by_key(concern),
        plans=by_key(partial(aidbox.plans_by_id, whole=needs.has("plans", RESOURCE))),
        plan_versions=by_key(partial(aidbox.versions_by_key, whole=needs.has("plan_versions", RESOURCE))),
        plan_histories=by_key(partial(aidbox.histories_by_key, whole=needs.has("plan_histories", RESOURCE))),
    )
