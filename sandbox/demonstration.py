"""The demo's lively start: loads the samples, and brings the drafts to their states by the API's own verbs.

A draft that anybody touched since is left alone.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from threading import Thread

import httpx
from msgspec.structs import replace

from api.coordination.comment import add_comment
from api.coordination.decide import decide
from api.coordination.policy import Policy, policy_of
from api.coordination.submit import submit
from api.coordination.withdraw import withdraw
from api.settings import Settings
from api.upstreams import Upstreams, open_upstreams
from api.upstreams.camunda.process_variables import Verdict
from authentication.identity import Viewer
from doctor.setup import MODEL, OtherModel, as_files, set_up
from sandbox import Sandbox
from sandbox.samples import DRAFTS, ENCODER, PLANS, SampleDraft, latest, load_drafts, load_plans

NOTE = (
    "You act as `reviewer` unless a request has the header `X-User-Id`."
    " `author`, `second-reviewer` and `admin` are there too."
)
FIRST_QUERY = "{ pendingTasks { totalCount items { id name draft { name } hasConflict } } }"
REVIEWER = Viewer("reviewer", frozenset({"benefit-reviewers"}))
ROUTED = MODEL.parent / "examples" / "routed-approval.bpmn"
VERDICTS = {
    "approved": Verdict.APPROVED,
    "scheduled": Verdict.APPROVED,
    "conflict": Verdict.APPROVED,
    "rejected": Verdict.REJECTED,
    "returned": Verdict.RETURNED,
}


async def prepare(settings: Settings) -> None:
    """Set the three systems up, load the samples, and bring the drafts to their states. Safe to repeat."""
    async with open_upstreams(settings) as upstreams:
        with suppress(OtherModel):  # somebody tries a model of their own
            await set_up(upstreams, replaces_others=False)
        await asyncio.to_thread(load_plans, settings.aidbox_url)
        await asyncio.to_thread(load_drafts, settings.retool_database_url.get_secret_value())
        # What the samples say is known to be right, and the store's first validation takes seconds.
        await bring_to_states(upstreams, replace(policy_of(settings), validate_plans=False))
    if settings.validate_plans:
        Thread(target=warm_up, args=[settings.aidbox_url], daemon=True).start()


def warm_up(aidbox_url: str) -> None:
    """Have the store validate a plan: HAPI's first validation takes ten seconds or so, later ones 0.2."""
    with suppress(httpx.HTTPError):
        httpx.post(
            f"{aidbox_url}/InsurancePlan/$validate",
            content=ENCODER.encode(latest(PLANS[0])),
            headers={"Content-Type": "application/fhir+json"},
            timeout=120,
            trust_env=False,
        )


def places(sandbox: Sandbox, port: int) -> dict[str, str]:
    """Where people look at a demo whose API listens on this port, by what they find there."""
    base = f"http://127.0.0.1:{port}"
    return {
        "GraphiQL": f"{base}/graphql  ({NOTE.replace('`', '')})",
        "Cockpit": f"{sandbox.cockpit_url}  ({sandbox.camunda_username} / {sandbox.camunda_password})",
        "FHIR": f"{sandbox.aidbox_url}/InsurancePlan",
        "Drafts": sandbox.retool_database_url,
        "Try": f'curl -s {base}/graphql --json \'{{"query": "{FIRST_QUERY}"}}\'',
    }


async def bring_to_states(upstreams: Upstreams, policy: Policy) -> None:
    """Submit, decide and withdraw the sample drafts that still are as they were loaded.

    What conflicts is submitted before what overtakes it, and decided after. What is routed is submitted while the
    example model is the newest one; its processes stay with it when ours is deployed again.
    """
    rows = await upstreams.retool.drafts_by_id([sample.id for sample in DRAFTS])
    untouched = [sample for sample in DRAFTS if sample.id in rows and rows[sample.id].camunda_process_id is None]
    moving = [sample for sample in untouched if sample.state != "draft"]
    routed = [sample for sample in moving if sample.is_routed]
    if moving:
        await set_up(upstreams)
    if routed:
        await set_up(upstreams, as_files([ROUTED, ROUTED.with_suffix(".dmn")]))
        await _submit(upstreams, policy, routed)
        await set_up(upstreams)
    await _submit(upstreams, policy, [sample for sample in moving if not sample.is_routed])
    for sample in _overtaken_last(moving):
        await _finish(upstreams, policy, sample)


async def _submit(upstreams: Upstreams, policy: Policy, samples: Sequence[SampleDraft]) -> None:
    quiet = replace(policy, webhook_urls=())  # what has ended before people look at the demo is no news
    for sample in samples:
        has_ended = sample.state == "withdrawn" or sample.state in VERDICTS
        await submit(upstreams, quiet if has_ended else policy, Viewer(sample.author), sample.id)
        for person, text in sample.said:
            await add_comment(upstreams, REVIEWER if person == REVIEWER.id else Viewer(person), sample.id, text)


def _overtaken_last(samples: Sequence[SampleDraft]) -> list[SampleDraft]:
    return sorted(samples, key=lambda sample: sample.overtaken_by is not None)


def next_year() -> datetime:
    """When what is scheduled goes live: on the first of January after this one, in UTC."""
    return datetime(datetime.now(UTC).year + 1, 1, 1, tzinfo=UTC)


async def _finish(upstreams: Upstreams, policy: Policy, sample: SampleDraft) -> None:
    if sample.state == "withdrawn":
        await withdraw(upstreams, policy, Viewer(sample.author), sample.id)
    elif verdict := VERDICTS.get(sample.state):
        process = await upstreams.camunda.active_process(sample.id)
        tasks = await upstreams.camunda.open_tasks_by_process([process.id] if process else [])
        for task in tasks[process.id] if process else []:
            publish_at = next_year() if sample.state == "scheduled" else None
            await decide(upstreams, policy, REVIEWER, task.id, verdict, sample.comment, publish_at)
