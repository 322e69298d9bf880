"""`plan-api setup`: makes the drafts table ready and deploys the process. Safe to repeat, and to run twice at once.

Called by the command line (`setup`, `demo`) and by the tests.
"""

from pathlib import Path

from psycopg import sql

from api.upstreams import Upstreams
from api.upstreams.retool import Columns, table_name

MODEL = Path(__file__).parent.parent / "bpmn" / "benefit-approval.bpmn"


async def set_up(upstreams: Upstreams, *, name: str = MODEL.name, model: bytes | None = None) -> list[str]:
    """Do it, with our model or another one; a line for each thing done. Raises UpstreamFailed.

    All of it happens under one lock in the drafts database: two deployments of one model at the same moment would
    make two versions of it, duplicate filtering or not.
    """
    statements = table_statements(upstreams.retool.columns)
    async with upstreams.retool.exclusively(statements):
        definition_id = await upstreams.camunda.deploy(name, model or _model())
    deployed = f"deployed as {definition_id}" if definition_id else "deployed already"
    return [f"{upstreams.retool.columns.table}: table, column and index are there", f"{name}: {deployed}"]


def script(columns: Columns) -> str:
    """The SQL that `set_up` runs, for a database administrator to read or to run."""
    return "".join(f"{statement.as_string()};\n" for statement in table_statements(columns))


def table_statements(columns: Columns) -> list[sql.Composed]:
    """What makes the table ready; each changes nothing when it is done already."""
    table, process = table_name(columns), sql.Identifier(columns.camunda_process_id)
    create = sql.SQL(
        "CREATE TABLE IF NOT EXISTS {table} ({id} text PRIMARY KEY DEFAULT gen_random_uuid()::text,"
        " {name} text NOT NULL, {status} text NOT NULL DEFAULT 'draft', {plan_data} jsonb NOT NULL, {aidbox_id} text,"
        " {process} varchar(255), {created_by} text, {updated_at} timestamptz NOT NULL DEFAULT now())"
    )
    names = ("id", "name", "status", "plan_data", "aidbox_id", "created_by", "updated_at")
    identifiers = {name: sql.Identifier(getattr(columns, name)) for name in names}
    return [
        create.format(table=table, process=process, **identifiers),
        sql.SQL("ALTER TABLE {table} ADD COLUMN IF NOT EXISTS {process} VARCHAR(255)").format(
            table=table, process=process
        ),
        sql.SQL(
            "CREATE INDEX IF NOT EXISTS idx_draft_process ON {table} ({process}) WHERE {process} IS NOT NULL"
        ).format(table=table, process=process),
    ]


def _model() -> bytes:
    return MODEL.read_bytes()
