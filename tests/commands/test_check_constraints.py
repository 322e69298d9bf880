"""`plan-api check` tries every status against the table's own rules; nothing is written, and no trigger runs."""

import pytest
from psycopg import sql

from api.settings import Settings
from tests.commands.running import run
from tests.serving import Drafts

FEW = "('draft', 'submitted', 'approved', 'rejected')"
MENDED = "let it take them, or name texts of the table's own in DRAFT_STATUSES={}"
REFUSED = "wrong   statuses: {} refused by {}: {}"


def refused(statuses: str, why: str) -> str:
    mapped = ",".join(f"{status}:…" for status in statuses.split(", "))
    return REFUSED.format(statuses, why, MENDED.format(mapped))


@pytest.mark.parametrize(
    ("statement", "lines"),
    [
        (f"ALTER TABLE {{0}} ADD CONSTRAINT few CHECK (status IN {FEW})",
         [refused("returned, conflict, withdrawn", "the CHECK constraint few")]),
        (f"ALTER TABLE {{0}} ADD CONSTRAINT few CHECK (lower(status) IN {FEW}) NOT VALID",
         [refused("returned, conflict, withdrawn", "the CHECK constraint few")]),
        ("ALTER TABLE {0} ADD CONSTRAINT a CHECK (status <> 'conflict'), ADD CONSTRAINT b CHECK (status <> 'returned')",
         [refused("returned", "the CHECK constraint b"), refused("conflict", "the CHECK constraint a")]),
        ("ALTER TABLE {0} ADD CHECK (status = 'draft' OR camunda_process_id IS NOT NULL)", []),
        ("ALTER TABLE {0} ADD CHECK (status <> 'approved' OR aidbox_id IS NOT NULL)", []),
        ("ALTER TABLE {0} ADD CHECK (status <> 'draft' OR updated_at > now() - interval '1 day' OR id <> '')", []),
        ("ALTER TABLE {0} ADD reason text, ADD CONSTRAINT why CHECK (status <> 'rejected' OR reason IS NOT NULL)",
         [refused("rejected", "the CHECK constraint why")]),
        (("CREATE FUNCTION {2}(text) RETURNS boolean IMMUTABLE LANGUAGE sql AS $$ SELECT $1 <> 'withdrawn' $$;"
         " ALTER TABLE {0} ADD CONSTRAINT asks CHECK ({2}(status))"),
         [refused("withdrawn", "the CHECK constraint asks")]),
        (("CREATE DOMAIN {2} AS text CHECK (VALUE NOT IN ('conflict'));"
         " ALTER TABLE {0} ALTER status DROP DEFAULT, ALTER status TYPE {2}"),
         [refused("conflict", 'value for domain {2} violates check constraint "{2}_check"')]),
        ("ALTER TABLE {0} ADD region text NOT NULL, ADD place int GENERATED ALWAYS AS IDENTITY, ADD y int DEFAULT 1",
         [("warning new drafts: region: must have a value and has no default, so no draft can be made from a plan;"
          " give it a default")]),
        ("ALTER TABLE {0} ADD CONSTRAINT once UNIQUE (name)",
         [("warning new drafts: name is unique (once): a draft made from a plan is refused where there is another;"
          " give it a name of its own")]),
        ("CREATE UNIQUE INDEX once_{1} ON {0} (lower(name))",
         [("warning new drafts: name is unique (once_{1}): a draft made from a plan is refused where there is another;"
          " give it a name of its own")]),
        (("CREATE TABLE people_{1} (id text PRIMARY KEY); ALTER TABLE {0} ADD FOREIGN KEY (created_by)"
         " REFERENCES people_{1}(id)"),
         ["warning new drafts: created_by: FOREIGN KEY (created_by) REFERENCES people_{1}(id); others are refused"]),
        (("CREATE FUNCTION {2}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM nextval('runs_{1}'); RETURN NEW;"
         " END $$; CREATE SEQUENCE runs_{1}; CREATE TRIGGER noted AFTER INSERT OR UPDATE ON {0} FOR EACH ROW"
         " EXECUTE FUNCTION {2}()"),
         ["ok      triggers: noted: not tried, as they may do something"]),
    ],
)  # fmt: skip
def test_what_a_table_demands(statement: str, lines: list[str], settings: Settings, table: str, drafts: Drafts) -> None:
    own = f"own_{table}"
    names = [sql.Identifier(table), sql.SQL(table), sql.Identifier(own)]
    drafts.connection.execute(sql.SQL(statement).format(*names))
    said = {line.replace("{1}", table).replace("{2}", own) for line in lines}
    if drafts.connection.execute("SELECT to_regclass(%s)", [f"runs_{table}"]).fetchone() != (None,):
        runs = sql.SQL("SELECT is_called FROM {}").format(sql.Identifier(f"runs_{table}"))
        ran = run(settings, "check", DRAFTS_TABLE=table)
        assert drafts.connection.execute(runs).fetchone() == (False,)
    else:
        ran = run(settings, "check", DRAFTS_TABLE=table)
    about = ("statuses", "new drafts", "triggers")
    told = {line for line in ran.lines if line[8:].startswith(about)} - {"ok      statuses: all known"}
    assert told == said
    assert ran.code == (1 if any(line.startswith("wrong") for line in lines) else 0)
    assert drafts.connection.execute(sql.SQL("SELECT count(*) FROM {}").format(names[0])).fetchone() == (0,)
    drafts.connection.execute(sql.SQL("DROP TABLE {} CASCADE").format(names[0]))
    for kind in ("FUNCTION", "DOMAIN"):
        drafts.connection.execute(sql.SQL("DROP {} IF EXISTS {}").format(sql.SQL(kind), names[2]))
    for kind, name in (("TABLE", f"people_{table}"), ("SEQUENCE", f"runs_{table}")):
        drafts.connection.execute(sql.SQL("DROP {} IF EXISTS {}").format(sql.SQL(kind), sql.Identifier(name)))


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("approved:published,approved:done", "each status may be named once"),
        ("approved:rejected", "two statuses would both be rejected in the table"),
        ("approved:X,rejected:x", "two statuses would both be x in the table"),
        ("published:approved", ("an entry must be one of draft, submitted, approved, rejected, returned, conflict,"
         " withdrawn, a colon and the table's own text")),
        ("approved", ("an entry must be one of draft, submitted, approved, rejected, returned, conflict, withdrawn,"
         " a colon and the table's own text")),
        ("approved:", ("an entry must be one of draft, submitted, approved, rejected, returned, conflict, withdrawn,"
         " a colon and the table's own text")),
    ],
)  # fmt: skip
def test_a_mapping_that_is_not_one_to_one_is_one_line(value: str, told: str, settings: Settings) -> None:
    ran = run(settings, "check", DRAFT_STATUSES=value)
    assert (ran.code, ran.lines) == (1, [])
    assert ran.errors.startswith(f"plan-api: DRAFT_STATUSES is wrong ({told})")
