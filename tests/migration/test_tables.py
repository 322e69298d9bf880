"""Tables as teams have them: ids that are numbers, statuses of an enum, processes as UUIDs, a row that is refused."""

import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from api.settings import Settings
from tests.migration.conftest import Old

NAME = f"numbered_{uuid.uuid4().hex[:8]}"
TABLES = f"""
CREATE TYPE {NAME}_status AS ENUM ('open', 'Sent', 'approved', 'rejected', 'returned', 'conflict', 'withdrawn');
CREATE TABLE {NAME} (id bigint PRIMARY KEY, name text, plan_data jsonb DEFAULT '{{}}', status {NAME}_status,
  aidbox_id text, camunda_process_id uuid, created_by text, updated_at timestamp DEFAULT '2026-01-01',
  CONSTRAINT sent_by_somebody CHECK (status <> 'Sent' OR created_by IS NOT NULL));
INSERT INTO {NAME} (id, name, status, created_by) VALUES (1, 'A', 'open', 'author'), (2, 'B', 'open', NULL),
  (3, 'C', 'open', 'author'), (4, 'D', 'open', 'author'), (5, 'E', NULL, 'author');
"""  # noqa: S608  # names of our own


@pytest.fixture
def numbered(old: Old) -> Iterator[Old]:
    drafts: psycopg.Connection[Any] = old.behind.drafts.connection
    drafts.execute(TABLES)
    named = {"drafts_table": NAME, "draft_statuses": {"draft": "open", "submitted": "Sent"}}
    yield replace(old, settings=Settings.model_copy(old.settings, update=named))
    drafts.execute(f"DROP TABLE {NAME}; DROP TYPE {NAME}_status")


def test_the_types_and_words_of_the_table_and_one_row_it_refuses(numbered: Old) -> None:
    old = numbered
    old.connection.execute(f"ALTER TABLE {old.table.table} ALTER draft_id TYPE bigint USING draft_id::bigint")
    processes = {number: old.start(str(number)) for number in range(1, 6)}
    for number, process_id in processes.items():
        old.row(str(number), process_id)
    old.decide(processes[4], approved=False)

    found = {entry.draft_id: (entry.result.value, entry.why) for entry in old.imported()}
    assert found.pop("2") == (
        "cannot",
        (
            f'the drafts table refuses it (new row for relation "{NAME}" violates check constraint "sent_by_somebody"):'
            " run plan-api check"
        ),
    )
    assert {draft_id: result for draft_id, (result, _) in found.items()} == dict.fromkeys("1345", "done")
    rows = old.behind.drafts.connection.execute(
        f"SELECT id, status::text, camunda_process_id::text, updated_at::text FROM {NAME} ORDER BY id"  # noqa: S608  # a name of our own
    ).fetchall()
    untouched = "2026-01-01 00:00:00"
    recorded = rows.pop(3)
    assert recorded[:3] == (4, "rejected", processes[4])
    assert rows == [
        (1, "Sent", processes[1], untouched),
        (2, "open", None, untouched),
        (3, "Sent", processes[3], untouched),
        (5, "Sent", processes[5], untouched),
    ]
    assert {entry.draft_id: entry.result.value for entry in old.imported()} == {
        **dict.fromkeys("1345", "already"),
        "2": "cannot",
    }
