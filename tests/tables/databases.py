"""Databases as they are elsewhere: of another encoding, with other settings, behind a pooler."""

import os
import shutil
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from pydantic import SecretStr

from api.settings import Settings
from tests.serving import Api, serving
from tests.tables.shapes import Shape, Table, make


@contextmanager
def database(url: str, *, encoding: str = "UTF8", settings: Mapping[str, str] = MappingProxyType({})) -> Iterator[str]:
    """A database of its own; its URL. `settings` hold for every session in it."""
    name = f"other_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(url, autocommit=True) as connection:
        made = "CREATE DATABASE {} TEMPLATE template0 ENCODING {} LOCALE_PROVIDER libc LOCALE 'C'"
        connection.execute(sql.SQL(made).format(sql.Identifier(name), sql.Literal(encoding)))
        for setting, value in settings.items():
            altered = sql.SQL("ALTER DATABASE {} SET {} TO {}")
            connection.execute(altered.format(sql.Identifier(name), sql.Identifier(setting), sql.Literal(value)))
        try:
            yield url.replace(f"/{conninfo_to_dict(url)['dbname']}", f"/{name}")
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def served(settings: Settings, url: str, shape: Shape, *, through: str | None = None) -> Iterator[tuple[Table, Api]]:
    """An API on a table of this shape in a database; `through`: another URL that it is reached by."""
    with psycopg.connect(url, autocommit=True, client_encoding="UTF8") as connection:
        table = make(connection, settings.model_copy(update={"retool_database_url": SecretStr(through or url)}), shape)
        with serving(table.settings) as api:
            yield table, api


@contextmanager
def pooled(url: str, folder: Path) -> Iterator[str]:
    """PgBouncer in transaction mode before a server, with two connections to it; the URL to reach the database by."""
    binary = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if binary is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("there is no pgbouncer here")
    parts = conninfo_to_dict(url)
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    (folder / "users.txt").write_text('"postgres" ""\n')
    (folder / "pgbouncer.ini").write_text(
        f"""[databases]
* = host={parts["host"]} port={parts["port"]} user={parts["user"]} password={parts["password"]}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
auth_file = {folder}/users.txt
pool_mode = transaction
default_pool_size = 2
server_reset_query_always = 0
"""
    )
    command = [binary, str(folder / "pgbouncer.ini")]
    if os.geteuid() == 0:
        folder.chmod(0o755)
        command[1:1] = ["-u", "nobody"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:  # noqa: S603  # of the system
        try:
            _until_answering(port)
            yield url.replace(f":{parts['port']}/", f":{port}/")
        finally:
            running.terminate()


def _until_answering(port: int) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert time.monotonic() < deadline, "pgbouncer did not start"
            time.sleep(0.05)
        else:
            return
