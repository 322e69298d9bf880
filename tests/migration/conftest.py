"""The service with a database, made up: a database of its own, its table, and processes as it started them."""

import asyncio
import os
import sys
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from typer.testing import CliRunner, Result

from api import __main__ as command_line
from api.coordination.policy import policy_of
from api.settings import Settings
from api.upstreams import open_upstreams
from migration import Entry, import_rows, reading
from migration.old_table import FIELDS, OldTable
from tests.engine_access import engine_environment
from tests.reconcile.conftest import first_version
from tests.stories.behind import Behind
from tests.stories.conftest import behind

__all__ = ["behind", "first_version"]

ROOT = Path(__file__).parents[2]
IN_APPROVAL = "in_review"


@dataclass(frozen=True)
class Old:
    """The old service: a table of its own for each test, and the model of its processes."""

    settings: Settings
    behind: Behind
    connection: psycopg.Connection[Any]
    table: OldTable
    definition_id: str

    def row(
        self, draft_id: str | None, process_id: str | None = None, status: str = IN_APPROVAL, **more: object
    ) -> None:
        """A row; `submitted_at` is now, unless it is given."""
        values = {"draft_id": draft_id, "process_id": process_id, "status": status, **more}
        columns = ", ".join(values)
        marks = ", ".join(["%s"] * len(values))
        self.connection.execute(
            f"INSERT INTO {self.table.table} ({columns}) VALUES ({marks})",  # noqa: S608  # names of our own
            list(values.values()),
        )

    def empty(self) -> None:
        """Delete all rows."""
        self.connection.execute(f"TRUNCATE {self.table.table}")

    def start(self, business_key: str | None, **variables: str) -> str:
        """A process as the old service started it, with these variables alone."""
        typed = {name: {"value": value, "type": "String"} for name, value in variables.items()}
        body = {"businessKey": business_key, "variables": typed}
        answer = self.behind.engine.post(f"/process-definition/{self.definition_id}/start", json=body)
        assert answer.is_success, answer.text
        return str(answer.json()["id"])

    def decide(self, process_id: str, **variables: bool) -> None:
        """Complete the one task of a process in Tasklist, which ends it."""
        (task,) = self.behind.engine.get("/task", params={"processInstanceId": process_id}).json()
        self.behind.complete(task["id"], **variables)

    def submitted(self, *, status: str = IN_APPROVAL, author: str = "author", **variables: str) -> tuple[str, str]:
        """A draft in approval, of which its own row says nothing; its id and its process."""
        draft_id = self.behind.drafts.new()
        process_id = self.start(draft_id, **variables)
        self.row(draft_id, process_id, status, submitted_by=author)
        return draft_id, process_id

    def imported(self, **parts: Any) -> list[Entry]:
        """Import; what became of each row, in the order of drafts."""
        return asyncio.run(self.entries(is_dry_run=False, **parts))

    def foretold(self) -> list[Entry]:
        """What a dry run says."""
        return asyncio.run(self.entries(is_dry_run=True))

    async def entries(self, *, is_dry_run: bool, **parts: Any) -> list[Entry]:
        """As above, in a running event loop; `parts` are those of `open_upstreams`."""
        async with open_upstreams(self.settings, **parts) as upstreams, reading(self.table) as (_, pages):
            rows = import_rows(upstreams, policy_of(self.settings), pages, is_dry_run=is_dry_run)
            return [entry async for entry in rows]

    def command(self, *words: str) -> Sequence[str]:
        """The words of `plan-api import`."""
        return [sys.executable, "-m", "api", "import", "--from", self.table.dsn, "--table", self.table.table, *words]

    @property
    def environment(self) -> dict[str, str]:
        """Of the command."""
        return {
            **os.environ,
            **engine_environment(self.settings),
            "RETOOL_DATABASE_URL": self.settings.retool_database_url.get_secret_value(),
            "AIDBOX_URL": self.settings.aidbox_url,
            "DRAFTS_TABLE": self.settings.drafts_table,
        }

    def run(self, *words: str) -> Result:
        """Run `plan-api import` in this process."""
        return CliRunner().invoke(command_line.app, self.command(*words)[3:], env=self.environment)


@pytest.fixture(scope="session")
def old_dsn(settings: Settings) -> Iterator[str]:
    """The old service's database."""
    url, name = settings.retool_database_url.get_secret_value(), f"old_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    yield make_conninfo(url, dbname=name)
    # by a connection of its own: tests in between kill the database
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def old(settings: Settings, behind: Behind, old_dsn: str, first_version: str) -> Iterator[Old]:
    """The old service, with an empty table."""
    name = f"orchestration_{uuid.uuid4().hex[:8]}"
    table = OldTable(old_dsn, name, {field: field for field in FIELDS})
    with psycopg.connect(old_dsn, autocommit=True) as connection:
        connection.execute(
            f"CREATE TABLE {name} (draft_id text, process_id text, status text, submitted_by text,"
            " submitted_at timestamptz DEFAULT clock_timestamp(), base_version text)"
        )
        yield Old(settings, behind, connection, table, first_version)


@pytest.fixture
def of_its_own(old: Old) -> Iterator[Old]:
    """The same with a drafts table of its own."""
    name = f"drafts_{uuid.uuid4().hex[:8]}"
    drafts = old.behind.drafts.connection
    drafts.execute(f"CREATE TABLE {name} (LIKE benefit_plan_drafts INCLUDING ALL)")
    yield replace(old, settings=old.settings.model_copy(update={"drafts_table": name}))
    drafts.execute(f"DROP TABLE {name}")
