"""What a run plays on: two replicas of the API as processes, a wire between each of them and each system, a balancer.

Used by run.py. The three systems are the sandbox's own, which can be killed and paused.
"""

import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from sandbox import Sandbox
from sandbox.keeper import Keeper
from sandbox.ports import free_port
from sandbox.server import Server
from tests.degraded.conftest import at_port
from tests.wire import Wire, wire

SYSTEMS = ("retool", "camunda", "aidbox")
SETTINGS = {
    "AUTH": "headers",
    "HOST": "127.0.0.1",
    "WORKER": "true",
    "WORKER_POLL_SECONDS": "0.5",
    "LOCK_SECONDS": "6",  # short, so that locks end in the middle of what a fault holds up
    "SETTLE_SECONDS": "5",
    "RETOOL_TIMEOUT": "3",
    "CAMUNDA_TIMEOUT": "3",
    "AIDBOX_TIMEOUT": "3",
    "VALIDATE_PLANS": "false",  # HAPI's first validation takes longer than that
}


@dataclass(frozen=True)
class Replica:
    """One `plan-api serve`, with a wire to each system."""

    name: str
    port: int
    server: Server
    wires: dict[str, Wire]


@dataclass(frozen=True)
class Stage:
    """Everything that can have a fault."""

    sandbox: Sandbox
    replicas: list[Replica]

    @property
    def systems(self) -> dict[str, Server]:
        sandbox = self.sandbox
        return {"retool": sandbox.postgres, "camunda": sandbox.engine_server, "aidbox": sandbox.store}


@contextmanager
def set_stage(sandbox: Sandbox, logs: Path) -> Iterator[Stage]:
    """Two replicas, answering. What they log is appended to `logs`/<name>.log."""
    with Keeper() as keeper, ExitStack() as stack:
        replicas = [_replica(name, sandbox, logs, keeper, stack) for name in ("api-1", "api-2")]
        for replica in replicas:
            stack.callback(replica.server.stop)
            replica.server.start()
        yield Stage(sandbox, replicas)


def _replica(name: str, sandbox: Sandbox, logs: Path, keeper: Keeper, stack: ExitStack) -> Replica:
    urls = (sandbox.retool_database_url, sandbox.camunda_url, sandbox.aidbox_url)
    wires, through = {}, []
    for system, url in zip(SYSTEMS, urls, strict=True):
        parts = urlsplit(url)
        assert parts.hostname
        assert parts.port
        wires[system] = stack.enter_context(wire(parts.hostname, parts.port))
        through.append(at_port(url, wires[system].port))
    port = free_port()
    user = {"CAMUNDA_USERNAME": sandbox.camunda_username, "CAMUNDA_PASSWORD": sandbox.camunda_password}
    addresses = dict(zip(("RETOOL_DATABASE_URL", "CAMUNDA_URL", "AIDBOX_URL"), through, strict=True))
    kept = {key: value for key, value in os.environ.items() if key in ("PATH", "HOME", "LD_LIBRARY_PATH")}
    command = f"exec {shlex.quote(sys.executable)} -m api serve >> {shlex.quote(str(logs / name))}.log 2>&1"
    server = Server(
        name,
        ["/bin/sh", "-c", command],
        keeper=keeper,
        log=logs / f"{name}-shell.log",
        is_ready=lambda: _lives(port),
        environment={**kept, **SETTINGS, **addresses, **user, "PORT": str(port)},
    )
    return Replica(name, port, server, wires)


def _lives(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/live", timeout=5, trust_env=False).status_code == 200
    except httpx.TransportError:
        return False
