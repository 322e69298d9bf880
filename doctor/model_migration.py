"""Migration of running approvals to the newest version of their model: by the engine's own migration plan, as a batch.

The engine generates the plan, validates it, and moves each approval in a transaction of its own. Listeners and
input/output mappings do not run. An approval that waits at a step without a counterpart in the newest version is not
moved.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from api.errors import UpstreamFailed
from api.upstreams.camunda.authorizations import MIGRATE, READ_INSTANCES, demand
from api.upstreams.camunda.client import PAGE, Camunda, words_of
from doctor.deployment import Definition
from doctor.versions import Version, running_versions
from process_models.bpmn import parse

POLL = 0.5  # seconds between two looks at a batch
STALLED = 60.0  # seconds without progress, after which nobody waits for a batch any longer


class _Instruction(msgspec.Struct, frozen=True, rename="camel"):
    source_activity_ids: list[str]
    target_activity_ids: list[str]


class _Plan(msgspec.Struct, frozen=True):
    instructions: list[_Instruction]


class _InstructionReport(msgspec.Struct, frozen=True):
    instruction: _Instruction
    failures: list[str]


class _Report(msgspec.Struct, frozen=True, rename="camel"):
    instruction_reports: list[_InstructionReport]


class _Instance(msgspec.Struct, frozen=True, rename="camel"):
    id: str
    business_key: str | None = None


class _Batch(msgspec.Struct, frozen=True, rename="camel"):
    id: str
    batch_job_definition_id: str


class _Statistics(msgspec.Struct, frozen=True, rename="camel"):
    total_jobs: int
    jobs_created: int
    remaining_jobs: int
    failed_jobs: int


class _Job(msgspec.Struct, frozen=True, rename="camel"):
    exception_message: str | None = None


@dataclass(frozen=True)
class Migration:
    """What moving the approvals of an older version would do. `stuck`: which cannot be moved, and the step of each."""

    source: Version
    target: Definition
    plan: Mapping[str, object]
    mapped: Sequence[str]
    unmapped: Sequence[str]
    stuck: Mapping[str, str] = field(default_factory=dict)
    refusals: Sequence[str] = ()

    @property
    def moving(self) -> list[str]:
        """The approvals that can be moved."""
        return [] if self.refusals else [each for each in self.source.process_ids if each not in self.stuck]


@dataclass(frozen=True)
class Moved:
    """What a migration came to: how many approvals it moved, and why each of the others was not."""

    migration: Migration
    count: int
    failures: Mapping[str, str]
    unfinished_batch: str | None = None

    @property
    def is_whole(self) -> bool:
        """Whether none of the old version's approvals was left on it."""
        return not (self.failures or self.unfinished_batch or self.migration.refusals or self.migration.stuck)


async def migrations(camunda: Camunda) -> list[Migration]:
    """A migration for each older version that approvals of ours run on; nothing is changed. Raises UpstreamFailed."""
    await demand(camunda, READ_INSTANCES, MIGRATE)
    found = []
    for key in camunda.own.process_keys:
        versions = await running_versions(camunda, key)
        found += [await _planned(camunda, each, versions[0].definition) for each in versions[1:] if each.process_ids]
    return found


async def migrate(camunda: Camunda, migration: Migration, *, stalled_after: float = STALLED) -> Moved:
    """Move the approvals as a batch, and wait for its end, or until nothing happens any more. Raises UpstreamFailed.

    1 start the batch, 2 wait until it has ended or nothing is left to try, 3 read which are still on the old version,
    and why, 4 delete a batch that has failures: the engine keeps it otherwise. A crash after 1 leaves a batch that the
    engine finishes by itself; a repeat moves what is left.
    """
    if not migration.moving:
        return Moved(migration, 0, {})
    body = {
        "migrationPlan": migration.plan,
        "processInstanceIds": migration.moving,
        "skipCustomListeners": True,
        "skipIoMappings": True,
    }
    response = await camunda.engine.call("POST", "/migration/executeAsync", answers=(200, 400, 403, 500), body=body)
    if response.status_code != 200:
        raise UpstreamFailed("camunda", words_of(response), status=response.status_code)
    batch = camunda.engine.decode(response, _Batch)
    last = await _ended(camunda, batch, stalled_after)
    reasons = await _reasons(camunda, batch) if last and last.failed_jobs else []
    count, left = await _where_they_are(camunda, migration)
    failures = {each: next((why for why in reasons if each in why), "the engine does not say why") for each in left}
    if last is None or last.remaining_jobs == last.failed_jobs:
        if last is not None:
            await _forget(camunda, batch)
        return Moved(migration, count, failures)
    return Moved(migration, count, {}, unfinished_batch=batch.id)


async def run_migrations(camunda: Camunda, *, does_it: bool) -> tuple[list[str], bool]:
    """Migrate, or only say what that would do: a line for each thing, and whether all was moved that should be."""
    planned = await migrations(camunda)
    if not planned:
        return ["nothing to move: all approvals run on the newest version of their model"], True
    if not does_it:
        lines = [line for each in planned for line in described_migration(each)]
        return [*lines, "nothing was moved: `plan-api setup --migrate --yes` does it"], True
    moved = [await migrate(camunda, each) for each in planned]
    is_whole = all(each.is_whole for each in moved)
    return [line for each in moved for line in described_outcome(each)], is_whole


