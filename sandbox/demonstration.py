"""The demo's lively start: brings the sample drafts to their states by the API's own verbs, nothing faked.

A draft that anybody touched since is left alone.
"""

from collections.abc import Sequence

from api.coordination.decide import decide
from api.coordination.policy import Policy
from api.coordination.submit import submit
from api.coordination.withdraw import withdraw
from api.identity import Viewer
from api.upstreams import Upstreams
from api.upstreams.camunda.process_variables import Verdict
from sandbox.samples import DRAFTS, SampleDraft

REVIEWER = Viewer("reviewer", frozenset({"benefit-reviewers"}))
VERDICTS = {
    "approved": Verdict.APPROVED,
    "conflict": Verdict.APPROVED,
    "rejected": Verdict.REJECTED,
    "returned": Verdict.RETURNED,
}


async def bring_to_states(upstreams: Upstreams, policy: Policy) -> None:
    """Submit, decide and withdraw the sample drafts that still are as they were loaded.

    What conflicts is submitted before what overtakes it, and decided after.
    """
    rows = await upstreams.retool.drafts_by_id([sample.id for sample in DRAFTS])
    untouched = [sample for sample in DRAFTS if sample.id in rows and rows[sample.id].camunda_process_id is None]
    moving = [sample for sample in untouched if sample.state != "draft"]
    for sample in moving:
        await submit(upstreams, policy, Viewer(sample.author), sample.id)
    for sample in _overtaken_last(moving):
        await _finish(upstreams, policy, sample)


def _overtaken_last(samples: Sequence[SampleDraft]) -> list[SampleDraft]:
    return sorted(samples, key=lambda sample: sample.overtaken_by is not None)


async def _finish(upstreams: Upstreams, policy: Policy, sample: SampleDraft) -> None:
    if sample.state == "withdrawn":
        await withdraw(upstreams, policy, Viewer(sample.author), sample.id)
    elif verdict := VERDICTS.get(sample.state):
        process = await upstreams.camunda.active_process(sample.id)
        tasks = await upstreams.camunda.open_tasks_by_process([process.id] if process else [])
        for task in tasks[process.id] if process else []:
            await decide(upstreams, policy, REVIEWER, task.id, verdict, sample.comment)
