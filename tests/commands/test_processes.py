"""`plan-api serve` in several processes: one port, one end, one page of numbers, and another for one that is killed."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import psutil  # type: ignore[import-untyped]  # has no types
import pytest

from api.settings import Settings
from tests.commands.running import ROOT, run
from tests.commands.test_serve import Served, numbers, replica
from tests.serving import REVIEWER, Api
from tests.stories.behind import until

COUNTED = 'plan_api_upstream_calls_total{outcome="ok",upstream="camunda"}'
BUSY = "plan_api_worker_busy"


@contextmanager
def side_by_side(settings: Settings, **environment: str) -> Iterator[Served]:
    with replica(settings, PROCESSES="2", WORKER="false", **environment) as served:
        until(lambda: len(processes(served)) == 2)
        yield served


def processes(served: Served) -> set[int]:
    """Those that answer: each has a socket of its own that listens at the port."""
    children = psutil.Process(served.process.pid).children()
    return {child.pid for child in children if _listens(child, served.api.client.base_url.port)}


def _listens(process: psutil.Process, port: int | None) -> bool:
    with suppress(psutil.Error):
        return any(each.laddr.port == port and each.status == psutil.CONN_LISTEN for each in process.net_connections())
    return False


def ask_each_on_a_connection_of_its_own(served: Served, times: int) -> None:
    """The kernel spreads connections, not requests."""
    for _ in range(times):
        with httpx.Client(base_url=served.api.client.base_url, timeout=60, trust_env=False) as client:
            assert Api(client).ask("{ pendingTasks { totalCount } }", REVIEWER)["pendingTasks"]["totalCount"] >= 0


def test_both_answer_and_any_tells_the_numbers_of_both(settings: Settings) -> None:
    with side_by_side(settings) as served:
        before = {pid: psutil.Process(pid).cpu_times().user for pid in processes(served)}
        ask_each_on_a_connection_of_its_own(served, 60)
        worked = {pid for pid, user in before.items() if psutil.Process(pid).cpu_times().user > user}
        told = set()
        for _ in range(10):
            with httpx.Client(base_url=served.api.client.base_url, trust_env=False) as client:
                told.add(numbers(Api(client))[COUNTED])
    assert worked == set(before)
    assert told == {60}


def test_one_that_is_killed_is_replaced_and_what_it_did_counts(settings: Settings) -> None:
    with side_by_side(settings) as served:
        ask_each_on_a_connection_of_its_own(served, 20)
        killed, left = sorted(processes(served))
        os.kill(killed, signal.SIGKILL)
        until(lambda: len(processes(served) - {killed}) == 2)
        assert left in processes(served)
        ask_each_on_a_connection_of_its_own(served, 20)
        assert numbers(served.api)[COUNTED] == 40


def test_asked_to_stop_all_of_them_end(settings: Settings) -> None:
    with side_by_side(settings) as served:
        children = psutil.Process(served.process.pid).children()
        served.process.send_signal(signal.SIGTERM)
        assert served.process.wait(60) == 0
        psutil.wait_procs(children, timeout=60)
        assert [child for child in children if child.is_running()] == []


def test_without_their_supervisor_they_end_and_leave_the_port(settings: Settings) -> None:
    with side_by_side(settings) as served:
        port = served.api.client.base_url.port
        served.process.kill()
        served.process.wait(60)
        until(lambda: not _is_open(port))


def _is_open(port: int | None) -> bool:
    return any(each.laddr.port == port for each in psutil.net_connections() if each.status == psutil.CONN_LISTEN)


def test_a_port_that_is_taken_is_told(settings: Settings) -> None:
    """Though they share it among themselves."""
    with side_by_side(settings) as served:
        port = str(served.api.client.base_url.port)
        for count in ("1", "2"):
            told = run(settings, "serve", AUTH="headers", PORT=port, PROCESSES=count)
            way = "choose another with PORT, or stop that one"
            assert told.code == 1, told
            assert told.errors == f"plan-api: port {port} at 127.0.0.1 is taken by another program: {way}\n"


@pytest.mark.parametrize("count", ["0", "65", "many"])
def test_a_wrong_number_of_them_is_told(settings: Settings, count: str) -> None:
    told = run(settings, "serve", AUTH="headers", PROCESSES=count)
    assert told.code == 1
    assert told.errors.startswith("plan-api: PROCESSES is wrong (")


def test_what_is_wrong_with_the_settings_is_told_once(settings: Settings, tmp_path: Path) -> None:
    told = run(settings, "serve", AUTH="headers", PROCESSES="2", PERSISTED_OPERATIONS=str(tmp_path / "none"))
    assert told.code == 1
    assert len(told.errors.splitlines()) == 1
    assert told.errors.startswith("plan-api: ")


def test_what_a_killed_one_had_in_hand_is_not_counted(tmp_path: Path) -> None:
    counting = (
        "from api.telemetry import WORKER_BUSY, WORKER_POLLS; WORKER_BUSY.set(3); WORKER_POLLS.labels('found').inc()"
    )
    metrics = "graphql_server.uvicorn_server.shared_metrics"
    telling = f"import api.telemetry; from {metrics} import *; {{}} print(metrics_text().decode())"
    given = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}

    def python(code: str) -> list[str]:
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, check=True)  # noqa: S603  # ours
        return [line for line in done.stdout.splitlines() if not line.startswith("#")]

    python(counting)
    found = 'plan_api_worker_polls_total{outcome="found"} 1.0'
    assert {f"{BUSY} 3.0", found} <= set(python(telling.format("")))
    after = python(telling.format("forget_the_dead();"))
    assert found in after
    assert f"{BUSY} 3.0" not in after
