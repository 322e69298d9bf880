"""`plan-api setup`: prepares the drafts table and deploys the process. Idempotent, and safe to run concurrently."""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg

from api.errors import Misconfigured, Unreachable, UpstreamFailed
from api.upstreams import Upstreams
from api.upstreams.retool.client import Retool
from api.upstreams.retool.records import Columns
from doctor.deployment import deploy
from doctor.drafts_table import look, numbers_offer, ready_statements
from resilience.postgres.pool import Connection

SETUP_LOCK = 7_265_013_318_221_846_001  # any number, the same for all who set up
_HERE = Path(__file__).parent
_FOLDERS = (_HERE / "bpmn", _HERE.parent / "bpmn")  # in the wheel, in the project
MODEL = next(path for folder in _FOLDERS if (path := folder / "benefit-approval.bpmn").exists())


async def set_up(upstreams: Upstreams, files: Mapping[str, bytes] | None = None) -> list[str]:
    """Prepare table and engine, with our model or another one; a line for each step. Raises UpstreamFailed.

    `files`: a model and the decision tables it uses, by their names.

    Both steps hold one lock in the drafts database: two concurrent deployments of a model would make two versions of
    it, despite duplicate filtering. They are two transactions, so that a slow engine does not keep the table locked.
    Crash between them: the table is ready, and a repeat deploys.
    """
    columns = upstreams.retool.columns
    async with _exclusively(upstreams.retool) as connection:
        for statement in ready_statements(columns, (await look(connection, columns)).table):
            await connection.execute(statement)
    files = files or {MODEL.name: MODEL.read_bytes()}
    async with _exclusively(upstreams.retool):
        definition_id = await deploy(upstreams.camunda, files)
    deployed = f"deployed as {definition_id}" if definition_id else "deployed already"
    return [f"{columns.table}: table, column and index are there", f"{', '.join(files)}: {deployed}"]


def as_files(paths: Iterable[Path]) -> dict[str, bytes]:
    """A model and its decision tables by the names to deploy them under. Raises Misconfigured when one is not readable.

    A model has the name of ours: under a name of its own, the engine would take what it had before under that name for
    deployed, though another model is newer.
    """
    try:
        return {MODEL.name if path.suffix == ".bpmn" else path.name: path.read_bytes() for path in paths}
    except OSError as error:
        raise Misconfigured(f"{error.filename}: {error.strerror}") from error


@asynccontextmanager
async def _exclusively(retool: Retool) -> AsyncIterator[Connection]:
    """A transaction under the advisory lock of `setup`. Raises UpstreamFailed with the database's words."""
    try:
        async with retool.connections.connection() as connection, connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock(%s)", [SETUP_LOCK])
            yield connection
    except psycopg.OperationalError as error:
        raise Unreachable("retool", "The drafts database can not be reached: run `plan-api check`") from error
    except psycopg.Error as error:
        raise UpstreamFailed("retool", f"The drafts database refused: {error}") from error


def script(columns: Columns) -> str:
    """The SQL that `set_up` runs on an empty database, for an administrator to read or to run."""
    statements = "".join(f"{statement.as_string()};\n" for statement in ready_statements(columns))
    return f"{statements}-- worth having on a table that was there before: {numbers_offer(columns)};\n"
