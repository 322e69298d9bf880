"""`set_up` on tables in every state, and repeated. By several at once: tests/races."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from psycopg import sql

from api.settings import Settings
from api.upstreams import open_upstreams
from doctor.setup import set_up
from tests.commands.running import new_name
from tests.serving import GOLD, Drafts

pytestmark = pytest.mark.anyio
COLUMNS = [
    ("id", "text"),
    ("name", "text"),
    ("status", "text"),
    ("plan_data", "jsonb"),
    ("aidbox_id", "text"),
    ("camunda_process_id", "character varying(255)"),
    ("created_by", "text"),
    ("updated_at", "timestamp with time zone"),
]


@pytest.fixture
def schema(drafts: Drafts) -> Iterator[str]:
    """A schema of the test's own."""
    name = new_name("apps")
    drafts.connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(name)))
    yield name
    drafts.connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(name)))


async def run(settings: Settings, table: str) -> list[str]:
    async with open_upstreams(settings.model_copy(update={"drafts_table": table})) as upstreams:
        return await set_up(upstreams)


def columns(drafts: Drafts, table: str) -> list[tuple[Any, ...]]:
    return drafts.connection.execute(
        "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute"
        " WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
        [table],
    ).fetchall()


def indexes(drafts: Drafts, table: str) -> list[str]:
    """The names of the indexes of a table, its key left out."""
    found = drafts.connection.execute(
        "SELECT relname FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid"
        " WHERE indrelid = to_regclass(%s) AND NOT indisprimary ORDER BY 1",
        [table],
    ).fetchall()
    return [name for (name,) in found]


def versions(engine: httpx.Client) -> int:
    count: int = engine.get("/process-definition/count", params={"key": "benefit-approval"}).json()["count"]
    return count


async def test_from_nothing_and_repeated(settings: Settings, drafts: Drafts, engine: httpx.Client, schema: str) -> None:
    table, before = f"{schema}.benefit_plan_drafts", versions(engine)
    told = [
        f"{table}: table, column and index are there",
        "benefit-approval.bpmn: deployed already",
        "benefit-notification.bpmn: deployed already",
    ]
    for _ in range(2):
        assert await run(settings, table) == told
        assert columns(drafts, table) == COLUMNS
        assert indexes(drafts, table) == ["idx_draft_process"]
    assert versions(engine) == before


async def test_a_table_with_drafts_gets_the_column_and_keeps_the_rest(
    settings: Settings, drafts: Drafts, schema: str
) -> None:
    table = f"{schema}.benefit_plan_drafts"
    drafts.connection.execute(
        f"CREATE TABLE {table} (id serial PRIMARY KEY, name varchar(80), status varchar(20), plan_data json,"
        " aidbox_id text, created_by text, updated_at timestamp, colour text)"
    )
    drafts.connection.execute(f"INSERT INTO {table} (name, plan_data) VALUES ('Gold', %s)", [GOLD])  # noqa: S608
    rows = f"SELECT id, name, status, plan_data::text, colour, xmin::text FROM {table}"  # noqa: S608
    before = drafts.connection.execute(rows).fetchall()
    await run(settings, table)
    assert drafts.connection.execute(rows).fetchall() == before
    assert columns(drafts, table)[-2:] == [("colour", "text"), ("camunda_process_id", "character varying(255)")]
    assert indexes(drafts, table) == ["idx_draft_process"]


async def test_an_index_of_another_name_will_do(settings: Settings, drafts: Drafts, schema: str) -> None:
    table = f"{schema}.benefit_plan_drafts"
    await run(settings, table)
    drafts.connection.execute(f"DROP INDEX {schema}.idx_draft_process")
    drafts.connection.execute(f"CREATE INDEX by_workflow ON {table} (camunda_process_id, updated_at)")
    await run(settings, table)
    assert indexes(drafts, table) == ["by_workflow"]


async def test_two_tables_of_one_schema_both_have_an_index(settings: Settings, drafts: Drafts, schema: str) -> None:
    for name in ("benefit_plan_drafts", "other_drafts"):
        await run(settings, f"{schema}.{name}")
    assert indexes(drafts, f"{schema}.benefit_plan_drafts") == ["idx_draft_process"]
    assert indexes(drafts, f"{schema}.other_drafts") == ["idx_draft_process_other_drafts"]


@pytest.mark.timeout(60)
async def test_a_table_that_is_ready_is_not_locked(settings: Settings, drafts: Drafts, schema: str) -> None:
    """A reader's transaction is open all the while, and would keep an ALTER TABLE waiting."""
    table = f"{schema}.benefit_plan_drafts"
    await run(settings, table)
    with drafts.connection.transaction():
        drafts.connection.execute(f"SELECT count(*) FROM {table}")  # noqa: S608
        assert (await run(settings, table))[0] == f"{table}: table, column and index are there"
