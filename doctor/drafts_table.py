"""The drafts table itself rather than its rows: the statements that make it ready, and what it looks like now."""

import re
from collections.abc import Mapping, Sequence

import msgspec
import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row

from api.draft_status import ALL_STATUSES, DRAFT
from api.errors import Denied, TimedOut, Unreachable, UpstreamFailed
from api.upstreams.retool.client import Retool
from api.upstreams.retool.records import Columns, table_name, table_parts
from doctor.table_rules import SeenRules, rules_of
from resilience.postgres.pool import Connection, run_with_timeout

TOO_LONG = "strict $.** ? (@ >= 1e30 || @ <= -1e30)"
USUAL_TABLE = "benefit_plan_drafts"
REASONS: tuple[tuple[str, type[UpstreamFailed], str], ...] = (
    (r"password authentication|no password|role .* does not exist", Denied,
     "does not accept the user and password in RETOOL_DATABASE_URL"),
    (r"database .* does not exist", UpstreamFailed,
     "has no such database; the last part of RETOOL_DATABASE_URL is the name"),
    (r"pg_hba", Denied, "does not let this machine or user in; see its pg_hba.conf"),
    (r"SSL", UpstreamFailed, "does not agree with RETOOL_DATABASE_URL on TLS; see sslmode there"),
    (r"too many (clients|connections)|remaining connection slots", UpstreamFailed, "has no connection left for us"),
)  # fmt: skip
NOBODY = "can not be reached: does it run, and are host and port in RETOOL_DATABASE_URL right?"

_SERVER = """
SELECT current_setting('server_version') AS release, current_setting('server_version_num')::int AS version,
  pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean AS is_read_only
"""
_COLUMNS = """
SELECT attname::text AS name, format_type(atttypid, atttypmod) AS type,
  CASE WHEN typbasetype = 0 THEN format_type(atttypid, atttypmod) ELSE format_type(typbasetype, typtypmod) END AS base,
  has_column_privilege(attrelid, attnum, 'SELECT') AS is_readable,
  has_column_privilege(attrelid, attnum, 'UPDATE') AS is_writable,
  has_column_privilege(attrelid, attnum, 'INSERT') AS is_insertable,
  ARRAY(SELECT enumlabel::text FROM pg_enum WHERE enumtypid = coalesce(nullif(typbasetype, 0), atttypid)
    ORDER BY enumsortorder) AS labels
FROM pg_attribute JOIN pg_type ON pg_type.oid = atttypid
WHERE attrelid = to_regclass(%(table)s) AND attnum > 0 AND NOT attisdropped
"""
_INDEXES = """
SELECT
  coalesce(bool_or(attname = %(process)s AND (indpred IS NULL
    OR pg_get_expr(indpred, indrelid) = format('(%%I IS NOT NULL)', attname))), false) AS finds_processes,
  coalesce(bool_or(attname = %(id)s AND indisunique AND indnkeyatts = 1 AND indpred IS NULL), false) AS has_key,
  row_security_active(to_regclass(%(table)s)) AS hides_rows
FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[0]
WHERE indrelid = to_regclass(%(table)s) AND indisvalid
"""


class SeenColumn(msgspec.Struct, frozen=True):
    """A column as the catalogue has it: its type as SQL writes it, an enum's labels, and what our role may do.

    `base`: what a domain is made of; otherwise the type itself.
    """

    name: str
    type: str
    is_readable: bool
    is_writable: bool
    is_insertable: bool
    labels: Sequence[str] = ()
    base: str = ""


class SeenTable(msgspec.Struct, frozen=True):
    """The table as it is. `strange` are texts of the status column that are none of ours, with their number."""

    columns: Mapping[str, SeenColumn]
    finds_processes: bool
    has_key: bool
    hides_rows: bool
    strange: Sequence[tuple[str, int]] = ()
    rules: SeenRules = SeenRules()


class SeenDatabase(msgspec.Struct, frozen=True):
    """The server and the table; None when the table is not there, or in a schema that is closed to our role."""

    release: str
    version: int
    is_read_only: bool
    table: SeenTable | None


async def examine(drafts: Retool, *, deadline: float) -> SeenDatabase:
    """As `look`, within a deadline in seconds.

    Raises UpstreamFailed with a reason that repeats nothing of the URL, and Misconfigured for an impossible table name.
    """
    try:
        return await run_with_timeout(deadline, _connect_and_look(drafts))
    except (TimeoutError, psycopg.errors.ConnectionTimeout, psycopg.errors.QueryCanceled) as error:
        raise TimedOut("retool", "does not answer in time") from error
    except psycopg.ProgrammingError as error:
        raise UpstreamFailed("retool", "can not be asked: RETOOL_DATABASE_URL is not readable") from error
    except psycopg.Error as error:
        raise _failure(str(error)) from error


async def _connect_and_look(drafts: Retool) -> SeenDatabase:
    async with drafts.connections.connection() as connection:
        return await look(connection, drafts.columns)


