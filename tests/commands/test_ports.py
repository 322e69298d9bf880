"""Ports: looked at before anything is started, and one of their own for operators."""

import socket
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest

from api.settings import Settings
from sandbox.ports import free_port
from tests.commands.running import ROOT, run
from tests.commands.test_serve import replica
from tests.degraded.test_recovery import READY
from tests.serving import AUTHOR


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.mark.parametrize("count", ["1", "2"])
def test_serve_says_in_one_line_that_its_port_is_taken(settings: Settings, taken: int, count: str) -> None:
    told = run(settings, "serve", AUTH="headers", PORT=str(taken), PROCESSES=count)
    way = "choose another with PORT, or stop that one"
    assert (told.code, told.lines) == (1, [])
    assert told.errors == f"plan-api: port {taken} at 127.0.0.1 is taken by another program: {way}\n"


def test_serve_says_so_of_the_port_for_operators(settings: Settings, taken: int) -> None:
    told = run(settings, "serve", AUTH="headers", PORT="0", OPERATIONS_PORT=str(taken))
    way = "choose another with OPERATIONS_PORT, or stop that one"
    assert (told.code, told.errors) == (
        1,
        f"plan-api: port {taken} at 127.0.0.1 is taken by another program: {way}\n",
    )


def test_the_demo_says_so_before_it_starts_anything(taken: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("demo") / "sandbox"
    command = [sys.executable, "-m", "api", "demo", "--port", str(taken), "--folder", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603  # our own
    way = "choose another with --port, or stop that one"
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"plan-api: port {taken} at 127.0.0.1 is taken by another program: {way}\n"
    assert not folder.exists()


def test_an_address_that_is_not_ours_is_told(settings: Settings) -> None:
    given = {"AUTH": "gateway", "GATEWAY_KEYS": f"retool:{'0' * 64}", "PORT": "0"}
    told = run(settings, "serve", HOST="192.0.2.1", **given)
    assert (told.code, told.errors) == (
        1,
        "plan-api: port 0 at 192.0.2.1 can not be listened on: Cannot assign requested address\n",
    )
    told = run(settings, "serve", HOST="no-such-host.invalid", **given)
    assert told.code == 1
    assert told.errors.startswith("plan-api: HOST is wrong: no-such-host.invalid is no address of this machine (")


@pytest.mark.parametrize("count", ["1", "2"])
def test_operators_have_a_port_of_their_own(settings: Settings, count: str) -> None:
    port = free_port()
    own = {"OPERATIONS_PORT": str(port), "WORKER": "false", "PROCESSES": count}
    with replica(settings, **own) as served, httpx.Client(base_url=f"http://127.0.0.1:{port}") as operators:
        everybody = served.api.client
        assert everybody.get("/ready").json() == {"status": "ready"}
        assert operators.get("/ready").json() == READY
        assert (everybody.get("/metrics").status_code, operators.get("/metrics").status_code) == (404, 200)
        assert (everybody.get("/live").status_code, operators.get("/live").status_code) == (200, 200)
        for path in ("/graphql", "/graphiql/page.js", "/api/plans/x/submit", "/nowhere"):
            assert operators.post(path, json={"query": "{ __typename }"}, headers=AUTHOR.headers).status_code == 404
        named = {"Host": f"127.0.0.1:{port}", "X-Forwarded-Port": str(port), "X-Forwarded-Host": f"localhost:{port}"}
        assert everybody.get("/metrics", headers=named).status_code == 404
        assert everybody.get("/ready", headers=named).json() == {"status": "ready"}


def test_the_two_ports_are_two(settings: Settings) -> None:
    told = run(settings, "serve", AUTH="headers", PORT="8123", OPERATIONS_PORT="8123")
    assert (told.code, told.errors) == (1, "plan-api: OPERATIONS_PORT must be another port than PORT\n")
