"""The schema as a federation subgraph: composed with a second one by Apollo's, Hive's and WunderGraph's composers."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.serving import AUTHOR, Api

ROOT = Path(__file__).parent.parent.parent
COMPOSERS = ROOT / "tools" / "federation"
COMMITTED = (ROOT / "schema.graphql").read_text("utf-8")
NODE, NPM = shutil.which("node"), shutil.which("npm")
COMPOSED: dict[str, list[str]] = {"apollo": [], "hive": [], "wundergraph": []}


@pytest.fixture(scope="module", autouse=True)
def installed() -> None:
    """The composers as the lock file has them."""
    if not (NODE and NPM):
        complain = pytest.fail if os.environ.get("CI") else pytest.skip
        complain("The composers are written for Node, which is not installed.")
    if not (COMPOSERS / "node_modules" / "graphql").exists():
        command = [str(NPM), "ci", "--no-audit", "--no-fund", "--prefer-offline", "--ignore-scripts"]
        subprocess.run(command, cwd=COMPOSERS, check=True, capture_output=True)  # noqa: S603  # our own lock file


def composed(text: str) -> dict[str, list[str]]:
    """What each composer has against the text as a subgraph, beside one that adds to drafts and refers to the rest."""
    command = [str(NODE), "compose.mjs"]
    done = subprocess.run(command, cwd=COMPOSERS, input=text, check=True, capture_output=True, text=True)  # noqa: S603  # our own
    told: dict[str, list[str]] = json.loads(done.stdout)
    return told


def test_the_committed_schema_composes() -> None:
    assert composed(COMMITTED) == COMPOSED


def test_what_the_service_says_of_itself_composes(api: Api) -> None:
    sdl = api.ask("{ _service { sdl } }", AUTHOR)["_service"]["sdl"]
    assert 'federation/v2.9"' in sdl
    assert composed(sdl) == COMPOSED


@pytest.mark.parametrize(
    ("right", "wrong", "composer"),
    [
        ("federation__FieldSet", "_FieldSet", "apollo"),
        ("federation/v2.9", "federation/v2.11", "hive"),
        ("type Draft @key", "type Drafts @key", "wundergraph"),
    ],
)
def test_each_composer_would_say_so(right: str, wrong: str, composer: str) -> None:
    assert right in COMMITTED
    assert composed(COMMITTED.replace(right, wrong))[composer] != []
