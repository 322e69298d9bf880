"""Programs of tools/ that run in Node, with the packages that their lock files name."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

TOOLS = Path(__file__).parent.parent / "tools"
NODE, NPM = shutil.which("node"), shutil.which("npm")


def run_node(folder: str, script: str, *args: str) -> str:
    """What a program prints. Without Node the test is left out, but not where CI is set."""
    if not (NODE and NPM):
        complain = pytest.fail if os.environ.get("CI") else pytest.skip
        complain("Node is not installed.")
    place = TOOLS / folder
    if not (place / "node_modules").exists():
        command = [str(NPM), "ci", "--no-audit", "--no-fund", "--prefer-offline", "--ignore-scripts"]
        subprocess.run(command, cwd=place, check=True, capture_output=True)  # noqa: S603  # our own lock file
    command = [str(NODE), script, *args]
    done = subprocess.run(command, cwd=place, check=True, capture_output=True, text=True)  # noqa: S603  # our own
    return done.stdout
