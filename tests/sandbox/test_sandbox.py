"""The sandbox itself: three real systems that survive kill -9 and leave nothing behind. Linux: it reads /proc.

SANDBOX_ENGINE=camunda runs it with Camunda 7 in Operaton's place, and so each of sandbox/engines.py.
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
from sandbox.passwords import passwords_of
from sandbox.samples import DRAFTS, GOLD, PLANS, load_drafts, load_plans, versions

ENGINE = cast("Engine", os.environ.get("SANDBOX_ENGINE", "operaton"))
ENGINE_VERSIONS: dict[Engine, str] = {
    "operaton": "1.0.3",
    "camunda": "7.24.0",
    "camunda-7.20": "7.20.0",
    # what the REST API calls itself; the engine below says 2.0.0
    "cibseven": "7.22.0",
}
MODEL = b"""
<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:camunda="http://camunda.org/schema/1.0/bpmn"
             targetNamespace="foreign">
  <process id="foreign" isExecutable="true" camunda:historyTimeToLive="P1D"><startEvent id="start"/></process>
</definitions>
"""
DEPLOYMENT = {"model.bpmn": ("model.bpmn", MODEL, "application/xml")}
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
    """Keeps no connections: tests here kill what is at their other end."""
    limits = httpx.Limits(max_keepalive_connections=0)
    with httpx.Client(timeout=60, trust_env=False, limits=limits) as client:
        yield client


def test_each_system_is_the_real_one(sandbox: Sandbox, http: httpx.Client) -> None:
    with psycopg.connect(sandbox.retool_database_url) as connection:
        assert connection.info.server_version // 10_000 == 18
        assert connection.info.dbname == "retool"
        assert connection.execute("SHOW synchronous_commit").fetchone() == ("on",)
        assert connection.execute("SELECT count(*) > 0 FROM pg_stat_statements").fetchone() == (True,)
    assert http.get(f"{sandbox.camunda_address}/version").json() == {"version": ENGINE_VERSIONS[ENGINE]}
    assert http.get(sandbox.cockpit_url).status_code == 200
    assert "HAPI FHIR 8.8.0" in http.get(f"{sandbox.aidbox_url}/InsurancePlan/none").headers["X-Powered-By"]


def test_nothing_is_deployed_without_the_password(sandbox: Sandbox, http: httpx.Client) -> None:
    """A deployment is a form that any page can send, and what is deployed runs."""
    cockpits = f"{sandbox.cockpit_url.partition('/app/')[0]}/api/engine/engine/default"
    for address in (sandbox.camunda_url, f"{sandbox.camunda_url}/engine/default", f"{sandbox.camunda_url};x", cockpits):
        assert http.post(f"{address}/deployment/create", files=DEPLOYMENT).status_code == 401, address
    challenge = http.get(f"{sandbox.camunda_url}/version")
    assert (challenge.status_code, challenge.headers["WWW-Authenticate"]) == (401, 'Basic realm="default"')
    assert deployed(sandbox, http) == []


@pytest.mark.parametrize("origin", ["http://elsewhere.example", "http://127.0.0.1:1", "null"])
def test_a_page_of_another_site_asks_the_engine_nothing(sandbox: Sandbox, http: httpx.Client, origin: str) -> None:
    """Not even with the password, which the browser adds once it knows it."""
    foreign = {"Origin": origin}
    assert (
        http.post(f"{sandbox.camunda_address}/deployment/create", files=DEPLOYMENT, headers=foreign).status_code == 403
    )
    assert http.get(f"{sandbox.camunda_address}/version", headers=foreign).status_code == 403
    assert http.get(sandbox.cockpit_url, headers=foreign).status_code == 403
    preflight = {**foreign, "Access-Control-Request-Method": "POST"}
    assert http.options(f"{sandbox.camunda_url}/deployment/create", headers=preflight).status_code == 403
    assert deployed(sandbox, http) == []


def test_a_page_of_the_engine_itself_is_answered(sandbox: Sandbox, http: httpx.Client) -> None:
    own = {"Origin": sandbox.camunda_url.removesuffix("/engine-rest")}
    assert http.get(f"{sandbox.camunda_address}/version", headers=own).status_code == 200
    assert http.get(sandbox.cockpit_url, headers=own).status_code == 200


@pytest.mark.parametrize("origin", ["http://elsewhere.example", "http://127.0.0.1:1", "null"])
def test_a_page_of_another_site_asks_the_store_nothing(sandbox: Sandbox, http: httpx.Client, origin: str) -> None:
    """A Bundle sent as text/plain needs no preflight."""
    foreign, address = {"Origin": origin}, f"{sandbox.aidbox_url}/InsurancePlan/foreign"
    put = {"method": "PUT", "url": "InsurancePlan/foreign"}
    entry = {"resource": {"resourceType": "InsurancePlan", "id": "foreign"}, "request": put}
    bundle = {"resourceType": "Bundle", "type": "batch", "entry": [entry]}
    for kind in ("text/plain", "application/fhir+json"):
        sent = http.post(sandbox.aidbox_url, json=bundle, headers={**foreign, "Content-Type": kind})
        assert (sent.status_code, sent.text) == (403, "Invalid CORS request"), kind
    preflight = {**foreign, "Access-Control-Request-Method": "PUT"}
    assert http.options(address, headers=preflight).status_code == 403
    assert http.get(f"{sandbox.aidbox_url}/InsurancePlan", headers=foreign).status_code == 403
    assert http.get(address).status_code == 404


def test_the_store_answers_to_this_machines_names_alone(sandbox: Sandbox, http: httpx.Client) -> None:
    """DNS rebinding: a page whose own name resolves to this machine is of the store's origin, for the browser."""
    address, port = f"{sandbox.aidbox_url}/InsurancePlan?_summary=count", httpx.URL(sandbox.aidbox_url).port
    answers = {
        host: http.get(address, headers={"Host": f"{host}:{port}", "Origin": f"http://{host}:{port}"}).status_code
        for host in ("127.0.0.1", "localhost", "elsewhere.example")
    }
    assert answers == {"127.0.0.1": 200, "localhost": 200, "elsewhere.example": 404}


