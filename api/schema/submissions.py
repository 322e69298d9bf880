"""The submissions of a draft, read for the fields that tell of all of them."""

import asyncio
from dataclasses import dataclass
from typing import Any

from api.schema.info import Info
from api.upstreams.approval_records import ApprovalRecord
from api.upstreams.camunda.process_variables import NO_VARIABLES, ProcessVariables
from api.upstreams.camunda.records import ProcessInstance
from api.upstreams.retool.records import Draft
from columnar.batch_loader import Loader


@dataclass(frozen=True)
class Submissions:
    """The processes that name a draft, newest first, and their variables. `own`: the ids of its submissions.

    `recorded`: those that the engine no longer has, as the store has them on record, newest first.
    """

    processes: list[ProcessInstance]
    variables: dict[str, ProcessVariables]
    own: frozenset[str]
    recorded: list[ApprovalRecord]


async def submissions_of(
    info: Info, draft: Draft, *loaders: Loader[str, Any]
) -> tuple[Submissions, list[list[Any | None]]]:
    """The submissions of a draft, and what further loaders find of each process, read with their variables."""
    processes = await info.context.loaders.processes_by_draft.load(draft.id) or []
    ids = [process.id for process in processes]
    found = await asyncio.gather(*(each.load_many(ids) for each in (info.context.loaders.variables, *loaders)))
    variables = {process_id: values or NO_VARIABLES for process_id, values in zip(ids, found[0], strict=True)}
    own = info.context.upstreams.camunda.own.submissions(draft.id, draft.camunda_process_id, variables)
    is_cut = (variables[own[-1]].previous_process_id if own else draft.camunda_process_id) is not None
    records = await info.context.loaders.records_by_draft.load(draft.id) or [] if is_cut else []
    recorded = [record for record in records if record.process.id not in own]
    return Submissions(processes, variables, frozenset(own), recorded), found[1:]
