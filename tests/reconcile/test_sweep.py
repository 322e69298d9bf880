"""The sweep itself: what it costs, how it goes through many drafts, and that one replica does it at a time."""

import uuid

import psycopg
import pytest

from api.coordination.process.reconcile import DRAFTS_LOOKED_AT, Sweep
from api.errors import Unreachable
from api.settings import Settings
from api.upstreams.retool.client import SWEEP_LOCK
from tests.reconcile.conftest import Calls, FirstVersion, Table, sweeping
from tests.serving import AUTHOR, Api, Drafts
from tests.stories.behind import Behind
from tests.verbs import submitted

pytestmark = pytest.mark.anyio
BOTH = ["POST /engine-rest/history/process-instance", "POST /engine-rest/history/variable-instance"]


async def _swept(settings: Settings, calls: Calls, after_id: str | None = None) -> Sweep | None:
    async with sweeping(settings, calls) as sweep:
        calls.requests.clear()
        calls.statements.clear()
        found: Sweep | None = await sweep(after_id)
        return found


async def swept(table: Table, after_id: str | None = None) -> tuple[Sweep | None, Calls]:
    """One sweep of the table, and what it asked."""
    calls = Calls()
    return await _swept(table.settings, calls, after_id), calls


def _unknown(count: int) -> list[tuple[str, str, str | None]]:
    return [(f"draft-{number:05}", "submitted", str(uuid.uuid4())) for number in range(count)]


async def test_it_costs_the_same_however_many_drafts_wait(table: Table) -> None:
    for count in (0, 1, 1000):
        table.insert(_unknown(count)[len(table.statuses()) :])
        found, calls = await swept(table)
        assert found is not None
        assert (found.waiting, found.ended, found.unknown) == (count, 0, count)
        assert sorted(calls.requests) == (BOTH if count else [])
        assert calls.statements == ["SELECT", "SELECT"]


async def test_it_goes_on_where_it_ended(table: Table) -> None:
    table.insert(_unknown(DRAFTS_LOOKED_AT + 5))
    first, _ = await swept(table)
    assert first == Sweep(waiting=1000, ended=0, unknown=1000, unlinked=0, last_id="draft-00999")
    second, _ = await swept(table, "draft-00999")
    assert second == Sweep(waiting=5, ended=0, unknown=5, unlinked=0, last_id=None)


async def test_what_the_engine_does_not_know_is_left_alone(table: Table) -> None:
    """It may be the wrong engine."""
    table.insert([*_unknown(3), ("another", "submitted", None), ("resting", "draft", None)])
    found, _ = await swept(table)
    assert found == Sweep(waiting=4, ended=0, unknown=4, unlinked=0, last_id=None)
    assert set(table.statuses().values()) == {"submitted", "draft"}


async def test_what_has_ended_costs_two_calls_for_all_and_one_statement_each(
    table: Table, first: FirstVersion, behind: Behind
) -> None:
    rows: list[tuple[str, str, str | None]] = []
    for _ in range(7):
        draft_id = behind.drafts.new()
        rows.append((draft_id, "submitted", first.submitted(draft_id)))
        first.decided(draft_id, approved=False)
    table.insert(rows)
    found, calls = await swept(table)

    assert found == Sweep(waiting=7, ended=7, unknown=0, unlinked=0, last_id=None)
    assert set(table.statuses().values()) == {"rejected"}
    assert sorted(calls.requests) == [*BOTH, BOTH[1]]
    assert calls.statements == ["SELECT", "SELECT", "SELECT", *["UPDATE"] * 7]
    assert (await swept(table))[0] == Sweep(waiting=0, ended=0, unknown=0, unlinked=0, last_id=None)


async def test_running_processes_are_seen_and_nothing_else(table: Table, api: Api, drafts: Drafts) -> None:
    draft_id = drafts.new()
    table.insert([(draft_id, "submitted", submitted(api, draft_id, AUTHOR))])
    found, calls = await swept(table)
    assert found == Sweep(waiting=1, ended=0, unknown=0, unlinked=0, last_id=None)
    assert sorted(calls.requests) == BOTH
    assert table.statuses() == {draft_id: "submitted"}


async def test_one_sweeps_at_a_time(table: Table) -> None:
    url = table.settings.retool_database_url.get_secret_value()
    with psycopg.connect(url) as other:
        other.execute("SELECT pg_advisory_xact_lock(%s)", [SWEEP_LOCK])
        found, calls = await swept(table)
    assert (found, calls.requests, calls.statements) == (None, [], ["SELECT"])
    assert (await swept(table))[0] is not None


async def test_an_engine_that_is_away_ends_no_draft(table: Table, behind: Behind, first: FirstVersion) -> None:
    draft_id = behind.drafts.new()
    table.insert([(draft_id, "submitted", first.submitted(draft_id))])
    first.decided(draft_id, approved=False)
    away = table.settings.model_copy(update={"camunda_url": "http://127.0.0.1:9/engine-rest"})

    with pytest.raises(Unreachable):
        await _swept(away, Calls())
    assert table.statuses() == {draft_id: "submitted"}