async def look(connection: Connection, columns: Columns) -> SeenDatabase:
    """The server and the table as they are, without changing anything. Raises psycopg.Error."""
    name = table_name(columns).as_string()
    asked = {"table": name, "process": columns.camunda_process_id, "id": columns.id}
    async with connection.cursor(row_factory=dict_row) as cursor:
        server = await (await cursor.execute(_SERVER)).fetchone() or {}
        try:
            async with connection.transaction():
                found = await (await cursor.execute(_COLUMNS, asked)).fetchall()
        except psycopg.errors.InsufficientPrivilege:
            found = []
        if not found:
            return SeenDatabase(**server, table=None)
        seen = {row["name"]: SeenColumn(**row) for row in found}
        indexes = await (await cursor.execute(_INDEXES, asked)).fetchone() or {}
    status = seen.get(columns.status)
    strange = await _strange(connection, columns) if status and status.is_readable else []
    rules = await rules_of(connection, columns, {name: column.type for name, column in seen.items()})
    return SeenDatabase(**server, table=SeenTable(columns=seen, **indexes, strange=strange, rules=rules))


async def _strange(connection: Connection, columns: Columns) -> list[tuple[str, int]]:
    known = [sql.SQL("lower({})").format(sql.Literal(columns.statuses.written(each))) for each in ALL_STATUSES]
    statement = sql.SQL(
        "SELECT {status}::text, count(*) FROM {table} WHERE lower({status}::text) NOT IN ({known})"
        " GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 5"
    ).format(status=sql.Identifier(columns.status), table=table_name(columns), known=sql.SQL(", ").join(known))
    rows: list[tuple[str, int]] = await (await connection.execute(statement)).fetchall()
    return rows


def _failure(words: str) -> UpstreamFailed:
    """Our own sentence for what PostgreSQL's library says, since that repeats users and hosts."""
    for pattern, kind, reason in REASONS:
        if re.search(pattern, words):
            return kind("retool", reason)
    return Unreachable("retool", NOBODY)


def address_of(url: str) -> str:
    """Host, port and database of a connection URL, for people to read; nothing at all of a doubtful one.

    A password with an unescaped / or @ is taken for host or database, also by PostgreSQL's own library.
    """
    try:
        parts = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        return "the address in RETOOL_DATABASE_URL"
    host, port, database = (str(parts.get(key) or "") for key in ("host", "port", "dbname"))
    if not re.fullmatch(r"[0-9,]*", port) or "@" in host + database:
        return "the address in RETOOL_DATABASE_URL"
    return f"{host or 'localhost'}:{port or 5432}/{database}"


def ready_statements(columns: Columns, seen: SeenTable | None = None) -> list[sql.Composed]:
    """What makes the table ready, without what `seen` has already. Each changes nothing when it is done already.

    What is there is left out because even `IF NOT EXISTS` needs an owner's rights, and locks out readers for a moment.
    """
    process = columns.camunda_process_id
    missing = (
        (seen is None, _create(columns)),
        (seen is None or process not in seen.columns, _add_process(columns)),
        (seen is None or not (seen.finds_processes or seen.rules.is_view), _index_processes(columns)),
    )
    return [statement for is_missing, statement in missing if is_missing]


def _create(columns: Columns) -> sql.Composed:
    names = {
        field: sql.Identifier(getattr(columns, field)) for field in Columns.__dataclass_fields__ if field != "statuses"
    }
    more = {"draft": sql.Literal(columns.statuses.written(DRAFT)), "small": numbers_rule(columns)}
    return sql.SQL(
        "CREATE TABLE IF NOT EXISTS {table} ({id} text PRIMARY KEY DEFAULT gen_random_uuid()::text,"
        " {name} text NOT NULL, {status} text NOT NULL DEFAULT {draft}, {plan_data} jsonb NOT NULL {small},"
        " {aidbox_id} text, {camunda_process_id} varchar(255), {created_by} text,"
        " {updated_at} timestamptz NOT NULL DEFAULT now())"
    ).format(**{**names, **more, "table": table_name(columns)})


def numbers_rule(columns: Columns) -> sql.Composed:
    """A CHECK against numbers that have few bytes in jsonb and fill a reader's memory as text."""
    return sql.SQL("CHECK (NOT jsonb_path_exists({plan}, {numbers}))").format(
        plan=sql.Identifier(columns.plan_data), numbers=sql.Literal(TOO_LONG)
    )


def numbers_offer(columns: Columns) -> str:
    """The statement that gives a table of the team's own this rule, for new rows."""
    statement = sql.SQL("ALTER TABLE {table} ADD {rule} NOT VALID").format(
        table=table_name(columns), rule=numbers_rule(columns)
    )
    return statement.as_string()


def _add_process(columns: Columns) -> sql.Composed:
    return sql.SQL("ALTER TABLE {table} ADD COLUMN IF NOT EXISTS {process} VARCHAR(255)").format(
        table=table_name(columns), process=sql.Identifier(columns.camunda_process_id)
    )


def _index_processes(columns: Columns) -> sql.Composed:
    return sql.SQL("CREATE INDEX IF NOT EXISTS {index} ON {table} ({process}) WHERE {process} IS NOT NULL").format(
        index=sql.Identifier(index_name(columns)),
        table=table_name(columns),
        process=sql.Identifier(columns.camunda_process_id),
    )


def index_name(columns: Columns) -> str:
    """`idx_draft_process`. With another table's name after it for another table: a schema has each index name once."""
    table = table_parts(columns)[-1]
    return "idx_draft_process" if table == USUAL_TABLE else f"idx_draft_process_{table}"[:63]


def grant(right: str, names: Sequence[str], columns: Columns) -> str:
    """The statement an administrator runs to give our role a right on columns."""
    listed = ", ".join(sql.Identifier(name).as_string() for name in names)
    return f"GRANT {right} ({listed}) ON {table_name(columns).as_string()} TO <role>"
