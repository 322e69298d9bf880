"""A short run, on the systems that the tests started: nothing is lost, doubled, stuck or wrong."""

from pathlib import Path

import pytest

from api.settings import Settings
from sandbox import Sandbox
from tests.chaos.report import report
from tests.chaos.run import run

SEED = 3


@pytest.mark.timeout(900)
def test_a_short_run(sandbox: Sandbox, settings: Settings, tmp_path: Path) -> None:  # noqa: ARG001  # it is set up
    ledger, verdict = run(sandbox, tmp_path, seed=SEED, seconds=30, quick=True)
    told = report(ledger, verdict, SEED)
    assert (verdict.lost, verdict.doubled, verdict.stuck, verdict.wrong) == ([], [], [], []), told
    assert len(ledger.faults) > 1, told
    accepted = {operation.verb for operation in ledger.operations if operation.accepted}
    assert {"submit", "approve", "edit", "write"} <= accepted, told
