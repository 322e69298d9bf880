"""Behind PgBouncer in transaction mode: each statement may go to another session, and none keeps what one has set."""

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from api.settings import Settings
from tests.commands.running import run
from tests.serving import AUTHOR, GOLD, REVIEWER, Api
from tests.tables.databases import database, pooled, served
from tests.tables.shapes import Shape, Table
from tests.verbs import COMPLETE, open_task, perform, submitted

PAGE = "query P($name: String) { drafts(filter: {nameContains: $name}) { items { name updatedAt } } }"


@pytest.fixture(scope="module", params=["UTF8", "LATIN1", "SQL_ASCII"])
def behind_pooler(
    request: pytest.FixtureRequest, settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Table, Api, str]]:
    url, folder = settings.retool_database_url.get_secret_value(), tmp_path_factory.mktemp("pooler")
    given = {"TimeZone": "Asia/Kolkata", "DateStyle": "German", "client_encoding": "SQL_ASCII"}
    with (
        database(url, encoding=request.param, settings=given) as own,
        pooled(own, folder) as through,
        served(settings, own, Shape("pooled"), through=through) as (table, api),
    ):
        yield table, api, through


def test_the_life_of_a_draft(behind_pooler: tuple[Table, Api, str]) -> None:
    """And what another program's session has set for itself meanwhile is nothing to ours."""
    table, api, through = behind_pooler
    name = f"Prämie {uuid.uuid4().hex}"
    draft_id = table.insert(id=str(uuid.uuid4()), name=name, plan_data=GOLD, created_by="author",
                            updated_at="2026-03-01 12:00:00+00")  # fmt: skip
    with psycopg.connect(through, autocommit=True, prepare_threshold=None) as other:
        other.execute("SET DateStyle TO 'SQL, MDY'; SET client_encoding TO 'LATIN1'; SET TimeZone TO 'America/Lima'")
        found = api.ask(PAGE, AUTHOR, name=name)["drafts"]["items"]
        assert found == [{"name": name, "updatedAt": "2026-03-01T12:00:00Z"}]
        submitted(api, draft_id, AUTHOR)
        payload = perform(api, COMPLETE, REVIEWER, taskId=open_task(api, draft_id), approved=True)
    assert (payload["status"], payload["userErrors"]) == ("APPROVED", [])


def test_more_requests_than_sessions(behind_pooler: tuple[Table, Api, str]) -> None:
    table, api, _ = behind_pooler
    name = f"Ämter {uuid.uuid4().hex}"
    table.insert(id=str(uuid.uuid4()), name=name, plan_data=GOLD, created_by="author")
    with ThreadPoolExecutor(12) as pool:
        pages = list(pool.map(lambda _: api.ask(PAGE, AUTHOR, name=name)["drafts"]["items"], range(60)))
    assert {page[0]["name"] for page in pages} == {name}
    assert len(pages) == 60


def test_setup_and_check_work_through_it(behind_pooler: tuple[Table, Api, str], settings: Settings) -> None:
    table, _, through = behind_pooler
    for _ in range(2):
        assert run(settings, "setup", DRAFTS_TABLE=table.parts[0], RETOOL_DATABASE_URL=through).code == 0
    ran = run(settings, "check", DRAFTS_TABLE=table.parts[0], RETOOL_DATABASE_URL=through)
    assert [line for line in ran.lines if line.startswith("wrong")] == []
    assert any(line.startswith("ok      drafts database: PostgreSQL") for line in ran.lines)