def test_nobody_asks_the_drafts_database_without_its_password(sandbox: Sandbox) -> None:
    with pytest.raises(psycopg.OperationalError, match="no password supplied"):
        psycopg.connect(sandbox.retool_database_url, password="")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(sandbox.retool_database_url, password="postgres")


def test_the_passwords_are_random_and_kept_with_the_data(sandbox: Sandbox, folder: Path, tmp_path: Path) -> None:
    kept, other = passwords_of(folder), passwords_of(tmp_path)
    assert kept.engine == sandbox.camunda_password
    assert (folder / "passwords.json").stat().st_mode & 0o777 == 0o600
    assert len({kept.engine, kept.postgres, other.engine, other.postgres}) == 4


def test_data_of_a_version_without_passwords_is_not_started(tmp_path: Path) -> None:
    (tmp_path / "postgres" / "data").mkdir(parents=True)
    with pytest.raises(SandboxError, match="Start once with --fresh"):
        passwords_of(tmp_path)


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
    for _ in range(20):  # each of its pool's connections was dead
        assert http.get(f"{sandbox.camunda_address}/filter/count").json() == {"count": 1}


def test_a_killed_engine_comes_back_with_its_data(sandbox: Sandbox, http: httpx.Client) -> None:
    user = {"profile": {"id": "kept"}, "credentials": {"password": "kept-kept-1"}}
    assert http.post(f"{sandbox.camunda_address}/user/create", json=user).status_code == 204
    sandbox.engine_server.kill()
    with pytest.raises(httpx.ConnectError):
        http.get(f"{sandbox.camunda_address}/version")
    sandbox.engine_server.start()
    assert http.get(f"{sandbox.camunda_address}/user/kept/profile").json()["id"] == "kept"


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


def deployed(sandbox: Sandbox, http: httpx.Client) -> object:
    """What the forms of other pages have deployed."""
    answer = http.get(f"{sandbox.camunda_address}/process-definition", params={"key": "foreign"})
    assert answer.status_code == 200
    return answer.json()


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
