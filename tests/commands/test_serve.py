"""`plan-api serve`, asked to stop: what is under way is finished or given back. And `/metrics`."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from api.settings import Settings
from sandbox.ports import free_port
from tests.commands.running import ROOT
from tests.degraded.conftest import Wired, read_again, wired
from tests.degraded.test_recovery import first_answer
from tests.serving import AUTHOR, REVIEWER, Api, serving
from tests.stories.behind import Behind, until
from tests.stories.conftest import behind
from tests.verbs import COMPLETE, approved, open_task, perform, submitted
from tests.wire import Hang, Refuse

__all__ = ["behind", "wired"]


@dataclass(frozen=True)
class Served:
    """A replica in a process of its own."""

    process: subprocess.Popen[bytes]
    api: Api


@contextmanager
def replica(settings: Settings, **environment: str) -> Iterator[Served]:
    port = free_port()
    known = {
        "RETOOL_DATABASE_URL": settings.retool_database_url.get_secret_value(),
        "CAMUNDA_URL": settings.camunda_url,
        "AIDBOX_URL": settings.aidbox_url,
        "AUTH": "headers",
        "PORT": str(port),
    }
    command = [sys.executable, "-m", "api", "serve"]
    given = {**os.environ, **known, **environment}
    with subprocess.Popen(command, cwd=ROOT, env=given, stderr=subprocess.DEVNULL) as process:  # noqa: S603  # our own
        try:
            first_answer(f"http://127.0.0.1:{port}/live")
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
                yield Served(process, Api(client))
        finally:
            process.kill()


def _publication(behind: Behind, draft_id: str) -> dict[str, Any]:
    """The external task that waits for a draft's publication."""
    (process_id,) = behind.active(draft_id)
    found = [task for task in behind.external_tasks(process_id) if task["topicName"] == "publish-plan"]
    return found[0] if found else {}


@pytest.mark.parametrize("processes", ["1", "2"])
def test_a_request_under_way_is_finished(wired: Wired, behind: Behind, api: Api, processes: str) -> None:
    draft_id = behind.drafts.new()
    submitted(api, draft_id, AUTHOR)
    task_id = open_task(api, draft_id)
    patient = {"WORKER": "false", "AIDBOX_TIMEOUT": "60", "PROCESSES": processes}
    with replica(wired.settings, **patient) as served, ThreadPoolExecutor(1) as pool:
        with wired.wires["aidbox"].during(Hang()):
            asked = pool.submit(perform, served.api, COMPLETE, REVIEWER, taskId=task_id, approved=True)
            until(lambda: wired.wires["aidbox"].is_asked)
            served.process.send_signal(signal.SIGTERM)
        payload = asked.result()
        assert served.process.wait(60) == 0
    assert (payload["status"], payload["userErrors"]) == ("APPROVED", [])
    assert len(behind.versions(draft_id)) == 1


@pytest.mark.parametrize("processes", ["1", "2"])
def test_what_the_worker_can_not_finish_is_given_back(wired: Wired, behind: Behind, api: Api, processes: str) -> None:
    """Another replica need not wait for the end of a lock of ten minutes."""
    draft_id = behind.drafts.new()
    submitted(api, draft_id, AUTHOR)
    long = {
        "LOCK_SECONDS": "600",
        "AIDBOX_TIMEOUT": "600",
        "WORKER_POLL_SECONDS": "0.1",
        "PROCESSES": processes,
    }
    with wired.wires["aidbox"].during(Hang()):
        with replica(wired.settings, **long) as served:
            (task,) = behind.tasks(draft_id)
            behind.complete(task["id"], approved=True)
            until(lambda: _publication(behind, draft_id).get("workerId") is not None)
            served.process.send_signal(signal.SIGTERM)
            assert served.process.wait(60) == 0
        assert _publication(behind, draft_id)["workerId"] is None
    quick = read_again(wired.settings, worker=True, worker_poll_seconds=0.05)
    with serving(quick):
        until(lambda: behind.drafts.row(draft_id)["status"] == "approved")
    assert len(behind.versions(draft_id)) == 1


def test_metrics_tell_what_became_of_each_call(wired: Wired) -> None:
    with serving(wired.settings) as api:
        before = numbers(api)
        with wired.wires["aidbox"].during(Refuse()):
            api.answer('{ a: plan(id: "a") { id } b: plan(id: "b") { id } }', REVIEWER)
        after = numbers(api)
    failed = 'plan_api_upstream_calls_total{outcome="UPSTREAM_UNREACHABLE",upstream="aidbox"}'
    assert after[failed] - before.get(failed, 0) == 1


def test_metrics_tell_what_became_of_external_tasks(api: Api, behind: Behind) -> None:
    before = numbers(api)
    draft_id = behind.drafts.new()
    submitted(api, draft_id, AUTHOR)
    assert approved(api, draft_id)["status"] == "APPROVED"
    after = numbers(api)
    for topic in ("register-submission", "publish-plan"):
        name = f'plan_api_external_tasks_total{{outcome="done",topic="{topic}"}}'
        assert after[name] - before.get(name, 0) == 1
        assert after[f'plan_api_external_task_age_seconds_count{{topic="{topic}"}}'] >= 1


def test_metrics_can_be_switched_off(settings: Settings) -> None:
    with serving(read_again(settings, metrics=False)) as api:
        assert api.client.get("/metrics").status_code == 404


def numbers(api: Api) -> dict[str, float]:
    """The samples at /metrics."""
    answer = api.client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain")
    lines = [line for line in answer.text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


@pytest.mark.parametrize("port", ["0", "70000", "x"])
def test_a_wrong_port_for_the_workers_numbers_is_told(settings: Settings, port: str) -> None:
    command = [sys.executable, "-m", "api", "worker"]
    known = {"RETOOL_DATABASE_URL": settings.retool_database_url.get_secret_value(), "AUTH": "headers"}
    given = {**os.environ, **known, "CAMUNDA_URL": settings.camunda_url, "AIDBOX_URL": settings.aidbox_url}
    given["WORKER_METRICS_PORT"] = port
    done = subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603  # our own
    assert done.returncode == 1
    assert done.stderr.startswith("plan-api: WORKER_METRICS_PORT is wrong (")
