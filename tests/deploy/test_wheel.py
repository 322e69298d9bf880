"""The wheel, installed outside the project: what is in it, and the demo it starts."""

import json
import os
import signal
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from collections.abc import Iterator
from email.parser import Parser
from pathlib import Path

import httpx
import pytest

from api import __version__
from graphql_server.graphiql.files import manifest
from sandbox.ports import free_port
from sandbox.samples import DRAFTS
from tests.deploy.dockerfile import PACKAGES, ROOT
from tests.stories.behind import until

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
SLOW_START = 240  # seconds the demo may take on a busy machine


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built as pip builds it."""
    folder = tmp_path_factory.mktemp("dist")
    words = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(words, cwd=ROOT, check=True, capture_output=True)  # noqa: S603  # our own build
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def commands(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The commands of an environment with the wheel and what it depends on, but nothing of the project's folder."""
    folder = tmp_path_factory.mktemp("clean") / "venv"
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", str(wheel)]
    subprocess.run(install, check=True)  # noqa: S603  # the wheel built above
    # what the lock installs for the tests is taken over; paths that its own .pth files add are not
    site = Path(sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)}))
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"), "utf-8")
    return python.parent


def test_it_has_our_packages_and_no_other_folder(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.partition("/")[0] for name in names if ".dist-info/" not in name} == PACKAGES
    models = ("benefit-approval.bpmn", "examples/routed-approval.bpmn", "examples/routed-approval.dmn")
    assert {f"doctor/bpmn/{model}" for model in models} <= set(names)
    built = [f"{name}.{coding}" for name in manifest()["files"] for coding in ("br", "gz")]
    assert {f"graphql_server/graphiql/assets/{name}" for name in built} <= set(names)
    libraries = PACKAGES - {"api", "sandbox"}
    assert {f"{library}/README.md" for library in libraries} <= set(names)


def test_its_metadata_are_the_projects(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (name,) = [each for each in archive.namelist() if each.endswith(".dist-info/METADATA")]
    metadata = Parser().parsestr(archive.read(name).decode())
    assert (metadata["Name"], metadata["Version"]) == (PROJECT["name"], __version__)
    needed = [each for each in metadata.get_all("Requires-Dist", []) if "extra ==" not in each]
    assert len(needed) == len(PROJECT["dependencies"])
    assert metadata.get_all("Provides-Extra") == ["sandbox"]


def test_the_version(commands: Path, tmp_path: Path) -> None:
    assert _said(commands, tmp_path, "--version") == f"plan-api {__version__}\n"


def test_its_model_is_deployed_from_the_wheel(commands: Path, tmp_path: Path) -> None:
    code = "import doctor.setup; print(doctor.setup.MODEL)"
    ran = subprocess.run([commands / "python", "-c", code], cwd=tmp_path, check=True, capture_output=True, text=True)  # noqa: S603  # ours
    assert Path(ran.stdout.strip()).is_relative_to(commands.parent)


@pytest.fixture
def demo(commands: Path, tmp_path: Path) -> Iterator[str]:
    """The address of a demo that the installed command started."""
    port = free_port()
    words: list[str | Path] = [commands / "plan-api", "demo", "--port", str(port), "--folder", str(tmp_path / "data")]
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "NO_PROXY": "127.0.0.1"}
    log = tmp_path / "log"
    with (
        log.open("wb") as output,
        subprocess.Popen(  # noqa: S603  # the command under test
            words, cwd=tmp_path, env=environment, stdout=output, stderr=subprocess.STDOUT
        ) as process,
    ):
        base = f"http://127.0.0.1:{port}"
        try:
            until(lambda: _is_ready(base, process, log), seconds=SLOW_START)
            yield base
        finally:
            process.send_signal(signal.SIGTERM)


@pytest.mark.timeout(600)
def test_the_demo_works_outside_the_project(demo: str) -> None:
    asked = "{ pendingTasks { totalCount items { draft { name } } } scheduledPublications { items { name } } }"
    answer = httpx.post(f"{demo}/graphql", json={"query": asked}, trust_env=False).json()
    assert "errors" not in answer, json.dumps(answer)
    tasks = answer["data"]["pendingTasks"]
    assert tasks["totalCount"] == len(tasks["items"]) > 0
    assert answer["data"]["scheduledPublications"] == {"items": [{"name": "Summit Bronze EPO 5500"}]}
    query = "query Q($id: ID!) { draft(id: $id) { approval { openTasks { candidateGroups } } } }"
    routed = {"query": query, "variables": {"id": next(draft.id for draft in DRAFTS if draft.is_routed)}}
    answer = httpx.post(f"{demo}/graphql", json=routed, headers={"X-User-Id": "author"}, trust_env=False).json()
    groups = [task["candidateGroups"] for task in answer["data"]["draft"]["approval"]["openTasks"]]
    assert sorted(groups) == [["benefit-actuaries"], ["benefit-reviewers"]]


def _is_ready(base: str, process: subprocess.Popen[bytes], log: Path) -> bool:
    assert process.poll() is None, log.read_text("utf-8")
    try:
        return httpx.get(f"{base}/ready", trust_env=False).is_success
    except httpx.TransportError:
        return False


def _said(commands: Path, folder: Path, *words: str) -> str:
    return subprocess.run(  # noqa: S603  # the command under test
        [commands / "plan-api", *words], cwd=folder, check=True, capture_output=True, text=True
    ).stdout
