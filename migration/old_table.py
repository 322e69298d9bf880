"""The table of the service with a database, read row by row in one read-only transaction."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

import msgspec
import psycopg
from psycopg import errors, sql
from psycopg.rows import args_row, scalar_row

from api.errors import Misconfigured, Unreachable
from resilience.postgres.sqlstate import detail_of

PAGE = 500  # rows; two ids of processes each, in one query to the engine
CONNECT_TIMEOUT = 10  # seconds
FIELDS = ("draft_id", "process_id", "status", "submitted_by", "submitted_at", "base_version")
MANDATORY = ("draft_id", "process_id")
OVER = (
    "approved",
    "rejected",
    "returned",
    "conflict",
    "withdrawn",
    "superseded",
    "published",
    "completed",
    "cancelled",
)

_SELECT = """
SELECT draft_id, process_id, status, is_over, submitted_by, submitted_at, base_version,
  row_number() OVER newest = 1 AS is_newest,
  first_value(process_id) OVER newest AS newest_process_id,
  lead(process_id) OVER newest AS previous_process_id,
  process_id IS NOT NULL AND count(draft_id) OVER process > 0
    AND min(draft_id) OVER process <> max(draft_id) OVER process AS is_shared
FROM (SELECT {draft_id} AS draft_id, {process_id} AS process_id, {status} AS status,
  coalesce(lower({status}) = ANY(%s), false) AS is_over, {submitted_by} AS submitted_by,
  {submitted_at} AS submitted_at, {base_version} AS base_version FROM {table}) AS old
WINDOW newest AS (PARTITION BY draft_id ORDER BY submitted_at DESC NULLS LAST, is_over, process_id DESC NULLS LAST),
  process AS (PARTITION BY process_id)
ORDER BY draft_id NULLS FIRST, row_number() OVER newest
"""


class OldRow(msgspec.Struct, frozen=True):
    """A row of the old table; blank text is None. The last four say what it is among the others.

    `is_newest`: of all rows of its draft. `previous_process_id`: of the row of this draft before it. `is_shared`: rows
    of several drafts name its process.
    """

    draft_id: str | None
    process_id: str | None
    status: str | None
    is_over: bool
    submitted_by: str | None
    submitted_at: datetime | None
    base_version: str | None
    is_newest: bool = True
    newest_process_id: str | None = None
    previous_process_id: str | None = None
    is_shared: bool = False


@dataclass(frozen=True)
class OldTable:
    """Where the old rows are. `columns`: a field of FIELDS → the table's column; empty: the table has none.

    `over`: statuses of approvals that have ended; every other one counts as in approval.
    """

    dsn: str
    table: str
    columns: Mapping[str, str]
    over: Sequence[str] = OVER


def columns_of(text: str) -> dict[str, str]:
    """`field=column,…` as a mapping; a field that is not named is called as here. Raises Misconfigured."""
    pairs = [entry.partition("=") for entry in text.split(",") if entry.strip()]
    named = {field.strip(): column.strip() for field, _, column in pairs}
    if any(not sign for _, sign, _ in pairs) or len(named) < len(pairs) or not set(named) <= set(FIELDS):
        raise Misconfigured(f"--columns must be entries like draft_id=column, each of {', '.join(FIELDS)} at most once")
    columns = {field: named.get(field, field) for field in FIELDS}
    if missing := [field for field in MANDATORY if not columns[field]]:
        raise Misconfigured(f"--columns must name a column for {missing[0]}")
    return columns


@asynccontextmanager
async def reading(old: OldTable) -> AsyncIterator[tuple[int, AsyncIterator[list[OldRow]]]]:
    """The number of rows, and the rows by draft, the newest of each draft first, in pages.

    All are of one moment, and nothing is written. Raises Unreachable, Misconfigured.
    """
    try:
        async with await psycopg.AsyncConnection.connect(
            old.dsn, connect_timeout=CONNECT_TIMEOUT, application_name="plan-api import", client_encoding="UTF8"
        ) as connection:
            await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            # Between two pages the transaction rests for as long as their rows take.
            await connection.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
            await connection.execute("SET LOCAL TIME ZONE 'UTC'")
            counting = sql.SQL("SELECT count(*) FROM {table}").format(table=_table(old))
            async with connection.cursor(row_factory=scalar_row) as cursor:
                count = await (await cursor.execute(counting)).fetchone()
            yield count or 0, _pages(connection, old)
    except (errors.UndefinedTable, errors.UndefinedColumn) as error:
        message = f"{detail_of(error)}: name the old table by --table and its columns by --columns"
        raise Misconfigured(
            f"The old table is not as named: {message} (base_version= for one it does not have)"
        ) from error
    except psycopg.OperationalError as error:
        raise Unreachable("old database", "The old database can not be read; repeat the import") from error
    except psycopg.Error as error:
        raise Misconfigured(f"The old table can not be read: {detail_of(error)}") from error


async def _pages(connection: psycopg.AsyncConnection, old: OldTable) -> AsyncIterator[list[OldRow]]:
    async with connection.cursor(name="old_rows", row_factory=args_row(OldRow)) as cursor:
        await cursor.execute(_statement(old), [[status.strip().lower() for status in old.over]])
        while page := await cursor.fetchmany(PAGE):
            yield page


def _statement(old: OldTable) -> sql.Composed:
    fields = {field: _field(field, column) for field, column in old.columns.items()}
    return sql.SQL(_SELECT).format(table=_table(old), **fields)


def _field(field: str, column: str) -> sql.Composable:
    kind = sql.SQL("timestamptz" if field == "submitted_at" else "text")
    if not column:
        return sql.SQL("NULL::{kind}").format(kind=kind)
    if field == "submitted_at":
        return sql.SQL("{column}::timestamptz").format(column=sql.Identifier(column))
    return sql.SQL("nullif(btrim({column}::text), '')").format(column=sql.Identifier(column))


def _table(old: OldTable) -> sql.Identifier:
    return sql.Identifier(*old.table.split("."))
