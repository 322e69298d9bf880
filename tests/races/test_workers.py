"""Two workers on the same external tasks, whose locks end while the work is being done."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial

import pytest

from api.settings import Settings
from api.upstreams.camunda.process_variables import Scalar, typed
from tests.races.conftest import Settle
from tests.races.invariants import Raced, of_new_plan, of_stored_plan
from tests.races.racing import Turnstile, told_by
from tests.races.schedule import past_locks
from tests.serving import serving
from tests.stories.behind import Behind, until

CALLS = 8  # what a worker asks of the three systems in a draft's life, about
LOCK = 0.8  # seconds; three quarters of it are for the work, which a busy machine needs too
WORKERS = ("worker-1", "worker-2")


@pytest.fixture(scope="module")
def turnstiles(patient: Settings) -> Iterator[list[Turnstile]]:
    """Two replicas with workers; nobody asks them anything."""
    quick = patient.model_copy(update={"worker": True, "worker_poll_seconds": 0.05, "lock_seconds": LOCK})
    both = [Turnstile(worker) for worker in WORKERS]
    with ExitStack() as stack:
        for turnstile in both:
            stack.enter_context(serving(quick, **turnstile.parts))
        yield both
        until(lambda: not any(turnstile.held for turnstile in both))


def test_two_on_one_life(
    turnstiles: list[Turnstile], behind: Behind, seeds: range, seen: Counter[str], settle: Settle
) -> None:
    """Registered, published or recorded by the workers alone, each held somewhere for longer than its lock lasts."""
    seen.update({"approved": 0, "conflict": 0, "rejected": 0, "given up and late": 0})
    for seed in seeds[: max(len(seeds) // 2, 1)]:  # each takes as long as some locks
        with told_by(seed):
            raced = (of_stored_plan if seed % 2 else of_new_plan)(behind)
            schedule = past_locks(seed, WORKERS, calls=CALLS, lock_seconds=LOCK)
            for turnstile in turnstiles:
                turnstile.schedule = schedule
            process_id = behind.start(raced.draft_id, business_key=raced.draft_id)
            until(lambda raced=raced: len(behind.tasks(raced.draft_id)) == 1)  # type: ignore[misc]  # bound at once
            if seed % 8 == 2:
                raced.store_version("Outside, before")
            _decide(raced, approved=seed % 4 != 1)
            if seed % 8 == 3:
                raced.store_version("Outside, meanwhile")
            until(partial(_over, behind, raced.draft_id))

            after = settle(raced)
            assert list(after.ends) == [process_id]
            assert after.status in (("approved", "conflict") if seed % 4 != 1 else ("rejected",))
            seen[after.status] += 1
    seen["given up and late"] = sum(turnstile.given_up for turnstile in turnstiles)


def _over(behind: Behind, draft_id: str) -> bool:
    return behind.active(draft_id) == []


def _decide(raced: Raced, *, approved: bool) -> None:
    """Complete the review as the API does, and leave what follows to the workers."""
    (task,) = raced.behind.tasks(raced.draft_id)
    verdict = "APPROVED" if approved else "REJECTED"
    decision = {"verdict": verdict, "asked": verdict, "by": "reviewer", "at": "2026-01-01T00:00:00Z", "step": "review"}
    variables: dict[str, Scalar] = {
        "approved": approved,
        "approvedBy" if approved else "rejectedBy": "reviewer",
        f"decision_{task['id']}": json.dumps(decision),
    }
    answer = raced.behind.engine.post(f"/task/{task['id']}/complete", json={"variables": typed(variables)})
    assert answer.status_code == 204, answer.text
