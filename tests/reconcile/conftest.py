"""The first version's process beside ours, and drafts in it as that version's API left them."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.coordination.policy import policy_of
from api.coordination.process.reconcile import Sweep, sweep
from api.settings import Settings
from api.upstreams import open_upstreams
from doctor.setup import MODEL
from resilience.postgres.pool import Connection
from sandbox import Sandbox
from tests.serving import Drafts
from tests.stories.behind import Behind
from tests.stories.conftest import behind
from tests.wiretap import Send, tapped, tapped_database

__all__ = ["behind"]

FIRST_VERSION = Path(__file__).parent / "first-version.bpmn"


@pytest.fixture(scope="session")
def first_version(sandbox: Sandbox, engine: httpx.Client) -> str:
    """The definition id of the first version's model; ours is the newest again when a test begins."""
    assert sandbox.camunda_url  # deploys to an engine of our own only
    deployed: dict[str, str] = _deploy(engine, FIRST_VERSION)
    (definition_id,) = deployed
    assert _deploy(engine, MODEL)
    return definition_id


def _deploy(engine: httpx.Client, model: Path) -> dict[str, str]:
    files = {MODEL.name: (MODEL.name, model.read_bytes(), "application/xml")}
    answer = engine.post("/deployment/create", data={"deployment-name": "benefit-approval"}, files=files)
    assert answer.is_success, answer.text
    found: dict[str, str] = answer.json()["deployedProcessDefinitions"]
    return found


@dataclass(frozen=True)
class FirstVersion:
    """Its API: started the process, noted its id on the draft, and was to do the rest when it heard of the end."""

    behind: Behind
    definition_id: str

    def submitted(self, draft_id: str, **variables: str | None) -> str:
        """A draft of it in approval; the process id."""
        given = {"draftId": draft_id, "draftSource": "retool", "submittedBy": "author", **variables}
        typed = {name: {"value": value, "type": "String"} for name, value in given.items()}
        body = {"businessKey": draft_id, "variables": typed}
        answer = self.behind.engine.post(f"/process-definition/{self.definition_id}/start", json=body)
        assert answer.is_success, answer.text
        process_id = str(answer.json()["id"])
        self.behind.drafts.connection.execute(
            "UPDATE benefit_plan_drafts SET status = 'submitted', camunda_process_id = %s, updated_at = now()"
            " WHERE id = %s",
            [process_id, draft_id],
        )
        return process_id

    def decided(self, draft_id: str, **variables: bool) -> None:
        """Somebody completed its task in Tasklist, which ends the process; nobody told the draft."""
        (task,) = self.behind.tasks(draft_id)
        self.behind.complete(task["id"], **variables)
        assert self.behind.active(draft_id) == []


@pytest.fixture
def first(behind: Behind, first_version: str) -> FirstVersion:
    return FirstVersion(behind, first_version)


@dataclass
class Calls:
    """What a sweep asked: `METHOD /path` of each request, and the first word of each statement."""

    requests: list[str] = field(default_factory=list)
    statements: list[str] = field(default_factory=list)

    async def request(self, request: httpx.Request, send: Send) -> httpx.Response:
        self.requests.append(f"{request.method} {request.url.path}")
        return await send(request)

    async def statement(self, _connection: Connection, text: str, execute: Callable[[], Awaitable[Any]]) -> Any:
        self.statements.append(text.split(maxsplit=1)[0])
        return await execute()


Swept = tuple[list[Sweep | None], Calls]


@asynccontextmanager
async def sweeping(settings: Settings, calls: Calls) -> AsyncIterator[Callable[[str | None], Any]]:
    """`sweep`, with its calls counted."""
    transports, connection_class = tapped(calls.request), tapped_database(statement=calls.statement)
    async with open_upstreams(settings, transports=transports, connection_class=connection_class) as upstreams:
        await upstreams.retool.draft("the types of the columns are asked once")

        async def once(after_id: str | None) -> Sweep | None:
            return await sweep(upstreams, policy_of(settings), after_id)

        yield once


@dataclass(frozen=True)
class Table:
    """A drafts table of its own, so that a sweep of it sees what the test put there."""

    drafts: Drafts
    settings: Settings

    def insert(self, rows: Sequence[tuple[str, str, str | None]]) -> None:
        """Drafts as (id, status, process id)."""
        with self.drafts.connection.cursor() as cursor:
            cursor.executemany(
                f"INSERT INTO {self.settings.drafts_table} (id, name, plan_data, status, camunda_process_id)"  # noqa: S608  # names of our own
                " VALUES (%s, 'A plan', '{}', %s, %s)",
                rows,
            )

    def statuses(self) -> dict[str, str]:
        found = self.drafts.connection.execute(f"SELECT id, status FROM {self.settings.drafts_table}")  # noqa: S608  # as above
        return dict(found.fetchall())


@pytest.fixture
def table(settings: Settings, drafts: Drafts, request: pytest.FixtureRequest) -> Iterator[Table]:
    name = f"drafts_{abs(hash(request.node.nodeid)) % 10**9}"
    drafts.connection.execute(f"CREATE TABLE {name} (LIKE benefit_plan_drafts INCLUDING ALL)")
    yield Table(drafts, settings.model_copy(update={"drafts_table": name}))
    drafts.connection.execute(f"DROP TABLE {name}")
