"""Checks of the drafts database: server, table, columns, rights, statuses."""

import re
from collections.abc import Iterator, Mapping, Sequence

import psycopg
from psycopg import sql

from api.draft_status import ALL_STATUSES
from api.errors import Misconfigured, UpstreamFailed
from api.upstreams.retool.client import Retool
from api.upstreams.retool.records import Columns
from doctor.draft_rules import judge_rules
from doctor.drafts_table import SeenColumn, SeenDatabase, SeenTable, address_of, examine, grant
from doctor.finding import Finding, ok, warning, wrong

OLDEST_SERVER = 130000  # gen_random_uuid, in the table `setup` makes
FIELDS = ("id", "name", "status", "plan_data", "aidbox_id", "camunda_process_id", "created_by", "updated_at")
WRITTEN = ("status", "aidbox_id", "camunda_process_id", "updated_at")
INSERTED = tuple(field for field in FIELDS if field != "camunda_process_id")
TEXT = r"text|character varying(\(\d+\))?"
TYPES = {
    "id": (rf"{TEXT}|character\(\d+\)|uuid|smallint|integer|bigint", "text, varchar, uuid or an integer"),
    "name": (TEXT, "text or varchar"),
    "status": (TEXT, "text, varchar or an enum"),
    "plan_data": (rf"jsonb|json|{TEXT}", "jsonb, json or text"),
    "aidbox_id": (rf"{TEXT}|uuid", "text or varchar(64)"),
    "camunda_process_id": (rf"{TEXT}|uuid", "text or varchar(64)"),
    "created_by": (r".*", ""),
    "updated_at": (r"timestamp(\(\d\))? with(out)? time zone", "timestamptz"),
}
WIDTHS = {"aidbox_id": 64, "camunda_process_id": 64}
USUAL_ID = 36  # a UUID: what engines and stores make unless they are told to make others


async def look_at_drafts(drafts: Retool, *, deadline: float) -> list[Finding]:
    """All findings on the drafts database. `deadline`: seconds."""
    address = address_of(drafts.connections.url)
    try:
        seen = await examine(drafts, deadline=deadline)
    except UpstreamFailed as failed:
        return [wrong("drafts database", f"{address} {failed.message}")]
    except Misconfigured as misconfigured:
        return [wrong("drafts table", str(misconfigured))]
    findings = list(judge(seen, drafts.columns, address))
    if drafts.type_at is not None and seen.table is not None:
        findings.append(await _look_at_type(drafts, drafts.type_at))
    return findings


async def _look_at_type(drafts: Retool, type_at: str) -> Finding:
    """The finding on DRAFT_TYPE: whether the database can read a draft's type there."""
    statement = sql.SQL("SELECT {type} FROM {table} LIMIT 0").format(
        type=drafts.sql.draft_type(type_at), table=drafts.sql.table
    )
    try:
        async with drafts.connections.connection() as connection:
            await connection.execute(statement)
    except psycopg.errors.InsufficientPrivilege:
        return wrong("draft type", f"our role may not read {type_at}: grant SELECT on it")
    except psycopg.Error:
        what = "is no path as PostgreSQL writes them" if type_at.startswith("$") else "is no column of the table"
        return wrong("draft type", f"{type_at} {what}: see DRAFT_TYPE")
    return ok("draft type", type_at)


def judge(seen: SeenDatabase, columns: Columns, address: str) -> Iterator[Finding]:
    """Findings on a database as it was examined. Pure."""
    release = f"PostgreSQL {seen.release} at {address}"
    if seen.version < OLDEST_SERVER:
        yield wrong("drafts database", f"{release}; 13 or newer is needed")
    elif seen.is_read_only:
        yield wrong("drafts database", f"{release} takes no writes; RETOOL_DATABASE_URL must name the primary")
    else:
        yield ok("drafts database", release)
    if seen.table is None:
        yield wrong(
            "drafts table",
            f"{columns.table} is not there, or in a schema closed to our role: run `plan-api setup`,"
            " grant USAGE on the schema, or name another table in DRAFTS_TABLE",
        )
        return
    yield ok("drafts table", columns.table)
    for field in FIELDS:
        yield _column(field, columns, seen.table)
    yield from _indexes(seen.table, columns)
    yield from _rights(seen.table, columns)
    yield _statuses(seen.table)
    yield from judge_rules(seen.table.rules, columns, is_enum=_is_enum(seen.table, columns))


def _is_enum(table: SeenTable, columns: Columns) -> bool:
    return bool(table.columns[columns.status].labels) if columns.status in table.columns else False


