"""Several `setup`s at once, on tables that are not there yet and with models that are new."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from functools import partial

import httpx
import pytest
from psycopg import sql

from api.settings import Settings
from api.upstreams import open_upstreams
from doctor.setup import MODEL, set_up
from graphql_server.http.request_id import request_id
from tests.commands.running import new_name
from tests.races.racing import Turnstile, at_once, told_by
from tests.races.schedule import drawn, several
from tests.serving import Drafts
from tests.unit.test_setup import COLUMNS, columns, indexes

CALLS = 8  # what a setup asks of the database and the engine, about


@pytest.fixture
def schema(drafts: Drafts) -> Iterator[str]:
    """A schema of the test's own."""
    name = new_name("apps")
    drafts.connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(name)))
    yield name
    drafts.connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(name)))


@pytest.fixture
def keys(engine: httpx.Client, seeds: range) -> Iterator[list[str]]:
    """A process key for each round; what is deployed under it is taken back."""
    made = [new_name("approval") for _ in seeds]
    yield made
    for key in made:
        for each in engine.get("/process-definition", params={"key": key}).json():
            engine.delete(f"/deployment/{each['deploymentId']}", params={"cascade": "true"}).raise_for_status()


@pytest.mark.usefixtures("sandbox")
def test_several_at_once(
    patient: Settings,
    drafts: Drafts,
    engine: httpx.Client,
    seeds: range,
    seen: Counter[str],
    schema: str,
    keys: list[str],
) -> None:
    """They make one table, and one of them deploys the model: the engine itself would take a new model twice."""
    seen.update({"deployed by the first": 0, "deployed by another": 0})
    for seed, key in zip(seeds, keys, strict=True):
        with told_by(seed):
            names, turnstile = (
                several(seed, "setup"),
                Turnstile(schedule=drawn(seed, several(seed, "setup"), calls=CALLS)),
            )
            table = f"{schema}.drafts_{seed}"
            settings = patient.model_copy(update={"drafts_table": table})
            lines = at_once(
                turnstile.schedule, {name: partial(_set_up, settings, turnstile, key, name) for name in names}
            )

            assert {first for first, *_ in lines.values()} == {f"{table}: table, column and index are there"}
            (deployer,) = [name for name, (_, second, _) in lines.items() if " deployed as " in second]
            others = {second for name, (_, second, _) in lines.items() if name != deployer}
            assert others == {f"{key}.bpmn: deployed already"}
            assert {third for *_, third in lines.values()} == {"benefit-notification.bpmn: deployed already"}
            assert engine.get("/process-definition/count", params={"key": key}).json() == {"count": 1}
            assert columns(drafts, table) == COLUMNS
            assert indexes(drafts, table) == [f"idx_draft_process_drafts_{seed}"]
            seen["deployed by the first" if deployer == names[0] else "deployed by another"] += 1


def _set_up(settings: Settings, turnstile: Turnstile, key: str, actor: str) -> list[str]:
    async def run() -> list[str]:
        request_id.set(actor)
        async with open_upstreams(settings, **turnstile.parts) as upstreams:
            return await set_up(upstreams, {f"{key}.bpmn": _model(key)})

    return asyncio.run(run())


def _model(key: str) -> bytes:
    """Ours under another process key."""
    own = MODEL.read_bytes().replace(b'id="benefit-approval"', f'id="{key}"'.encode())
    return own.replace(b'bpmnElement="benefit-approval"', f'bpmnElement="{key}"'.encode())
