"""The image: what is in it and what is not, and that it runs as compose.yaml starts it.

Built by the Dockerfile's own steps, but without Docker: its base image, its layers and PID 1 are not tested here.
"""

import json
import re
import signal
from dataclasses import replace

import httpx

from api.schema import schema_text
from tests.deploy.conftest import Image
from tests.deploy.dockerfile import PACKAGES, ROOT, Stage
from tests.deploy.test_compose import TRIAL_KEY

AUTHOR = {"X-User-Id": "author", "X-User-Groups": "", "X-API-Key": TRIAL_KEY}
QUERY = {"query": "{ drafts(limit: 1) { items { id } } pendingTasks(limit: 1) { items { id } } }"}


def test_it_has_the_service_and_the_process_and_nothing_else(stage: Stage) -> None:
    wanted = {
        path.relative_to(ROOT)
        for package in PACKAGES - {"sandbox"}
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    } | {path.relative_to(ROOT) for path in (ROOT / "bpmn").glob("*.bpmn")}
    files = {path.relative_to(stage.at(".")) for path in stage.at(".").rglob("*") if path.is_file()}
    assert {path for path in files if path.suffix != ".pyc"} == wanted
    compiled = {path.parent.parent / f"{path.name.split('.')[0]}.py" for path in files if path.suffix == ".pyc"}
    assert compiled == {path for path in wanted if path.suffix == ".py"}


def test_it_has_the_locked_packages_and_nothing_else(image: Image) -> None:
    told = (
        "import importlib.metadata as m; print(*sorted({d.name.lower().replace('_', '-') for d in m.distributions()}))"
    )
    lock = (ROOT / "requirements.production.lock").read_text("utf-8")
    elsewhere = re.findall(r"^([\w.-]+)==.*sys_platform == 'win32'", lock, re.MULTILINE)
    wanted = sorted(set(re.findall(r"^([\w.-]+)==", lock, re.MULTILINE)) - set(elsewhere))
    assert image.done(["python", "-c", told]).stdout.split() == wanted


def test_it_is_started_by_a_number_that_is_not_root(stage: Stage) -> None:
    assert stage.user == "10001:10001"
    assert (stage.entrypoint, stage.command) == (["python", "-m", "api"], ["serve"])


def test_it_prints_the_schema(image: Image) -> None:
    done = image.run("schema")
    assert (done.returncode, done.stdout, done.stderr) == (0, schema_text(), "")


def test_it_sets_up(image: Image) -> None:
    done = image.run("setup")
    # what runs on which version of the model comes after these
    assert (done.returncode, done.stdout.splitlines()[:3], done.stderr) == (
        0,
        [
            "benefit_plan_drafts: table, column and index are there",
            "benefit-approval.bpmn: deployed already",
            "benefit-notification.bpmn: deployed already",
        ],
        "",
    )


def test_it_serves_with_the_settings_of_compose_and_stops_when_it_is_asked_to(image: Image) -> None:
    assert not image.is_healthy()
    with image.started() as process:
        while not image.is_healthy():
            assert process.poll() is None
        address = f"http://127.0.0.1:{image.environment['PORT']}"
        assert httpx.get(f"{address}/live").json() == {"status": "live"}
        answer = httpx.post(f"{address}/graphql", json=QUERY, headers=AUTHOR, timeout=30).json()
        assert {name: set(page) for name, page in answer["data"].items()} == {
            "drafts": {"items"},
            "pendingTasks": {"items"},
        }
        assert "errors" not in answer
        stranger = httpx.post(f"{address}/graphql", json=QUERY, headers={"X-User-Id": "author"}, timeout=30)
        assert (stranger.status_code, stranger.json()["errors"][0]["extensions"]["code"]) == (401, "UNAUTHENTICATED")
        process.send_signal(signal.SIGTERM)
        told = process.communicate(timeout=60)[0]
        assert "Application shutdown complete." in told
        assert process.returncode == 0


def test_its_worker_stops_when_it_is_asked_to(image: Image) -> None:
    away = replace(image, environment={**image.environment, "CAMUNDA_URL": "http://127.0.0.1:1/engine-rest"})
    with away.started("worker") as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["message"] == "upstream call failed"
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


def test_it_says_in_one_line_that_it_has_no_sandbox(image: Image) -> None:
    done = image.run("demo")
    message = "plan-api: the sandbox is not installed (sandbox is missing): pip install 'plan-api[sandbox]'\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", message)
