"""Loaders: within one request, concurrent loads of one kind become one batch to an upstream. One line a loader.

They are made for each request and again after every write. Resolvers use them; coordination reads afresh. A failed
batch fails for every load in it, and is logged once by the upstream.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property, partial
from operator import attrgetter
from typing import TypeVar

from api.errors import UpstreamFailed
from api.requirements import RESOURCE, Requirements
from api.upstreams import Upstreams
from api.upstreams.aidbox.client import Aidbox
from api.upstreams.approval_records import ApprovalRecord, involved_or_recorded, records_by_draft, records_by_process
from api.upstreams.camunda.authorizations import READ_HISTORY, READ_TASKS, demand
from api.upstreams.camunda.candidates import candidate_groups
from api.upstreams.camunda.client import Camunda
from api.upstreams.camunda.confirmed_history import (
    known_processes,
    known_submissions,
    known_variables,
    tasks_by_id,
)
from api.upstreams.camunda.involvement import NO_PROCESS, Submitted, concerning
from authentication.identity import Viewer
from columnar.batch_loader import Loader

Key = TypeVar("Key")
Value = TypeVar("Value")

LARGEST_BATCH = 5000


def by_key(
    question: Callable[["Loaders"], Callable[[Sequence[Key]], Awaitable[Mapping[Key, Value | Exception]]]],
) -> "cached_property[Loader[Key, Value]]":
    """A loader over a `…_by_…` function of an upstream, made on first use; what is not found is None."""
    return cached_property(lambda loaders: Loader(question(loaders), largest=LARGEST_BATCH))


def of_processes(
    question: Callable[["Loaders"], Callable[[Sequence[str]], Awaitable[Mapping[str, Value]]]],
    recorded: Callable[[ApprovalRecord], Value],
) -> "cached_property[Loader[str, Value]]":
    """A loader over what the engine knows of processes, or the store's records of those that it has forgotten.

    A store that cannot be asked for these takes nothing away that the engine tells.
    """

    def made(own: "Loaders") -> Callable[[Sequence[str]], Awaitable[Mapping[str, Value | Exception]]]:
        ask, records = question(own), own.records

        async def record(process_id: str) -> ApprovalRecord | None:
            with suppress(UpstreamFailed):
                return await records.load(process_id)
            return None

        async def found(process_ids: Sequence[str]) -> Mapping[str, Value | Exception]:
            known = await ask(process_ids)
            forgotten = [each for each in process_ids if each not in known and each != NO_PROCESS]
            on_record = zip(forgotten, await asyncio.gather(*map(record, forgotten)), strict=True)
            return {**known, **{process_id: recorded(each) for process_id, each in on_record if each}}

        return found

    return by_key(made)


class Loaders:
    """The loaders of one request, named after what they return and, where that is not its id, the key.

    No loader refers to this object, so that memory is released with the request, without the garbage collector.
    """

    def __init__(self, upstreams: Upstreams, viewer: Viewer, requirements: Requirements) -> None:
        self.retool, self.camunda, self.aidbox = upstreams.retool, upstreams.camunda, upstreams.aidbox
        self.viewer = viewer
        self.requirements = requirements

    drafts = by_key(lambda own: partial(own.retool.drafts_by_id, parts=own.requirements.of_draft("drafts")))
    drafts_by_plan = by_key(
        lambda own: partial(own.retool.drafts_by_plan, parts=own.requirements.of_draft("drafts_by_plan"))
    )
    tasks = by_key(lambda own: partial(tasks_by_id, own.camunda))
    records = by_key(lambda own: partial(records_by_process, own.aidbox, own.camunda.own.draft_source))
    processes = of_processes(lambda own: partial(known_processes, own.camunda), attrgetter("process"))
    processes_by_draft = by_key(lambda own: partial(known_submissions, own.camunda))
    variables = of_processes(
        lambda own: partial(known_variables, own.camunda, names=own.requirements.names), attrgetter("values")
    )
    decisions = by_key(lambda own: own.camunda.decisions_by_process)
    comments = by_key(lambda own: own.camunda.comments_by_process)
    moves = by_key(lambda own: own.camunda.moves_by_process)
    open_tasks = by_key(lambda own: own.camunda.open_tasks_by_process)
    timers = by_key(lambda own: own.camunda.timers_by_process)
    waiting = by_key(lambda own: own.camunda.external_tasks_by_process)
    candidate_groups = by_key(lambda own: partial(candidate_groups, own.camunda, own.viewer.groups))
    decidable = by_key(lambda own: partial(_decidable, own.camunda, own.viewer))
    tasks_are_shown = by_key(lambda own: partial(_tasks_are_shown, own.camunda))
    involved = by_key(lambda own: partial(_involved, own.aidbox, own.camunda, own.viewer))
    records_by_draft = by_key(lambda own: partial(records_by_draft, own.aidbox, own.camunda.own.draft_source))
    concerning = by_key(lambda own: partial(_concerning, own.camunda, own.viewer))
    plans = by_key(lambda own: partial(own.aidbox.plans_by_id, with_document=own.requirements.has("plans", RESOURCE)))
    plan_versions = by_key(
        lambda own: partial(own.aidbox.versions_by_key, with_document=own.requirements.has("plan_versions", RESOURCE))
    )
    plans_at = by_key(
        lambda own: partial(own.aidbox.versions_at, with_document=own.requirements.has("plans_at", RESOURCE))
    )
    plan_histories = by_key(
        lambda own: partial(own.aidbox.histories_by_key, with_document=own.requirements.has("plan_histories", RESOURCE))
    )

    def abandon(self) -> None:
        """Cancel the batches under way, when nobody waits for them any longer."""
        for made in vars(self).values():
            if isinstance(made, Loader):
                made.abandon()


async def _decidable(camunda: Camunda, viewer: Viewer, task_ids: Sequence[str]) -> dict[str, bool]:
    concerned = await camunda.claimable(task_ids, viewer.id, viewer.groups)
    return {task_id: task_id in concerned for task_id in task_ids}


async def _tasks_are_shown(camunda: Camunda, keys: Sequence[str]) -> dict[str, bool]:
    """True for each key, if the engine permits to read tasks and their history. Raises Denied."""
    await demand(camunda, READ_TASKS, READ_HISTORY)
    return dict.fromkeys(keys, True)


async def _involved(
    aidbox: Aidbox, camunda: Camunda, viewer: Viewer, drafts: Sequence[Submitted]
) -> dict[Submitted, bool]:
    return await involved_or_recorded(aidbox, camunda, drafts, viewer.id, viewer.groups)


async def _concerning(camunda: Camunda, viewer: Viewer, _viewer: Sequence[str]) -> dict[str, list[Submitted]]:
    return {viewer.id: await concerning(camunda, viewer.id, viewer.groups)}
