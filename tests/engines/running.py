"""Further engines beside the sandbox's: with authorization on, another history level, another time zone."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from sandbox import HERE
from sandbox.jars import cache_folder, read_list
from sandbox.jvm import java_server
from sandbox.keeper import Keeper
from sandbox.ports import free_port

AUTHENTICATING = Path(__file__).with_name("authenticating.xml")
SETTINGS = HERE / "operaton" / "application.properties"


@contextmanager
def operaton(
    folder: Path, drafts_url: str, name: str, *, level: str = "full", zone: str = "UTC", authorization: bool = False
) -> Iterator[str]:
    """The URL of an engine of its own, with its data in a database of its own beside the drafts."""
    parts = urlsplit(drafts_url)
    with psycopg.connect(drafts_url, dbname="postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    (sources,) = re.findall(r"spring\.main\.sources=((?:.*\\\n)*.*)", SETTINGS.read_text("utf-8"))
    sources = re.sub(r"[\s\\]", "", sources)
    arguments = [f"--spring.config.location=file:{SETTINGS}", f"--operaton.bpm.history-level={level}"]
    if authorization:
        arguments += [
            "--operaton.bpm.authorization.enabled=true",
            f"--spring.main.sources={sources},file:{AUTHENTICATING}",
        ]
    port = free_port()
    with Keeper() as keeper:
        server = java_server(
            name,
            [cache_folder() / jar.path for jar in read_list(HERE / "operaton" / "jars.txt")],
            arguments,
            folder=folder,
            port=port,
            database_port=parts.port or 5432,
            database=name,
            ready=("/engine-rest/version", 401 if authorization else 200),
            keeper=keeper,
            flags=[f"-Duser.timezone={zone}"],
        )
        try:
            server.start()
            yield f"http://127.0.0.1:{port}/engine-rest"
        finally:
            server.stop()
            with psycopg.connect(drafts_url, dbname="postgres", autocommit=True) as connection:
                connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
