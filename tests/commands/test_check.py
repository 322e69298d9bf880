"""`plan-api check` on a drafts table: right as set up, and one thing wrong at a time. Each line is asserted."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from psycopg import sql

from api.settings import Settings
from tests.commands.expected_report import COLUMNS, REST, SECRET, database, engine_lines, server_line, store_lines
from tests.commands.running import as_user, new_name, run
from tests.serving import Drafts


@pytest.mark.usefixtures("started", "stated")
def test_all_is_right_after_setup(settings: Settings, table: str, drafts: Drafts, engine: httpx.Client) -> None:
    ran = run(settings, "check", DRAFTS_TABLE=table)
    assert [line for line in ran.lines if " approvals: " not in line] == [
        server_line(settings, drafts),
        f"ok      drafts table: {table}",
        *COLUMNS,
        *REST,
        *engine_lines(settings, engine),
        *store_lines(settings),
    ]
    assert (ran.code, ran.errors) == (0, "")


@pytest.mark.usefixtures("started", "stated")
def test_a_wrong_table_hides_nothing_else(settings: Settings, drafts: Drafts, engine: httpx.Client) -> None:
    ran = run(settings, "check", DRAFTS_TABLE="no_such_table")
    assert ran.lines == [
        server_line(settings, drafts),
        (
            "wrong   drafts table: no_such_table is not there, or in a schema closed to our role: run `plan-api setup`,"
            " grant USAGE on the schema, or name another table in DRAFTS_TABLE"
        ),
        *engine_lines(settings, engine),
        *store_lines(settings),
    ]
    assert (ran.code, ran.errors) == (1, "")


@pytest.mark.usefixtures("stated")
@pytest.mark.parametrize(
    ("draft_type", "line"),
    [
        ("name", "ok      draft type: name"),
        ("$.type[0].coding[0].code", "ok      draft type: $.type[0].coding[0].code"),
        ("kind", "wrong   draft type: kind is no column of the table: see DRAFT_TYPE"),
        ("Name", "wrong   draft type: Name is no column of the table: see DRAFT_TYPE"),
        ("$.type[", "wrong   draft type: $.type[ is no path as PostgreSQL writes them: see DRAFT_TYPE"),
        (
            "$'; DROP TABLE x",
            "wrong   draft type: $'; DROP TABLE x is no path as PostgreSQL writes them: see DRAFT_TYPE",
        ),
    ],
)
def test_where_a_drafts_type_stands(settings: Settings, table: str, draft_type: str, line: str) -> None:
    """And a model for each type: of one that is not deployed, it says so."""
    keys = "dental:no-such-approval,*:benefit-approval"
    ran = run(settings, "check", DRAFTS_TABLE=table, DRAFT_TYPE=draft_type, PROCESS_KEYS=keys)
    assert [each for each in ran.lines if " draft type: " in each] == [line]
    missing = "wrong   model: no-such-approval is not deployed: run `plan-api setup`"
    assert [each for each in ran.lines if " is not deployed" in each] == [missing]


@pytest.mark.parametrize(
    ("statement", "line"),
    [
        ("ALTER TABLE {} DROP COLUMN aidbox_id",
         "wrong   column aidbox_id: is not in the table: add it, or name another in DRAFTS_COLUMN_AIDBOX_ID"),
        ("ALTER TABLE {} DROP COLUMN camunda_process_id",
         ("wrong   column camunda_process_id: is not in the table: run `plan-api setup`, or name another in"
         " DRAFTS_COLUMN_CAMUNDA_PROCESS_ID")),
        ("ALTER TABLE {} ALTER camunda_process_id TYPE varchar(20)",
         "wrong   column camunda_process_id: character varying(20) is too narrow: 64 characters are needed"),
        ("ALTER TABLE {} DROP COLUMN plan_data, ADD plan_data xml",
         "wrong   column plan_data: is xml; jsonb, json or text is needed"),
        ("ALTER TABLE {} ALTER status TYPE varchar(8)",
         "wrong   column status: character varying(8) is too narrow: 9 characters are needed"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_column(statement: str, line: str, settings: Settings, table: str, drafts: Drafts) -> None:
    drafts.connection.execute(sql.SQL(statement).format(sql.Identifier(table)))
    ran = run(settings, "check", DRAFTS_TABLE=table)
    assert [told for told in ran.lines if told.startswith("wrong")] == [line]
    assert ran.code == 1


@pytest.mark.parametrize(
    ("statement", "lines"),
    [
        ("ALTER TABLE {} ALTER camunda_process_id TYPE varchar(40)",
         ["warning column camunda_process_id: character varying(40) holds UUIDs; ids may have up to 64 characters"]),
        ("UPDATE {} SET status = 'On Hold'", ["warning statuses: 'On Hold' (2): unknown, so these count as drafts"]),
        ("ALTER TABLE {0} DROP CONSTRAINT {1}", ["warning key: id is not unique by rule; make it the primary key"]),
        ("DROP INDEX {2}",
         ["warning index: none on camunda_process_id, so each look reads the table: run `plan-api setup`"]),
        ("CREATE INDEX ON {0} (camunda_process_id) WHERE status = 'draft'; DROP INDEX {2}",
         ["warning index: none on camunda_process_id, so each look reads the table: run `plan-api setup`"]),
        ("CREATE INDEX ON {0} (camunda_process_id, id); DROP INDEX {2}", []),
        ("UPDATE {} SET status = 'SUBMITTED'", []),
    ],
)  # fmt: skip
def test_what_may_be_meant_so(statement: str, lines: list[str], settings: Settings, table: str, drafts: Drafts) -> None:
    """Warnings are no failure."""
    insert = sql.SQL("INSERT INTO {} (name, plan_data) VALUES ('A', '{{}}'), ('B', '{{}}')")
    drafts.connection.execute(insert.format(sql.Identifier(table)))
    names = [sql.Identifier(name) for name in (table, f"{table}_pkey", f"idx_draft_process_{table}")]
    drafts.connection.execute(sql.SQL(statement).format(*names))
    ran = run(settings, "check", DRAFTS_TABLE=table)
    quiet = ("incidents", "history", "store", "approvals")
    warnings = [told for told in ran.lines if told.startswith("warning") and told.split()[1].rstrip(":") not in quiet]
    assert warnings == lines
    assert ran.code == 0


@contextmanager
def role(settings: Settings, drafts: Drafts, *grants: str) -> Iterator[str]:
    """A role with these rights on a table; the URL that is its."""
    name = new_name("role")
    drafts.connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(name), SECRET))
    try:
        for grant in grants:
            drafts.connection.execute(f"{grant} TO {name}")
        yield as_user(settings, f"{name}:{SECRET}")
    finally:
        drafts.connection.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(name)))
        drafts.connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def test_missing_rights_are_named_with_their_grant(settings: Settings, table: str, drafts: Drafts) -> None:
    grants = (
        f"GRANT SELECT (id, name, status, plan_data, aidbox_id, camunda_process_id, created_by) ON {table}",
        f"GRANT UPDATE (status, updated_at) ON {table}",
    )
    with role(settings, drafts, *grants) as url:
        ran = run(settings, "check", DRAFTS_TABLE=table, RETOOL_DATABASE_URL=url)
    assert [told for told in ran.lines if told.startswith("wrong")] == [
        f'wrong   rights: may not read updated_at: GRANT SELECT ("updated_at") ON "{table}" TO <role>',
        (
            "wrong   rights: may not write aidbox_id, camunda_process_id:"
            f' GRANT UPDATE ("aidbox_id", "camunda_process_id") ON "{table}" TO <role>'
        ),
    ]
    assert ran.code == 1
    assert SECRET not in "".join(ran.lines) + ran.errors


def test_just_the_rights_that_are_needed_are_enough(settings: Settings, table: str, drafts: Drafts) -> None:
    grants = (
        f"GRANT SELECT ON {table}",
        f"GRANT UPDATE (status, aidbox_id, camunda_process_id, updated_at) ON {table}",
    )
    with role(settings, drafts, *grants) as url:
        ran = run(settings, "check", DRAFTS_TABLE=table, RETOOL_DATABASE_URL=url)
    rebase = f'drafts cannot be rebased without GRANT UPDATE ("plan_data") ON "{table}" TO <role>'
    insert = (
        "no draft can be made from a plan without GRANT INSERT"
        ' ("id", "name", "status", "plan_data", "aidbox_id", "created_by", "updated_at")'
        f' ON "{table}" TO <role>'
    )
    further = [f"warning rights: {rebase}", f"warning rights: {insert}"]
    assert ran.lines[2:15] == [*COLUMNS, *REST[:2], *further, REST[2]]
    assert ran.code == 0


def test_a_closed_schema_is_one_line(settings: Settings, drafts: Drafts) -> None:
    schema = new_name("closed")
    drafts.connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
    assert run(settings, "setup", DRAFTS_TABLE=f"{schema}.drafts").code == 0
    with role(settings, drafts, f"GRANT SELECT ON {schema}.drafts") as url:
        ran = run(settings, "check", DRAFTS_TABLE=f"{schema}.drafts", RETOOL_DATABASE_URL=url)
    drafts.connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(schema)))
    assert [told for told in ran.lines if told.startswith("wrong")] == [
        (
            f"wrong   drafts table: {schema}.drafts is not there, or in a schema closed to our role:"
            " run `plan-api setup`, grant USAGE on the schema, or name another table in DRAFTS_TABLE"
        )
    ]
    assert ran.code == 1


def test_a_read_only_server_is_wrong(settings: Settings, table: str) -> None:
    url = settings.retool_database_url.get_secret_value() + "?options=-cdefault_transaction_read_only%3Don"
    ran = run(settings, "check", DRAFTS_TABLE=table, RETOOL_DATABASE_URL=url)
    assert ran.lines[0].endswith(f"at {database(settings)} takes no writes; RETOOL_DATABASE_URL must name the primary")
    assert ran.lines[0].startswith("wrong   drafts database: PostgreSQL ")
    assert ran.code == 1