def _column(field: str, columns: Columns, table: SeenTable) -> Finding:
    name = getattr(columns, field)
    subject = f"column {name}"
    column = table.columns.get(name)
    if column is None:
        add = "run `plan-api setup`" if field == "camunda_process_id" else "add it"
        return wrong(subject, f"is not in the table: {add}, or name another in DRAFTS_COLUMN_{field.upper()}")
    if field == "status" and column.labels:
        return _enum(subject, column, _texts(columns))
    pattern, wanted = TYPES[field]
    if not re.fullmatch(pattern, column.base or column.type):
        return wrong(subject, f"is {column.type}; {wanted} is needed")
    widest = max(map(len, _texts(columns))) if field == "status" else WIDTHS.get(field, 0)
    return _width(subject, field, column, widest) or ok(subject, column.type)


def _texts(columns: Columns) -> list[str]:
    """Our statuses as the table calls them."""
    return [columns.statuses.written(status) for status in ALL_STATUSES]


def _enum(subject: str, column: SeenColumn, texts: Sequence[str]) -> Finding:
    missing = [status for status in texts if status not in column.labels]
    if missing:
        commands = "; ".join(f"ALTER TYPE {column.base or column.type} ADD VALUE '{status}'" for status in missing)
        return wrong(subject, f"its enum lacks {', '.join(missing)}: {commands}")
    return ok(subject, f"{column.type}, an enum with every status")


def _width(subject: str, field: str, column: SeenColumn, needed: int) -> Finding | None:
    """A finding on a column that may be too narrow for ids or statuses."""
    kind = column.base or column.type
    width = USUAL_ID if kind == "uuid" else int((re.findall(r"\((\d+)\)", kind) or [255])[0])
    if width >= needed:
        return None
    if field != "status" and width >= USUAL_ID:
        return warning(subject, f"{column.type} holds UUIDs; ids may have up to {needed} characters")
    return wrong(subject, f"{column.type} is too narrow: {needed} characters are needed")


def _indexes(table: SeenTable, columns: Columns) -> Iterator[Finding]:
    if columns.camunda_process_id in table.columns and not table.rules.is_view:
        if table.finds_processes:
            yield ok("index", f"on {columns.camunda_process_id}")
        else:
            yield warning(
                "index", f"none on {columns.camunda_process_id}, so each look reads the table: run `plan-api setup`"
            )
    if columns.id in table.columns and not table.has_key and not table.rules.is_view:
        yield warning("key", f"{columns.id} is not unique by rule; make it the primary key")


def _rights(table: SeenTable, columns: Columns) -> Iterator[Finding]:
    there = [field for field in FIELDS if getattr(columns, field) in table.columns]
    seen = {field: table.columns[getattr(columns, field)] for field in there}
    unread = [seen[field].name for field in there if not seen[field].is_readable]
    unwritten = [seen[field].name for field in there if field in WRITTEN and not seen[field].is_writable]
    if unread:
        yield wrong("rights", f"may not read {_listed(unread)}: {grant('SELECT', unread, columns)}")
    if unwritten:
        yield wrong("rights", f"may not write {_listed(unwritten)}: {grant('UPDATE', unwritten, columns)}")
    if not unread and not unwritten:
        written = [seen[field].name for field in there if field in WRITTEN]
        yield ok("rights", f"may read every column, and write {_listed(written)}")
    yield from _further_rights(seen, columns)
    if table.hides_rows:
        yield warning("rights", "row level security hides rows from this service, and may hide drafts in approval")


def _further_rights(seen: Mapping[str, SeenColumn], columns: Columns) -> Iterator[Finding]:
    """Findings on rights that only some mutations need, so that a deployment may do without."""
    plan = seen.get("plan_data")
    if plan is not None and not plan.is_writable:
        yield warning("rights", f"drafts cannot be rebased without {grant('UPDATE', [plan.name], columns)}")
    if not all(seen[field].is_insertable for field in INSERTED if field in seen):
        names = [seen[field].name for field in INSERTED if field in seen]
        yield warning("rights", f"no draft can be made from a plan without {grant('INSERT', names, columns)}")


def _statuses(table: SeenTable) -> Finding:
    if not table.strange:
        return ok("statuses", "all known")
    message = _listed([f"{status[:40]!r} ({number})" for status, number in table.strange])
    return warning("statuses", f"{message}: unknown, so these count as drafts")


def _listed(words: Sequence[str]) -> str:
    return ", ".join(words)
