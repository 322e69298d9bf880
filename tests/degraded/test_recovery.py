"""After a system was away: the next request works at once, dead connections show nowhere, and serve starts without."""

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.settings import Settings
from resilience.health import CACHE_SECONDS
from sandbox import Sandbox, Server
from sandbox.ports import free_port
from tests.degraded.conftest import Wired, World
from tests.degraded.faults import SYSTEMS
from tests.serving import Api, serving
from tests.stories.behind import until
from tests.wire import PASS, Hang, Refuse
from tests.wiretap import Send, Tapped

EVERYTHING = """query Q($author: ID!) { pendingTasks(filter: {submittedBy: $author}) { totalCount items {
  id draft { id approval { state } } currentPlan { versionId history { versionId } } } } }"""
READY = {"status": "ready", "retool": "ok", "camunda": "ok", "aidbox": "ok"}


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("fault", [Refuse(), Hang()], ids=["refused", "hanging"])
def test_ready_tells_which_system_is_away(wired: Wired, system: str, fault: Refuse | Hang) -> None:
    code = {"refused": "UPSTREAM_UNREACHABLE", "hanging": "UPSTREAM_TIMEOUT"}
    api = wired.for_fault(system, fault)
    told = code["hanging" if isinstance(fault, Hang) else "refused"]
    with wired.wires[system].during(fault):
        until(lambda: api.client.get("/ready").json() == {**READY, system: told})
        response, live = api.client.get("/ready"), api.client.get("/live")
    assert response.status_code == 200
    assert (live.status_code, live.json()) == (200, {"status": "live"})


def test_nobody_is_ready_without_all_three(wired: Wired) -> None:
    with (
        wired.wires["retool"].during(Refuse()),
        wired.wires["camunda"].during(Refuse()),
        wired.wires["aidbox"].during(Refuse()),
    ):
        until(lambda: wired.api.client.get("/ready").status_code == 503)
        response, live = wired.api.client.get("/ready"), wired.api.client.get("/live")
    assert response.status_code == 503
    assert response.json() == {"status": "waiting", **dict.fromkeys(SYSTEMS, "UPSTREAM_UNREACHABLE")}
    assert live.status_code == 200
    until(lambda: wired.api.client.get("/ready").json() == READY)


def test_many_who_ask_are_one_look(settings: Settings) -> None:
    """Anybody may ask; what a look costs the systems does not grow with how many do."""
    asked: Counter[str] = Counter()

    async def counting(name: str, request: httpx.Request, send: Send) -> httpx.Response:
        asked[name] += 1
        await asyncio.sleep(0.3)
        return await send(request)

    def transports(name: str, inner: httpx.AsyncBaseTransport) -> httpx.AsyncBaseTransport:
        return Tapped(inner, partial(counting, name))

    with serving(settings, transports=transports) as api, ThreadPoolExecutor(20) as pool:
        for looks in (1, 2):
            answers = list(pool.map(lambda _: api.client.get("/ready").json(), range(60)))
            assert answers == [READY] * 60
            assert asked == {"camunda": looks, "aidbox": looks}
            time.sleep(CACHE_SECONDS)


@pytest.mark.parametrize("system", SYSTEMS)
def test_many_connections_that_hung_are_forgotten(wired: Wired, world: World, system: str) -> None:
    whole = wired.api.ask(EVERYTHING, world.reviewer, author=world.author.id)
    at_once(wired.hasty[system], world, 20)
    with wired.wires[system].during(Hang()):
        bodies = at_once(wired.hasty[system], world, 20)
    assert all(body["errors"] for body in bodies)
    assert at_once(wired.api, world, 5) == [{"data": whole}] * 5


def at_once(api: Api, world: World, count: int) -> list[dict[str, Any]]:
    """The answers to so many requests side by side."""
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(lambda _: api.answer(EVERYTHING, world.reviewer, author=world.author.id), range(count)))


