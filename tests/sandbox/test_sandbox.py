"""The sandbox itself: three real systems that survive kill -9 and leave nothing behind. Linux: it reads /proc.

SANDBOX_ENGINE=camunda runs it with Camunda 7 in Operaton's place.
"""

import contextlib
import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import httpx
import psycopg
import pytest
from rich.console import Console

from sandbox import Engine, Ports, Sandbox, SandboxError, running
from sandbox.samples import DRAFTS, GOLD, PLANS, load_drafts, load_plans, versions
from tests.stories.behind import until

ENGINE = cast("Engine", os.environ.get("SANDBOX_ENGINE", "operaton"))
ENGINE_VERSIONS: dict[Engine, str] = {"operaton": "1.0.3", "camunda": "7.24.0"}
PARENT = """
import signal
import sys
from pathlib import Path
from rich.console import Console
from sandbox import running
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
with running(Path(sys.argv[1]), durable=False, console=Console(file=sys.stdout)):
    input()
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sandbox")


@pytest.fixture(scope="module")
def sandbox(folder: Path) -> Iterator[Sandbox]:
    with running(folder, engine=ENGINE, durable=False, console=quiet()) as running_sandbox:
        yield running_sandbox


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=60, trust_env=False) as client:
        yield client


def test_each_system_is_the_real_one(sandbox: Sandbox, http: httpx.Client) -> None:
    with psycopg.connect(sandbox.retool_database_url) as connection:
        assert connection.info.server_version // 10_000 == 18
        assert connection.info.dbname == "retool"
        assert connection.execute("SHOW synchronous_commit").fetchone() == ("on",)
        assert connection.execute("SELECT count(*) > 0 FROM pg_stat_statements").fetchone() == (True,)
    assert http.get(f"{sandbox.camunda_url}/version").json() == {"version": ENGINE_VERSIONS[ENGINE]}
    assert http.get(sandbox.cockpit_url).status_code == 200
    assert "HAPI FHIR 8.8.0" in http.get(f"{sandbox.aidbox_url}/InsurancePlan/none").headers["X-Powered-By"]


def test_a_killed_postgres_comes_back_with_every_commit(sandbox: Sandbox, http: httpx.Client) -> None:
    put_plan(sandbox, http, "before-postgres")
    with psycopg.connect(sandbox.retool_database_url, autocommit=True) as busy:
        busy.execute("CREATE TABLE kept AS SELECT 1 AS number")
        busy.execute("DECLARE held CURSOR WITH HOLD FOR SELECT generate_series(1, 1000)")
        former = sandbox.postgres.pid
        sandbox.postgres.kill()
        sandbox.postgres.start()
    assert sandbox.postgres.pid != former
    with psycopg.connect(sandbox.retool_database_url) as connection:
        assert connection.execute("SELECT number FROM kept").fetchone() == (1,)
    assert http.get(f"{sandbox.aidbox_url}/InsurancePlan/before-postgres").status_code == 200
    # the engine's pool finds out connection by connection which ones are dead
    until(lambda: bool(http.get(f"{sandbox.camunda_url}/filter/count").json() == {"count": 1}))


def test_a_killed_engine_comes_back_with_its_data(sandbox: Sandbox, http: httpx.Client) -> None:
    user = {"profile": {"id": "kept"}, "credentials": {"password": "kept-kept-1"}}
    assert http.post(f"{sandbox.camunda_url}/user/create", json=user).status_code == 204
    sandbox.engine_server.kill()
    with pytest.raises(httpx.ConnectError):
        http.get(f"{sandbox.camunda_url}/version")
    sandbox.engine_server.start()
    assert http.get(f"{sandbox.camunda_url}/user/kept/profile").json()["id"] == "kept"


def test_a_killed_store_comes_back_with_its_data(sandbox: Sandbox, http: httpx.Client) -> None:
    put_plan(sandbox, http, "before-store")
    sandbox.store.kill()
    sandbox.store.start()
    assert http.get(f"{sandbox.aidbox_url}/InsurancePlan/before-store").json()["name"] == "A plan"


def test_a_paused_server_hangs_and_goes_on(sandbox: Sandbox, http: httpx.Client) -> None:
    sandbox.store.pause()
    with pytest.raises(httpx.ReadTimeout):
        http.get(f"{sandbox.aidbox_url}/InsurancePlan/none", timeout=0.5)
    sandbox.store.resume()
    assert http.get(f"{sandbox.aidbox_url}/InsurancePlan/none").status_code == 404


def test_a_paused_postgres_hangs_open_connections_too(sandbox: Sandbox) -> None:
    with psycopg.connect(sandbox.retool_database_url, autocommit=True) as connection:
        sandbox.postgres.pause()
        connection.pgconn.send_query(b"SELECT 1")
        time.sleep(0.3)
        connection.pgconn.consume_input()
        assert connection.pgconn.is_busy()
        sandbox.postgres.resume()
        result = connection.pgconn.get_result()
        assert result is not None
        assert result.get_value(0, 0) == b"1"
        connection.pgconn.get_result()


def test_a_paused_postgres_can_be_killed(sandbox: Sandbox) -> None:
    with contextlib.suppress(psycopg.OperationalError), psycopg.connect(sandbox.retool_database_url):
        sandbox.postgres.pause()
        sandbox.postgres.kill()
        sandbox.postgres.start()
    psycopg.connect(sandbox.retool_database_url).close()


def test_the_store_refuses_what_it_does_not_know(sandbox: Sandbox, http: httpx.Client) -> None:
    answer = put_plan(sandbox, http, "odd", nickname="unknown to FHIR")
    assert answer.status_code == 400
    assert "nickname" in answer.json()["issue"][0]["diagnostics"]


def test_pages_hold_20_and_at_most_200(sandbox: Sandbox, http: httpx.Client) -> None:
    entries = [
        {
            "resource": {"resourceType": "Organization", "id": f"page-{number}", "name": "Page"},
            "request": {"method": "PUT", "url": f"Organization/page-{number}"},
        }
        for number in range(201)
    ]
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    assert http.post(sandbox.aidbox_url, json=bundle).status_code == 200
    search = f"{sandbox.aidbox_url}/Organization?name:contains=age"
    for asked, given in (("", 20), ("&_count=500", 200)):
        answer = http.get(search + asked, headers={"Cache-Control": "no-cache"}).json()
        assert len(answer["entry"]) == given
        assert "next" in [link["relation"] for link in answer["link"]]


def test_sample_plans_are_loaded_once_with_their_history(sandbox: Sandbox, http: httpx.Client) -> None:
    load_plans(sandbox.aidbox_url)
    load_plans(sandbox.aidbox_url)
    for plan in PLANS:
        history = http.get(f"{sandbox.aidbox_url}/InsurancePlan/{plan.id}/_history").json()
        assert len(history["entry"]) == len(versions(plan))
    assert '"value":1500.00' in http.get(f"{sandbox.aidbox_url}/InsurancePlan/{GOLD.id}").text.replace(" ", "")


def test_sample_drafts_are_loaded_once_to_the_digit(sandbox: Sandbox) -> None:
    with psycopg.connect(sandbox.retool_database_url) as connection:
        connection.execute(
            "CREATE TABLE benefit_plan_drafts (id text PRIMARY KEY, name text NOT NULL, status text NOT NULL"
            " DEFAULT 'draft', plan_data jsonb NOT NULL, aidbox_id text, camunda_process_id varchar(255),"
            " created_by text, updated_at timestamptz NOT NULL DEFAULT now())"
        )
    assert load_drafts(sandbox.retool_database_url) == list(DRAFTS)
    assert load_drafts(sandbox.retool_database_url) == []
    with psycopg.connect(sandbox.retool_database_url) as connection:
        rows = connection.execute("SELECT status, plan_data::text FROM benefit_plan_drafts").fetchall()
    assert {status for status, _ in rows} == {"draft"}
    assert sum('"value": 1500.00' in text for _, text in rows) == 1


def test_a_folder_has_one_sandbox(sandbox: Sandbox, folder: Path) -> None:
    assert sandbox.postgres.pid
    with pytest.raises(SandboxError, match=r"^Another sandbox is running in .+\.$"), running(folder, console=quiet()):
        pass


def test_a_port_in_use_is_named(sandbox: Sandbox, tmp_path: Path) -> None:
    taken = Ports(store=httpx.URL(sandbox.aidbox_url).port or 0)
    with pytest.raises(SandboxError, match=rf"^Port {taken.store} is in use\.$"):
        contextlib.ExitStack().enter_context(running(tmp_path, ports=taken, console=quiet()))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_parent_that_ends_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    """In the middle of a start, when all three have been launched."""
    with subprocess.Popen(  # noqa: S603  our own interpreter
        [sys.executable, "-c", PARENT, str(tmp_path)],
        env={**os.environ, "SANDBOX_UNDER_TEST": str(tmp_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as parent:
        assert parent.stdout
        assert any(b"PostgreSQL is ready" in line for line in parent.stdout)
        wait_until(lambda: sum("SpringApplication" in word for word in left_of(tmp_path)) == 2)
        parent.send_signal(number)
        assert parent.wait(100) != 0
    wait_until(lambda: not left_of(tmp_path))


def put_plan(sandbox: Sandbox, http: httpx.Client, plan_id: str, **fields: str) -> httpx.Response:
    plan = {"resourceType": "InsurancePlan", "id": plan_id, "status": "draft", "name": "A plan", **fields}
    return http.put(f"{sandbox.aidbox_url}/InsurancePlan/{plan_id}", json=plan)


def quiet() -> Console:
    return Console(file=io.StringIO())


def left_of(folder: Path) -> list[str]:
    """The processes that name the folder in their command, working folder or environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
            words += bytes((process / "cwd").readlink())
            if str(folder).encode() in words and process.name != str(os.getpid()):
                found.append(words.decode(errors="replace"))
    return found


def wait_until(condition: Callable[[], bool], seconds: float = 100) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)
