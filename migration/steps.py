"""The steps of the import, carried out for a page of rows together. Each may be repeated.

1. Variables that a running process lacks are set. Crash after: the row is adopted by a repeat.
2. The process is noted on the draft, if the draft is still as it was read: the process names the draft by then, so
   that link holds for everybody. Crash after: an ended process is carried to its end by a repeat, or by the worker.
3. The end of an ended process is recorded on the draft, as reconciliation does it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

import psycopg
from psycopg import sql

from api.coordination.policy import Policy
from api.coordination.process.reconcile import finish_approval
from api.draft_status import SUBMITTED
from api.errors import Gone, ServiceError, Unreachable, UpstreamFailed, incident_text
from api.upstreams import Upstreams
from api.upstreams.camunda.client import Camunda, words_of
from api.upstreams.camunda.process_variables import Variables, typed
from api.upstreams.retool.client import Retool
from migration.facts import Facts
from migration.verdicts import Step
from resilience.postgres.sqlstate import detail_of

SIDE_BY_SIDE = 8  # writes to the engine
FINISHED_AT_ONCE = 4  # publications
READ_WHOLE = 50  # drafts with their plans

Steps = Mapping[int, Step]
Failures = dict[int, str]
"""The number of a row → why its step could not be carried out."""


async def carry_out(upstreams: Upstreams, policy: Policy, steps: Steps, facts: Facts) -> Failures:
    """Carry out the steps of a page; those that failed. Raises UpstreamFailed when the drafts can not be reached."""
    failures = await _each(
        {number: step for number, step in steps.items() if step.variables},
        lambda step: set_variables(upstreams.camunda, step.process.id, step.variables),
        at_once=SIDE_BY_SIDE,
    )
    failures |= await _link(
        upstreams.retool, {number: step for number, step in steps.items() if step.links and number not in failures}
    )
    ended = [number for number, step in steps.items() if step.finishes and number not in failures]
    for start in range(0, len(ended), READ_WHOLE):
        part = {number: steps[number] for number in ended[start : start + READ_WHOLE]}
        failures |= await _finish(upstreams, policy, part, facts)
    return failures


async def _each(steps: Steps, act: Callable[[Step], Awaitable[None]], *, at_once: int) -> Failures:
    failures: Failures = {}
    slots = asyncio.Semaphore(at_once)

    async def acted(number: int, step: Step) -> None:
        async with slots:
            try:
                await act(step)
            except UpstreamFailed as failure:
                failures[number] = f"{incident_text(failure)}; repeat this"
            except ServiceError as failure:
                failures[number] = str(failure)

    await asyncio.gather(*(acted(number, step) for number, step in steps.items()))
    return failures


async def set_variables(camunda: Camunda, process_id: str, variables: Variables) -> None:
    """Set variables of a running process, all in one request. Raises Gone when it does not run (any longer)."""
    path, body = f"/process-instance/{process_id}/variables", {"modifications": typed(variables)}
    answer = await camunda.engine.call("POST", path, answers=(204, 400, 404, 500), body=body, idempotent=True)
    if answer.status_code != 204:
        raise Gone("camunda", words_of(answer), status=answer.status_code)


async def _link(retool: Retool, steps: Steps) -> Failures:
    """Note processes on drafts that are as they were read. The row's own instant of change stays.

    It tells whether the draft was edited since its submission. One row that the table refuses undoes the whole
    statement, so the rows are then tried by halves.
    """
    if not steps:
        return {}
    try:
        async with retool.connections.connection() as connection, connection.transaction():
            for submits in (True, False):
                values = [_values(step) for step in steps.values() if step.submits is submits]
                if values:
                    await connection.cursor().executemany(_noting(retool, submits=submits), values)
    except psycopg.OperationalError as error:
        raise Unreachable("retool", "The drafts database can not be reached; repeat the import") from error
    except psycopg.Error as error:
        if len(steps) == 1:
            return dict.fromkeys(steps, f"the drafts table refuses it ({detail_of(error)}): run plan-api check")
        numbers = sorted(steps)
        halves = numbers[: len(numbers) // 2], numbers[len(numbers) // 2 :]
        parts = [await _link(retool, {number: steps[number] for number in half}) for half in halves]
        return parts[0] | parts[1]
    return {}


def _noting(retool: Retool, *, submits: bool) -> sql.Composed:
    marked = sql.SQL(", {status} = {submitted}") if submits else sql.SQL("")
    return sql.SQL(
        "UPDATE {table} SET {process} = %s{marked} WHERE {id} = %s"
        " AND {named} IS NOT DISTINCT FROM %s AND {is_status} = %s"
    ).format(
        table=retool.sql.table,
        process=retool.sql.name("camunda_process_id"),
        marked=marked.format(status=retool.sql.name("status"), submitted=retool.sql.written(SUBMITTED)),
        id=retool.sql.name("id"),
        named=retool.sql.text("camunda_process_id"),
        is_status=retool.sql.status(),
    )


def _values(step: Step) -> Sequence[object]:
    return [step.process.id, step.draft.id, step.draft.camunda_process_id, step.draft.status]


async def _finish(upstreams: Upstreams, policy: Policy, steps: Steps, facts: Facts) -> Failures:
    drafts = await upstreams.retool.drafts_by_id([step.draft.id for step in steps.values()])

    async def finish(step: Step) -> None:
        draft = drafts.get(step.draft.id)
        if draft is None or not draft.is_submitted or draft.camunda_process_id != step.process.id:
            return
        await finish_approval(upstreams, policy, draft, step.process, facts.values(step.process.id))

    return await _each(steps, finish, at_once=FINISHED_AT_ONCE)
