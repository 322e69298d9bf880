"""Further engines beside the sandbox's: with authorization on, another history level, another time zone."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from api.settings import Settings
from sandbox.engines import ENGINES, class_path
from sandbox.jvm import java_server
from sandbox.keeper import Keeper
from sandbox.ports import free_port
from tests.engine_access import engine_settings

SETTINGS = ENGINES["operaton"].settings
USER = PASSWORD = "demo"  # of each engine's administrator


@contextmanager
def operaton(
    folder: Path,
    drafts_url: str,
    name: str,
    *,
    level: str = "full",
    zone: str = "UTC",
    authorization: bool = False,
    runs_jobs: bool = True,
) -> Iterator[str]:
    """The address, user and password included, of an engine with a database of its own beside the drafts."""
    parts = urlsplit(drafts_url)
    with psycopg.connect(drafts_url, dbname="postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    arguments = [
        f"--spring.config.location=file:{SETTINGS / 'application.properties'}",
        f"--operaton.bpm.history-level={level}",
    ]
    if authorization:
        arguments.append("--operaton.bpm.authorization.enabled=true")
    if not runs_jobs:
        arguments.append("--operaton.bpm.job-execution.enabled=false")
    port = free_port()
    with Keeper() as keeper:
        server = java_server(
            name,
            class_path("operaton", folder),
            arguments,
            folder=folder,
            port=port,
            database_port=parts.port or 5432,
            database=name,
            ready=("/engine-rest/version", 401),
            environment={
                "POSTGRES_PASSWORD": parts.password or "",
                "ENGINE_PASSWORD": PASSWORD,
                "FILTERS": f"file:{SETTINGS / 'filters.xml'}",
            },
            keeper=keeper,
            flags=[f"-Duser.timezone={zone}"],
        )
        try:
            server.start()
            yield f"http://{USER}:{PASSWORD}@127.0.0.1:{port}/engine-rest"
        finally:
            server.stop()
            with psycopg.connect(drafts_url, dbname="postgres", autocommit=True) as connection:
                connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def on_engine(settings: Settings, address: str) -> Settings:
    """These settings with that engine, asked as its administrator; it has just started, and may be slow."""
    changed = {**engine_settings(address), "camunda_timeout": 30.0}
    return settings.model_validate({**settings.model_dump(), **changed})
