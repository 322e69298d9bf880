"""The API under test and the systems behind it, as tests speak to them: `serving`, `Api`, `Drafts`, and the people."""

import json
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import psycopg
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from api.app import build_app
from api.settings import Settings
from graphql_server.uvicorn_server.header_limits import server_options

SAMPLES = Path(__file__).parent.parent / "sandbox" / "samples"
GOLD = (SAMPLES / "own" / "insuranceplan-gold-ppo.json").read_text("utf-8")


@dataclass(frozen=True)
class Someone:
    """A person with groups, as the request's headers name them."""

    id: str
    groups: tuple[str, ...] = ()

    @property
    def headers(self) -> dict[str, str]:
        return {"X-User-Id": self.id, "X-User-Groups": ",".join(self.groups)}


AUTHOR = Someone("author")
REVIEWER = Someone("reviewer", ("benefit-reviewers",))
SECOND_REVIEWER = Someone("second-reviewer", ("benefit-reviewers",))
ADMIN = Someone("admin", ("benefit-admins",))
AUDITOR = Someone("auditor", ("benefit-auditors",))
STRANGER = Someone("stranger", ("another-group",))


@dataclass(frozen=True)
class Api:
    """The API at an address. Numbers come back as Decimal, so that digits can be compared."""

    client: httpx.Client
    headers: Mapping[str, str] = field(default_factory=dict)

    def post(self, query: str, someone: Someone, **variables: object) -> httpx.Response:
        """One GraphQL request as it is."""
        body = {"query": query, "variables": variables}
        accept = {"Accept": "application/graphql-response+json"}
        return self.client.post("/graphql", json=body, headers={**accept, **someone.headers})

    def answer(self, query: str, someone: Someone, **variables: object) -> dict[str, Any]:
        """The whole body, `data` and `errors`."""
        answer: dict[str, Any] = json.loads(self.post(query, someone, **variables).content, parse_float=Decimal)
        return answer

    def ask(self, query: str, someone: Someone, **variables: object) -> dict[str, Any]:
        """The data of an answer that must have no errors."""
        answer = self.answer(query, someone, **variables)
        assert "errors" not in answer, answer["errors"]
        data: dict[str, Any] = answer["data"]
        return data


@contextmanager
def serving(settings: Settings, *, below: str = "", **parts: Any) -> Iterator[Api]:
    """Serve the API from a thread until the block ends. `parts` are build_app's own.

    `below`: a path before all of its own, which a proxy between would take away.
    """
    app = without_path(build_app(settings, **parts), below)
    server = uvicorn.Server(uvicorn.Config(app, port=0, **server_options()))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "the server did not start"
            thread.join(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as client:
            yield Api(client)
    finally:
        server.should_exit = True
        thread.join()


def without_path(app: ASGIApp, below: str) -> ASGIApp:
    """The application behind a proxy that serves it below a path; other paths are not there."""

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path = scope["path"].removeprefix(below) if scope["path"].startswith(f"{below}/") else "/nothing"
            scope = {**scope, "path": path, "raw_path": path.encode()}
        await app(scope, receive, send)

    return handle if below else app


@dataclass(frozen=True)
class Drafts:
    """The drafts table with its default name and columns."""

    url: str
    held: list[psycopg.Connection[Any]] = field(default_factory=list)

    @property
    def connection(self) -> psycopg.Connection[Any]:
        """A connection in autocommit, made anew after a test has killed the database."""
        try:
            self.held[-1].execute("SELECT 1")
        except (IndexError, psycopg.OperationalError):
            self.held.append(psycopg.connect(self.url, autocommit=True))
        return self.held[-1]

    def new(
        self,
        name: str = "Summit Gold PPO 1500",
        plan: str = GOLD,
        *,
        aidbox_id: str | None = None,
        author: str | None = "author",
    ) -> str:
        """A new draft; its id."""
        draft_id = str(uuid.uuid4())
        self.connection.execute(
            "INSERT INTO benefit_plan_drafts (id, name, plan_data, aidbox_id, created_by) VALUES (%s, %s, %s, %s, %s)",
            [draft_id, name, plan, aidbox_id, author],
        )
        return draft_id

    def row(self, draft_id: str) -> dict[str, Any]:
        """A draft's row as it is; plan_data as text."""
        columns = (
            "id",
            "name",
            "status",
            "plan_data::text",
            "aidbox_id",
            "camunda_process_id",
            "created_by",
            "updated_at",
        )
        cursor = self.connection.execute(
            f"SELECT {', '.join(columns)} FROM benefit_plan_drafts WHERE id = %s",  # noqa: S608  # names of our own
            [draft_id],
        )
        row = cursor.fetchone()
        assert row is not None
        return dict(zip((column.split("::")[0] for column in columns), row, strict=True))

    def edit(self, draft_id: str, *, name: str | None = None, plan: str | None = None) -> None:
        """What an author does in Retool."""
        self.connection.execute(
            "UPDATE benefit_plan_drafts SET name = coalesce(%s, name), plan_data = coalesce(%s::jsonb, plan_data),"
            " updated_at = now() WHERE id = %s",
            [name, plan, draft_id],
        )
