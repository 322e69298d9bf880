"""The three real systems on one machine that has Python only: PostgreSQL, a process engine, a FHIR store.

All three keep their data in the embedded PostgreSQL,
below one folder; whatever way this process ends, nothing of them is left running.
"""

import fcntl
import shutil
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from sandbox.engines import ENGINES, HERE, Engine, class_path, jars_of
from sandbox.jars import cache_folder, fetch, read_list
from sandbox.jvm import java_server
from sandbox.keeper import Keeper
from sandbox.passwords import Passwords, passwords_of
from sandbox.ports import free_listener, listener_at, port_of
from sandbox.postgres import database_url, make_databases, postgres_server
from sandbox.server import SandboxError, Server

__all__ = ["Engine", "Ports", "Sandbox", "SandboxError", "Server", "running"]

ENGINE_USER = "demo"  # the administrator that all engines' settings name


@dataclass(frozen=True)
class Ports:
    """0: a free one."""

    postgres: int = 0
    engine: int = 0
    store: int = 0


ANY_PORTS = Ports()


@dataclass(frozen=True)
class Sandbox:
    """Where the three systems answer, and the handles to stop, kill and pause them."""

    engine: Engine
    retool_database_url: str
    camunda_url: str
    camunda_username: str
    camunda_password: str
    cockpit_url: str
    aidbox_url: str
    postgres: Server
    engine_server: Server
    store: Server

    @property
    def camunda_address(self) -> str:
        """The engine's URL with user and password in it, as plain HTTP clients take it."""
        return self.camunda_url.replace("://", f"://{self.camunda_username}:{self.camunda_password}@", 1)

    @property
    def settings(self) -> dict[str, str]:
        """The settings by which the service finds these systems."""
        return {
            "retool_database_url": self.retool_database_url,
            "camunda_url": self.camunda_url,
            "camunda_username": self.camunda_username,
            "camunda_password": self.camunda_password,
            "aidbox_url": self.aidbox_url,
        }


@contextmanager
def running(
    folder: Path,
    *,
    engine: Engine = "operaton",
    ports: Ports = ANY_PORTS,
    durable: bool = True,
    fresh: bool = False,
    engine_timezone: str = "UTC",
    console: Console,
) -> Iterator[Sandbox]:
    """The sandbox with its data in `folder`, all three ready. `durable=False`: only a power cut may lose commits."""
    folder = folder.absolute()
    with _sole_user(folder), Keeper() as keeper, ExitStack() as ending:
        # only what a sandbox makes: the folder may have been given by mistake
        for made in ("postgres", "logs", "temporary", "passwords.json") if fresh else ("temporary",):
            _remove(folder / made)
        fetch([*jars_of(engine), *read_list(HERE / "hapi" / "jars.txt")], console)
        passwords = passwords_of(folder)
        sandbox = _assemble(
            folder, engine, _chosen(ports), passwords, keeper, durable=durable, engine_timezone=engine_timezone
        )
        ending.callback(_stop, sandbox)
        _start(sandbox, console)
        yield sandbox


def _remove(path: Path) -> None:
    if path.is_file():
        path.unlink()
    else:
        shutil.rmtree(path, ignore_errors=True)


def _assemble(
    folder: Path,
    engine: Engine,
    ports: Ports,
    passwords: Passwords,
    keeper: Keeper,
    *,
    durable: bool,
    engine_timezone: str,
) -> Sandbox:
    return Sandbox(
        engine=engine,
        retool_database_url=database_url(ports.postgres, "retool", passwords.postgres),
        camunda_url=f"http://127.0.0.1:{ports.engine}/engine-rest",
        camunda_username=ENGINE_USER,
        camunda_password=passwords.engine,
        cockpit_url=f"http://127.0.0.1:{ports.engine}/{ENGINES[engine].webapp}/app/cockpit/default/",
        aidbox_url=f"http://127.0.0.1:{ports.store}/fhir",
        postgres=postgres_server(
            folder / "postgres", ports.postgres, passwords.postgres, durable=durable, keeper=keeper
        ),
        engine_server=_engine(folder, engine, ports, passwords, keeper, engine_timezone),
        store=_store(folder, ports, passwords, keeper),
    )


def _engine(folder: Path, engine: Engine, ports: Ports, passwords: Passwords, keeper: Keeper, timezone: str) -> Server:
    program, temporary = ENGINES[engine], folder / "temporary"
    temporary.mkdir(exist_ok=True)
    return java_server(
        program.name,
        class_path(engine, temporary),
        [f"--spring.config.location=file:{program.settings / 'application.properties'}"],
        folder=folder,
        port=ports.engine,
        database_port=ports.postgres,
        database="engine",
        # asked without the password, so the answer is that one is needed
        ready=("/engine-rest/version", 401),
        environment={
            "POSTGRES_PASSWORD": passwords.postgres,
            "ENGINE_PASSWORD": passwords.engine,
            "FILTERS": f"file:{program.settings / 'filters.xml'}",
        },
        keeper=keeper,
        # its pool hands out no connection that died with a killed PostgreSQL
        flags=[f"-Duser.timezone={timezone}", "-Dcom.zaxxer.hikari.aliveBypassWindowMs=0"],
    )


def _store(folder: Path, ports: Ports, passwords: Passwords, keeper: Keeper) -> Server:
    settings, beans = HERE / "hapi" / "application.properties", HERE / "hapi" / "beans.xml"
    return java_server(
        "HAPI FHIR",
        [cache_folder() / jar.path for jar in read_list(HERE / "hapi" / "jars.txt")],
        [f"--spring.config.location=file:{settings}", f"--spring.main.sources=file:{beans}"],
        folder=folder,
        port=ports.store,
        database_port=ports.postgres,
        database="fhir",
        # a missing resource, because /metadata takes the store seconds to put together
        ready=("/fhir/InsurancePlan/none", 404),
        environment={"POSTGRES_PASSWORD": passwords.postgres},
        keeper=keeper,
    )


def _start(sandbox: Sandbox, console: Console) -> None:
    """PostgreSQL first; then the two that need it, side by side."""
    _launch_and_wait([sandbox.postgres], console)
    make_databases(sandbox.retool_database_url)
    _launch_and_wait([sandbox.engine_server, sandbox.store], console)


def _launch_and_wait(servers: Sequence[Server], console: Console) -> None:
    began = time.monotonic()
    for server in servers:
        server.launch()
    for server in servers:
        with console.status(f"Starting {server.name}"):
            server.wait_until_ready()
        console.print(f"{server.name} is ready after {time.monotonic() - began:.1f} s")


def _stop(sandbox: Sandbox) -> None:
    """The two that hold connections first, side by side; PostgreSQL last."""
    sandbox.postgres.resume()  # paused, it would keep the two from ending
    sandbox.engine_server.ask_to_stop()
    sandbox.store.ask_to_stop()
    sandbox.engine_server.stop()
    sandbox.store.stop()
    sandbox.postgres.stop()


def _chosen(ports: Ports) -> Ports:
    """Every port is held until all three are known, so that no two are the same."""
    with ExitStack() as held:
        wanted = (ports.postgres, ports.engine, ports.store)
        return Ports(*(port_of(held.enter_context(_held(port))) for port in wanted))


def _held(wanted: int) -> socket.socket:
    try:
        return listener_at(wanted) if wanted else free_listener()
    except OSError as error:
        raise SandboxError(f"Port {wanted} is in use." if wanted else f"There is no port: {error}.") from error


@contextmanager
def _sole_user(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "in-use").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise SandboxError(f"Another sandbox is running in {folder}.") from error
        yield
