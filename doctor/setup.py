"""`plan-api setup`: prepares the drafts table and deploys the process. Idempotent, and safe to run concurrently."""

import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg

from api.errors import Misconfigured, Unreachable, UpstreamFailed
from api.upstreams import Upstreams
from api.upstreams.camunda.authorizations import READ_MODEL, demand
from api.upstreams.camunda.client import Camunda
from api.upstreams.camunda.records import NOTIFICATION_KEY, PROCESS_KEY
from api.upstreams.retool.client import Retool
from api.upstreams.retool.records import Columns
from doctor.deployment import deploy, newest_definition
from doctor.drafts_table import look, numbers_offer, ready_statements
from resilience.postgres.pool import Connection

SETUP_LOCK = 7_265_013_318_221_846_001  # any number, the same for all who set up
_HERE = Path(__file__).parent
_FOLDERS = (_HERE / "bpmn", _HERE.parent / "bpmn")  # in the wheel, in the project
MODEL = next(path for folder in _FOLDERS if (path := folder / "benefit-approval.bpmn").exists())
NOTIFICATION = MODEL.with_name(f"{NOTIFICATION_KEY}.bpmn")


# SHA-256 of our model in each of its versions, the newest last.
OURS = (
    "6e5ab119c10f416d574116ca9435e98fb5e23ff550c04535bf3ca90a020ce9c9",
    "7deae4eeb79ec7e183d99078741e03eb3a159937aafda2e19db46ac9c01636d7",
    "aff2f3b9b95e3b285a8ae809ac1e51c7604dfff0ef6e14a0814c0d37cacb129e",
    "8879eae2b66de074bdc6cb0d2ef15e84263b89b05e2c94ad9a8e98d38c549633",
    "949bf679948eaeaa4684e500f91d7f2b7987b7111f6ecbad0dc5292a1bd7f806",
    "42f1cf2d3584d2024ee48501359f33780dd721f7f6da0fe65d639031395f035c",
)


class OtherModel(Misconfigured):
    """The newest model in the engine is none of ours, and nobody said that ours is to take its place."""


async def set_up(
    upstreams: Upstreams, files: Mapping[str, bytes] | None = None, *, replaces_others: bool = True
) -> list[str]:
    """Prepare table and engine, with our model or another one, and that of notifications; a line for each step.

    `files`: a model and the decision tables it uses, by their names. Without them ours is deployed; `replaces_others`:
    in place of a model that is none of ours as well, otherwise raises OtherModel once the table is ready. Raises
    UpstreamFailed.

    Both steps hold one lock in the drafts database: two concurrent deployments of a model would make two versions of
    it, despite duplicate filtering. They are two transactions, so that a slow engine does not keep the table locked.
    Crash between them: the table is ready, and a repeat deploys.
    """
    columns = upstreams.retool.columns
    async with _exclusively(upstreams.retool) as connection:
        for statement in ready_statements(columns, (await look(connection, columns)).table):
            await connection.execute(statement)
    ready = f"{columns.table}: table, column and index are there"
    is_ours = not files
    files = files or {MODEL.name: MODEL.read_bytes()}
    async with _exclusively(upstreams.retool):
        notifications = await _notifications(upstreams.camunda)
        if is_ours and PROCESS_KEY not in upstreams.camunda.own.process_keys:
            approvals = f"{MODEL.name}: not deployed, since {PROCESS_KEY} is none of PROCESS_KEYS; see --model"
        else:
            if is_ours and not replaces_others:
                await _demand_ours(upstreams.camunda)
            approvals = await _deployed(upstreams.camunda, files)
    return [ready, approvals, notifications]


async def _notifications(camunda: Camunda) -> str:
    """What became of the model of notifications; what the engine says, where it refuses: approvals work without it."""
    try:
        return await _deployed(camunda, {NOTIFICATION.name: NOTIFICATION.read_bytes()}, NOTIFICATION_KEY)
    except UpstreamFailed as refused:
        if refused.status is None:
            raise
        return f"{NOTIFICATION.name}: not deployed, so webhooks are told nothing: {refused}"


async def _deployed(camunda: Camunda, files: Mapping[str, bytes], name: str | None = None) -> str:
    """What became of the deployment of files, as a line."""
    definition_id = await deploy(camunda, files, name)
    return f"{', '.join(files)}: {f'deployed as {definition_id}' if definition_id else 'deployed already'}"


async def _demand_ours(camunda: Camunda) -> None:
    """Make sure that the newest version of the process, if there is one, is a model of ours. Raises OtherModel."""
    await demand(camunda, READ_MODEL)
    newest = await newest_definition(camunda, PROCESS_KEY)
    if newest is None or hashlib.sha256((await camunda.model(newest.id)).encode()).hexdigest() in OURS:
        return
    raise OtherModel(
        f"the newest version of {PROCESS_KEY} in the engine, {newest.version}, is a model of your own, so ours was not "
        "deployed: deploy yours with --model FILE, or ours in its place with --replace-model"
    )


def as_files(paths: Sequence[Path]) -> dict[str, bytes]:
    """Models and their decision tables by the names to deploy them under.

    A single model has the name of ours: under a name of its own, the engine would take what it had before under that
    name for deployed, though another model is newer. Raises Misconfigured when one is not readable, or two of them
    have one name.
    """
    models, files = [path for path in paths if path.suffix == ".bpmn"], dict[str, bytes]()
    for path in paths:
        name = MODEL.name if models == [path] else path.name
        if name in files:
            raise Misconfigured(f"{path}: another file is called {name} as well; rename one of them")
        try:
            files[name] = path.read_bytes()
        except OSError as error:
            raise Misconfigured(f"{error.filename}: {error.strerror}") from error
    return files


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