@contextmanager
def away(server: Server) -> Iterator[None]:
    """Kill a server, and have it back at the end whatever happens."""
    server.kill()
    try:
        yield
    finally:
        server.start()


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_killed_system_is_used_again_as_soon_as_it_is_back(
    api: Api, world: World, sandbox: Sandbox, system: str
) -> None:
    server = {"retool": sandbox.postgres, "camunda": sandbox.engine_server, "aidbox": sandbox.store}[system]
    whole = {"data": api.ask(EVERYTHING, world.reviewer, author=world.author.id)}
    assert at_once(api, world, 5) == [whole] * 5
    with away(server):
        body = api.answer(EVERYTHING, world.reviewer, author=world.author.id)
        told = {(error["extensions"]["upstream"], error["extensions"]["code"]) for error in body["errors"]}
        if system == "retool":  # it takes engine and store along: they answer with a failure, or wait for it
            assert {code for _, code in told} <= {"UPSTREAM_UNREACHABLE", "UPSTREAM_FAILED", "UPSTREAM_TIMEOUT"}
        else:
            assert told == {(system, "UPSTREAM_UNREACHABLE")}
    if system == "retool":  # engine and store live in the same PostgreSQL, and have pools of their own to mend
        settle(api, "camunda", "aidbox")
        until = time.monotonic() + 60
        while at_once(api, world, 5) != [whole] * 5 and time.monotonic() < until:
            time.sleep(0.1)
    assert at_once(api, world, 5) == [whole] * 5


def settle(api: Api, *systems: str) -> None:
    """Wait until these answer again."""
    until = time.monotonic() + 60
    while not all(api.client.get("/ready").json()[system] == "ok" for system in systems):
        assert time.monotonic() < until
        time.sleep(0.1)


@pytest.mark.parametrize("system", SYSTEMS)
def test_serving_starts_without_a_system_and_finds_it_later(wired: Wired, world: World, system: str) -> None:
    whole = wired.api.ask(EVERYTHING, world.reviewer, author=world.author.id)
    with wired.wires[system].during(Refuse()), serving(wired.settings) as api:
        assert api.client.get("/ready").json() == {**READY, system: "UPSTREAM_UNREACHABLE"}
        assert api.answer(EVERYTHING, world.reviewer, author=world.author.id)["errors"]
        wired.wires[system].become(PASS)
        until(lambda: api.client.get("/ready").json() == READY)
        assert api.ask(EVERYTHING, world.reviewer, author=world.author.id) == whole


def test_the_command_serves_while_all_three_are_away(tmp_path: Path) -> None:
    with closing(socket.socket()) as nobody:
        nobody.bind(("127.0.0.1", 0))
        dead = f"127.0.0.1:{nobody.getsockname()[1]}"
        port = free_port()
        environment = {
            **os.environ,
            "RETOOL_DATABASE_URL": f"postgresql://nobody@{dead}/none",
            "CAMUNDA_URL": f"http://{dead}/engine-rest",
            "AIDBOX_URL": f"http://{dead}/fhir",
            "AUTH": "headers",
            "PORT": str(port),
        }
        command = [sys.executable, "-m", "api", "serve"]
        with subprocess.Popen(command, env=environment, cwd=tmp_path, stderr=subprocess.DEVNULL) as process:  # noqa: S603  # our own
            try:
                ready = first_answer(f"http://127.0.0.1:{port}/ready")
                live = httpx.get(f"http://127.0.0.1:{port}/live", trust_env=False)
            finally:
                process.terminate()
                process.wait()
    assert (ready.status_code, ready.json()["status"]) == (503, "waiting")
    assert (live.status_code, live.json()) == (200, {"status": "live"})
    assert "server" not in live.headers


def first_answer(url: str) -> httpx.Response:
    """The answer, as soon as there is one."""
    until = time.monotonic() + 60
    while True:
        try:
            return httpx.get(url, timeout=30, trust_env=False)
        except httpx.ConnectError:
            assert time.monotonic() < until
            time.sleep(0.1)
