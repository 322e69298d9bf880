"""What the three systems say now of a page of old rows, asked for all rows together."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from api.errors import UpstreamFailed
from api.upstreams import Upstreams
from api.upstreams.camunda.authorizations import READ_HISTORY, READ_INSTANCES, demand, hidden
from api.upstreams.camunda.client import PAGE, Camunda
from api.upstreams.camunda.confirmed_history import known_processes
from api.upstreams.camunda.process_variables import LINK_VARIABLES, NO_VARIABLES, ProcessVariables
from api.upstreams.camunda.records import ProcessInstance, plausible
from api.upstreams.retool.records import Draft, Parts
from migration.old_table import OldRow

REVISION_ONLY = Parts(plan=False, revision=True)

Version = tuple[str, str]
"""A plan's id and a version's."""


class _Counted(msgspec.Struct, frozen=True):
    count: int


@dataclass(frozen=True)
class Facts:
    """Drafts by the id the old row has, processes and their variables by id, and what else is known.

    `running`: draft id → processes that run with it as business key, for drafts whose old row names no process that
    the engine has. `versions`: whether the store has the base version of an old row; absent: it could not be asked.
    """

    drafts: Mapping[str, Draft] = field(default_factory=dict)
    processes: Mapping[str, ProcessInstance] = field(default_factory=dict)
    variables: Mapping[str, ProcessVariables] = field(default_factory=dict)
    running: Mapping[str, Sequence[str]] = field(default_factory=dict)
    versions: Mapping[Version, bool] = field(default_factory=dict)

    def draft(self, draft_id: str | None) -> Draft | None:
        """The draft of an old row."""
        return self.drafts.get(draft_id or "")

    def process(self, process_id: str | None) -> ProcessInstance | None:
        """A process that the engine has, running or ended."""
        return self.processes.get(process_id or "")

    def values(self, process_id: str | None) -> ProcessVariables:
        """The variables of a process."""
        return self.variables.get(process_id or "", NO_VARIABLES)


async def facts_of(upstreams: Upstreams, rows: Sequence[OldRow]) -> Facts:
    """The facts about these rows: a statement and at most ten requests, however many they are.

    Raises UpstreamFailed; what a permission hides is Denied, never absent.
    """
    camunda = upstreams.camunda
    drafts = await upstreams.retool.drafts_by_id(_some(row.draft_id for row in rows), parts=REVISION_ONLY)
    named = [id_ for row in rows for id_ in (row.process_id, row.previous_process_id)]
    asked = plausible(_some([*named, *(draft.camunda_process_id for draft in drafts.values())]))
    processes = await known_processes(camunda, asked) if asked else {}
    running = await _running(camunda, _without_process(rows, drafts, processes))
    processes = {**processes, **running}
    variables, keyed = await asyncio.gather(
        _variables(camunda, processes), _drafts_of_keys(upstreams, drafts, processes)
    )
    by_draft: dict[str, list[str]] = {}
    for process in sorted(running.values(), key=lambda each: each.start_time):
        by_draft.setdefault(process.business_key or "", []).append(process.id)
    versions = await _versions(upstreams, rows, drafts, processes, variables)
    known = {**keyed, **{draft.id: draft for draft in drafts.values()}, **drafts}
    return Facts(known, processes, variables, by_draft, versions)


def _without_process(
    rows: Sequence[OldRow], drafts: Mapping[str, Draft], processes: Mapping[str, ProcessInstance]
) -> list[str]:
    """Drafts for which a running process is looked for, since their row names none that the engine has."""
    searched = [drafts.get(row.draft_id or "") for row in rows if _is_searched(row, processes)]
    return _some(draft.id for draft in searched if draft)


def _is_searched(row: OldRow, processes: Mapping[str, ProcessInstance]) -> bool:
    return row.is_newest and row.process_id not in processes


async def _running(camunda: Camunda, draft_ids: Sequence[str]) -> dict[str, ProcessInstance]:
    """Processes of our model that run with one of these business keys. Raises Denied."""
    if not draft_ids:
        return {}
    query = {**camunda.own.of_our_keys, "processInstanceBusinessKeyIn": list(draft_ids), "unfinished": True}
    answer = await camunda.engine.call(
        "POST", "/history/process-instance", body=query, params={"maxResults": PAGE}, idempotent=True
    )
    found = camunda.engine.decode(answer, list[ProcessInstance])
    if not found:
        await demand(camunda, READ_HISTORY)
    return {process.id: process for process in found}


async def _variables(camunda: Camunda, processes: Mapping[str, ProcessInstance]) -> dict[str, ProcessVariables]:
    """The variables by process. Raises Denied where a running process has some that the history does not show.

    Older processes may have none of ours, so an empty answer is possible; it is compared with the running processes.
    """
    found = await camunda.variables_by_process(list(processes))
    silent = [each.id for each in processes.values() if each.is_active and each.id not in found]
    if silent:
        await demand(camunda, READ_HISTORY, READ_INSTANCES)
        counts = await asyncio.gather(*(_count(camunda, silent, name) for name in LINK_VARIABLES))
        if any(counts):
            raise hidden()
    return found


async def _count(camunda: Camunda, process_ids: Sequence[str], name: str) -> int:
    """The number of these running processes that have a variable of this name."""
    body = {"processInstanceIdIn": list(process_ids), "variableName": name}
    answer = await camunda.engine.call("POST", "/variable-instance/count", body=body, idempotent=True)
    return camunda.engine.decode(answer, _Counted).count


async def _drafts_of_keys(
    upstreams: Upstreams, drafts: Mapping[str, Draft], processes: Mapping[str, ProcessInstance]
) -> dict[str, Draft]:
    """Drafts that business keys name and no row of this page: a process of theirs is another draft's."""
    known = {draft.id for draft in drafts.values()}
    keys = _some(each.business_key for each in processes.values() if each.business_key not in known)
    return await upstreams.retool.drafts_by_id(keys, parts=REVISION_ONLY)


async def _versions(
    upstreams: Upstreams,
    rows: Sequence[OldRow],
    drafts: Mapping[str, Draft],
    processes: Mapping[str, ProcessInstance],
    variables: Mapping[str, ProcessVariables],
) -> dict[Version, bool]:
    """Whether the store has the base versions that running processes lack and their old rows have."""
    asked: set[Version] = set()
    for row in rows:
        draft, process = drafts.get(row.draft_id or ""), processes.get(row.process_id or "")
        values = variables.get(row.process_id or "", NO_VARIABLES)
        plan_id = values.aidbox_plan_id or (draft.aidbox_id if draft else None)
        is_missing = process.is_active and values.base_version is None if process else not row.is_over
        if plan_id and row.base_version and is_missing and row.is_newest:
            asked.add((plan_id, row.base_version))
    if not asked:
        return {}
    found = await upstreams.aidbox.versions_by_key(sorted(asked), with_document=False)
    return {key: key in found for key in asked if not isinstance(found.get(key), UpstreamFailed)}


def _some(texts: Iterable[str | None]) -> list[str]:
    """Those that are there, once each, in their order."""
    return list(dict.fromkeys(text for text in texts if text))