def described_migration(migration: Migration) -> list[str]:
    """What a migration would do, a line for each thing. Pure."""
    source, target = migration.source.definition, migration.target
    lines = [f"{source.key}, version {source.version} to {target.version}: {len(migration.moving)} can be moved"]
    lines.append(f"  steps mapped: {', '.join(migration.mapped) or 'none'}")
    if migration.unmapped:
        lines.append(f"  steps without a counterpart: {', '.join(migration.unmapped)}")
    lines += [f"  refused by the engine: {refusal}" for refusal in migration.refusals]
    lines += [f"  stays: {process_id} waits at {step}" for process_id, step in migration.stuck.items()]
    return lines


def described_outcome(moved: Moved) -> list[str]:
    """What a migration came to, a line for each thing. Pure."""
    source, target = moved.migration.source.definition, moved.migration.target
    lines = [f"{source.key}, version {source.version} to {target.version}: {moved.count} moved"]
    if moved.unfinished_batch:
        lines.append(
            f"  the engine is not done with batch {moved.unfinished_batch}, see it in Cockpit: does a job executor run?"
        )
    lines += [f"  refused by the engine: {refusal}" for refusal in moved.migration.refusals]
    lines += [f"  stays: {process_id} waits at {step}" for process_id, step in moved.migration.stuck.items()]
    return lines + [f"  failed: {process_id}: {why}" for process_id, why in moved.failures.items()]


async def _planned(camunda: Camunda, source: Version, target: Definition) -> Migration:
    ids = {"sourceProcessDefinitionId": source.definition.id, "targetProcessDefinitionId": target.id}
    generated = await camunda.engine.call("POST", "/migration/generate", body={**ids, "updateEventTriggers": False})
    plan = camunda.engine.decode(generated, dict[str, object])
    validated = await camunda.engine.call("POST", "/migration/validate", body=plan)
    reports = camunda.engine.decode(validated, _Report).instruction_reports
    refusals = [
        f"{', '.join(each.instruction.source_activity_ids)}: {'; '.join(each.failures)}"
        for each in reports
        if each.failures
    ]
    instructions = msgspec.convert(plan, _Plan).instructions
    mapped = sorted({step for each in instructions for step in each.source_activity_ids})
    unmapped = sorted(_steps(await camunda.model(source.definition.id)) - set(mapped))
    stuck = await _waiting_at(camunda, source, unmapped)
    return Migration(source, target, plan, mapped, unmapped, stuck, refusals)


def _steps(model: str) -> set[str]:
    """The steps of a model that an approval can wait at. Pure."""
    waiting = ("Task", "CatchEvent", "eventBasedGateway", "subProcess", "callActivity")
    return {element.get("id", "") for element in parse(model).iter() if element.tag.endswith(waiting)}


async def _waiting_at(camunda: Camunda, source: Version, steps: Sequence[str]) -> dict[str, str]:
    """Which approvals of ours wait at one of these steps: process id → step. A request for each step."""
    found: dict[str, str] = {}
    for step in steps:
        body = {"processDefinitionId": source.definition.id, "activityIdIn": [step]}
        response = await camunda.engine.call(
            "POST", "/process-instance", body=body, params={"maxResults": PAGE}, idempotent=True
        )
        waiting = {each.id for each in camunda.engine.decode(response, list[_Instance])}
        found |= dict.fromkeys([each for each in source.process_ids if each in waiting], step)
    return found


async def _ended(camunda: Camunda, batch: _Batch, stalled_after: float) -> _Statistics | None:
    """The last statistics of a batch: None once it has ended, otherwise of one that has failed in part or stalled."""
    last, since = None, time.monotonic()
    while True:
        response = await camunda.engine.call("GET", "/batch/statistics", params={"batchId": batch.id}, idempotent=True)
        if not (found := camunda.engine.decode(response, list[_Statistics])):
            return None
        if found[0] != last:
            last, since = found[0], time.monotonic()
        is_all_tried = last.jobs_created == last.total_jobs and last.remaining_jobs == last.failed_jobs
        if is_all_tried or time.monotonic() - since > stalled_after:
            return last
        await asyncio.sleep(POLL)


async def _reasons(camunda: Camunda, batch: _Batch) -> list[str]:
    """The engine's words about each approval that it could not move; they name its id."""
    params = {"jobDefinitionId": batch.batch_job_definition_id, "noRetriesLeft": "true", "maxResults": str(PAGE)}
    response = await camunda.engine.call("GET", "/job", params=params, idempotent=True)
    return [each.exception_message or "" for each in camunda.engine.decode(response, list[_Job])]


async def _where_they_are(camunda: Camunda, migration: Migration) -> tuple[int, list[str]]:
    """How many approvals are on the newest version now, and which are still on the old one; others have ended."""
    versions = await running_versions(camunda, migration.target.key)
    now = {each.definition.id: set(each.process_ids) for each in versions}
    moved, left = (now.get(each.id, set()) for each in (migration.target, migration.source.definition))
    return len(moved & set(migration.moving)), [each for each in migration.moving if each in left]


async def _forget(camunda: Camunda, batch: _Batch) -> None:
    """Delete what is left of a batch, its jobs and their incidents with it."""
    await camunda.engine.call("DELETE", f"/batch/{batch.id}", answers=(200, 204, 404))
