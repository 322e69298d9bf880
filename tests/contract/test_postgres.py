"""PostgreSQL: canonical JSON, fingerprints, conditional updates under concurrency, locks."""

import hashlib
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from psycopg import sql

from tests.conftest import Systems
from tests.serving import Drafts
from tests.unit.test_resilience_page import example

FINGERPRINT = "SELECT encode(sha256(convert_to(jsonb_build_array(%s::text, %s::text)::text, 'UTF8')), 'hex')"
REGISTER = (
    "UPDATE benefit_plan_drafts SET status = 'submitted', camunda_process_id = %s"
    " WHERE id = %s AND lower(status) IS DISTINCT FROM 'submitted' AND camunda_process_id IS NOT DISTINCT FROM %s"
    " RETURNING 1"
)


@pytest.fixture
def draft_id(drafts: Drafts, settings: object) -> str:
    assert settings is not None  # the table is there
    return drafts.new()


@contextmanager
def connected(systems: Systems) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(systems.retool_database_url, autocommit=True) as connection:
        yield connection


def value(drafts: Drafts, statement: str, *values: object) -> object:
    row = drafts.connection.execute(statement.encode(), values).fetchone()
    assert row is not None
    return row[0]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ('{"b":1,   "a" : 2}', '{"a": 2, "b": 1}'),
        ('{"value": 1500.00}', '{"value": 1500.00}'),
        ('{"value": 1500.0}', '{"value": 1500.0}'),
        ('{"value": 0.10}', '{"value": 0.10}'),
        ('{"value": 12345678901234567890.123456789}', '{"value": 12345678901234567890.123456789}'),
        ('{"value": 1e3}', '{"value": 1000}'),
        ('"\\u00c4"', '"Ä"'),
        ('{"a": 1, "a": 2}', '{"a": 2}'),
    ],
)
def test_jsonb_has_one_text_and_keeps_digits(written: str, read: str, drafts: Drafts) -> None:
    assert value(drafts, "SELECT %s::jsonb::text", written) == read


def test_the_fingerprint_is_that_of_name_and_text(drafts: Drafts) -> None:
    expected = hashlib.sha256('["Gold \\"1\\" Ä", "{\\"value\\": 1500.00}"]'.encode()).hexdigest()
    assert value(drafts, FINGERPRINT, 'Gold "1" Ä', '{"value": 1500.00}') == expected


def test_the_fingerprint_tells_name_from_plan_and_null_from_nothing(drafts: Drafts) -> None:
    pairs = [("a", "b"), ("ab", ""), ("", "ab"), (None, "ab"), ("ab", None), ("a", '"b'), ('a"', "b"), ("a", "b ")]
    assert len({value(drafts, FINGERPRINT, *pair) for pair in pairs}) == len(pairs)


def test_of_many_conditional_updates_one_changes_the_row(systems: Systems, drafts: Drafts, draft_id: str) -> None:
    def register(_: int) -> str | None:
        process_id = str(uuid.uuid4())
        with connected(systems) as connection:
            start.wait()
            return process_id if connection.execute(REGISTER, [process_id, draft_id, None]).fetchone() else None

    start = threading.Barrier(6)
    with ThreadPoolExecutor(6) as pool:
        winners = [process_id for process_id in pool.map(register, range(6)) if process_id]
    assert len(winners) == 1
    assert drafts.row(draft_id)["camunda_process_id"] == winners[0]


def test_an_update_that_had_to_wait_looks_at_the_row_again(systems: Systems, drafts: Drafts, draft_id: str) -> None:
    """The isolation level is read committed: the loser waits for the winner, then finds its condition gone."""
    with connected(systems) as first, connected(systems) as second, ThreadPoolExecutor(1) as pool:
        assert second.execute("SHOW transaction_isolation").fetchone() == ("read committed",)
        with first.transaction():
            assert first.execute(REGISTER, ["winner", draft_id, None]).fetchone() == (1,)
            late = pool.submit(lambda: second.execute(REGISTER, ["loser", draft_id, None]).fetchone())
            until_waiting(drafts, second)
        assert late.result() is None
    assert drafts.row(draft_id)["camunda_process_id"] == "winner"


