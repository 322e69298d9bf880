"""What the drafts table's own rules say to the rows of this service: statuses it refuses, columns it must have.

Asked of PostgreSQL itself, in a read-only transaction that is rolled back: types and CHECK constraints are evaluated on
a row like those that are written, so that no row is, and no trigger runs.
"""

from collections.abc import Mapping, Sequence

import msgspec
import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from api.draft_status import ALL_STATUSES, DRAFT
from api.upstreams.retool.records import Columns, table_name
from resilience.postgres.pool import Connection
from resilience.postgres.sqlstate import detail_of

_TABLE = """
SELECT relkind IN ('v', 'm') AS is_view, pg_relation_is_updatable(oid, true) & 4 <> 0 AS is_updatable,
  ARRAY(SELECT tgname::text FROM pg_trigger WHERE tgrelid = pg_class.oid AND NOT tgisinternal AND tgenabled <> 'D'
    ORDER BY 1) AS triggers,
  ARRAY(SELECT attname::text FROM pg_attribute WHERE attrelid = pg_class.oid AND attnum > 0 AND NOT attisdropped
    AND attnotnull AND NOT atthasdef AND attidentity = '' AND attgenerated = '' ORDER BY attnum) AS mandatory
FROM pg_class WHERE oid = to_regclass(%(table)s)
"""
_RULES = """
SELECT conname::text AS name, contype = 'f' AS is_reference, pg_get_constraintdef(oid) AS rule,
  CASE contype WHEN 'c' THEN pg_get_expr(conbin, conrelid) END AS expression,
  ARRAY(SELECT attname::text FROM pg_attribute WHERE attrelid = conrelid AND attnum = ANY(conkey)) AS columns
FROM pg_constraint WHERE conrelid = to_regclass(%(table)s) AND contype IN ('c', 'f')
  AND to_jsonb(pg_constraint) ->> 'conenforced' IS DISTINCT FROM 'false' ORDER BY 1
"""
_UNIQUE = """
SELECT relname::text AS name, ARRAY(SELECT DISTINCT attname::text FROM pg_depend
    JOIN pg_attribute ON attrelid = indrelid AND attnum = refobjsubid
    WHERE refobjid = indrelid AND refobjsubid > 0 AND objid IN (indexrelid,
      (SELECT oid FROM pg_constraint WHERE conindid = indexrelid AND conrelid = indrelid LIMIT 1))
    ORDER BY 1) AS columns
FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
WHERE indrelid = to_regclass(%(table)s) AND indisunique ORDER BY 1
"""
TOO_NARROW = "the width of its column"
_SAMPLE_ID = "00000000-0000-4000-8000-000000000000"


class Rule(msgspec.Struct, frozen=True):
    """A constraint or a unique index of the table, and the columns it is about."""

    name: str
    columns: Sequence[str]
    is_reference: bool = False
    rule: str = ""
    expression: str | None = None


class SeenRules(msgspec.Struct, frozen=True):
    """What the table demands. `refused`: statuses of ours that it does not take, each with why; `mandatory`: columns
    that must have a value and have no default; `untried`: constraints that could not be evaluated.
    """

    is_view: bool = False
    is_updatable: bool = True
    triggers: Sequence[str] = ()
    mandatory: Sequence[str] = ()
    unique: Sequence[Rule] = ()
    references: Sequence[Rule] = ()
    refused: Sequence[tuple[str, str]] = ()
    untried: Sequence[str] = ()


async def rules_of(connection: Connection, columns: Columns, types: Mapping[str, str]) -> SeenRules:
    """The rules of the table. `types`: of its columns, by their own names. Raises psycopg.Error."""
    asked = {"table": table_name(columns).as_string()}
    async with connection.transaction(force_rollback=True), connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute("SET TRANSACTION READ ONLY")
        table = await (await cursor.execute(_TABLE, asked)).fetchone() or {}
        rules = [Rule(**row) for row in await (await cursor.execute(_RULES, asked)).fetchall()]
        unique = [Rule(**row) for row in await (await cursor.execute(_UNIQUE, asked)).fetchall()]
        about = [rule for rule in rules if rule.expression and columns.status in rule.columns]
        refused, untried = await _tried(connection, columns, types, about)
    references = [rule for rule in rules if rule.is_reference]
    return SeenRules(**table, unique=unique, references=references, refused=refused, untried=untried)


async def _tried(
    connection: Connection, columns: Columns, types: Mapping[str, str], rules: Sequence[Rule]
) -> tuple[list[tuple[str, str]], list[str]]:
    refused, untried = [], set[str]()
    for status in ALL_STATUSES if columns.status in types else ():
        why = await _against_type(connection, columns, types, status)
        for rule in rules if why is None else ():
            try:
                async with connection.transaction():
                    row = await (await connection.execute(_on_a_row(columns, types, rule, status))).fetchone()
            except psycopg.Error:
                untried.add(rule.name)
                continue
            if row and row[0] is False:
                why = f"the CHECK constraint {rule.name}"
        if why is not None:
            refused.append((status, why))
    return refused, sorted(untried)


async def _against_type(connection: Connection, columns: Columns, types: Mapping[str, str], status: str) -> str | None:
    """Why the status column's type, enum or domain does not take a status; None if it does."""
    text = columns.statuses.written(status)
    cast = sql.SQL("SELECT {text}::text::{type}::text = {text}::text").format(
        text=sql.Literal(text), type=sql.SQL(types[columns.status])
    )
    try:
        async with connection.transaction():
            row = await (await connection.execute(cast)).fetchone()
    except psycopg.Error as error:
        return detail_of(error)
    return None if row and row[0] else TOO_NARROW


def _on_a_row(columns: Columns, types: Mapping[str, str], rule: Rule, status: str) -> sql.Composed:
    """The constraint's expression on a row as it is when this status is written; what the team adds to it is null."""
    samples = {columns.status: columns.statuses.written(status), **_samples(columns, status)}
    fields = sql.SQL(", ").join(
        sql.SQL("{value}::text::{type} AS {name}").format(
            value=sql.Literal(samples.get(name)), type=sql.SQL(types[name]), name=sql.Identifier(name)
        )
        for name in rule.columns
    )
    assert rule.expression is not None  # noqa: S101  # only CHECK constraints come here
    return sql.SQL("SELECT ({rule}) FROM (SELECT {fields}) AS row").format(rule=sql.SQL(rule.expression), fields=fields)


def _samples(columns: Columns, status: str) -> dict[str, str | None]:
    """A draft is of no process at first, and of one in every other state."""
    return {
        columns.name: "plan-api check",
        columns.plan_data: "{}",
        columns.aidbox_id: _SAMPLE_ID if status in (DRAFT, "approved") else None,
        columns.camunda_process_id: None if status == DRAFT else _SAMPLE_ID,
        columns.created_by: _SAMPLE_ID,
        columns.updated_at: "2026-01-01 00:00:00+00",
    }
