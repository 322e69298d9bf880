"""The audit suite of the reference implementation (npm: graphql-http), run by Node against the served API."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.serving import Api

AUDITS = Path(__file__).parent.parent.parent / "tools" / "audits"
NODE, NPM = shutil.which("node"), shutil.which("npm")


def test_all_audits_pass(api: Api) -> None:
    if not (NODE and NPM):
        complain = pytest.fail if os.environ.get("CI") else pytest.skip
        complain("The suite is written for Node, which is not installed.")
    install()
    url = str(api.client.base_url.join("/graphql"))
    command = [str(NODE), "audit.mjs", url]
    done = subprocess.run(command, cwd=AUDITS, check=True, capture_output=True, text=True)  # noqa: S603  # our own
    results: list[dict[str, Any]] = json.loads(done.stdout)
    assert [audit for audit in results if audit["status"] != "ok"] == []
    assert len(results) == 61


def install() -> None:
    """Fetch the suite as the lock file has it, unless it is there."""
    if not (AUDITS / "node_modules" / "graphql-http").exists():
        command = [str(NPM), "ci", "--no-audit", "--no-fund", "--prefer-offline"]
        subprocess.run(command, cwd=AUDITS, check=True, capture_output=True)  # noqa: S603  # our own lock file