def test_an_update_that_waited_for_a_rollback_goes_on(systems: Systems, drafts: Drafts, draft_id: str) -> None:
    with connected(systems) as first, connected(systems) as second, ThreadPoolExecutor(1) as pool:
        with first.transaction(force_rollback=True):
            first.execute(REGISTER, ["undone", draft_id, None])
            late = pool.submit(lambda: second.execute(REGISTER, ["winner", draft_id, None]).fetchone())
            until_waiting(drafts, second)
        assert late.result() == (1,)
    assert drafts.row(draft_id)["camunda_process_id"] == "winner"


def until_waiting(drafts: Drafts, connection: psycopg.Connection[Any]) -> None:
    """Until a connection waits for a lock, as the server itself sees it."""
    deadline = time.monotonic() + 100
    waiting = "SELECT coalesce(wait_event_type = 'Lock', false) FROM pg_stat_activity WHERE pid = %s"
    while not value(drafts, waiting, connection.info.backend_pid):
        assert time.monotonic() < deadline, "it does not wait"
        time.sleep(0.01)


def test_an_advisory_lock_lasts_as_long_as_its_transaction(systems: Systems) -> None:
    number = uuid.uuid4().int % 2**62
    with connected(systems) as first, connected(systems) as second:
        for undone in (True, False):
            with first.transaction(force_rollback=undone):
                first.execute("SELECT pg_advisory_xact_lock(%s)", [number])
                assert second.execute("SELECT pg_try_advisory_xact_lock(%s)", [number]).fetchone() == (False,)
            assert second.execute("SELECT pg_try_advisory_xact_lock(%s)", [number]).fetchone() == (True,)


def test_an_empty_list_finds_nothing(drafts: Drafts, draft_id: str) -> None:
    counted = "SELECT count(*) FROM benefit_plan_drafts WHERE id = ANY(%s)"
    assert [value(drafts, counted, ids) for ids in ([], [draft_id])] == [0, 1]


@pytest.mark.parametrize("column", ["varchar(255)", "text"])
def test_the_index_serves_a_list_of_processes(column: str, drafts: Drafts) -> None:
    """It leaves out rows without a process, and the column is compared as text."""
    with drafts.connection.transaction(force_rollback=True):
        table = sql.Identifier(f"indexed_{uuid.uuid4().hex[:12]}")
        for statement in (
            "CREATE TABLE {} (process " + column + ")",
            "CREATE INDEX by_process ON {} (process) WHERE process IS NOT NULL",
        ):
            drafts.connection.execute(sql.SQL(statement).format(table))
        drafts.connection.execute("SET LOCAL enable_seqscan = off")
        plan = drafts.connection.execute(
            sql.SQL("EXPLAIN SELECT 1 FROM {} WHERE process::text = ANY(%s)").format(table), [["a", "b"]]
        ).fetchall()
    assert "by_process" in str(plan)


def test_a_terminated_connection_says_so(systems: Systems, drafts: Drafts) -> None:
    """By its class, or by none at all; the statement is sent once more on another connection then."""
    with connected(systems) as connection:
        value(drafts, "SELECT pg_terminate_backend(%s, 5000)", connection.info.backend_pid)
        with pytest.raises(psycopg.OperationalError) as raised:
            connection.execute("SELECT 1")
    assert raised.value.sqlstate in (None, "57P01")


def test_a_missing_table_is_told_by_name(drafts: Drafts) -> None:
    assert value(drafts, "SELECT to_regclass(%s) IS NULL", '"no such table"') is True
    with pytest.raises(psycopg.errors.UndefinedTable):
        drafts.connection.execute('SELECT 1 FROM "no such table"')


@pytest.mark.parametrize(
    ("kind", "wrong"), [("uuid", "not-a-uuid"), ("integer", "2147483648"), ("bigint", "9223372036854775808")]
)
def test_an_id_of_another_form_is_an_error_not_a_miss(kind: str, wrong: str, drafts: Drafts) -> None:
    """Which is why ids are looked at before they are asked for."""
    with pytest.raises(psycopg.DataError):
        drafts.connection.execute(sql.SQL("SELECT %s::text::{}").format(sql.SQL(kind)), [wrong])


@pytest.mark.anyio
async def test_the_example_of_the_pool_has_its_answer(systems: Systems) -> None:
    assert await example("answer")(systems.retool_database_url) == [{"answer": 42}]
