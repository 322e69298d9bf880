"""The benchmark still runs: every server answers the inbox, all alike, and the limit with the fewest requests."""

import asyncio
from contextlib import ExitStack

import orjson
import uvloop

from api.settings import Settings
from tests.bench import leaving, replicas
from tests.bench.load import connected
from tests.bench.query import GROUP
from tests.bench.running import Case, bench_database, filled, replayed, request_for, run_rounds, servers
from tests.conftest import Systems
from tests.engine_access import engine_settings

TASKS = 10  # two of them about new plans
MOST = 1000  # a list's longest


def test_every_server_answers_the_same(systems: Systems) -> None:
    case = Case(TASKS, clients=2, delay=0.001)
    with ExitStack() as stack:
        behind = stack.enter_context(replayed(bench_database(systems.retool_database_url), TASKS))
        measured = servers(["plan-api", "limit", "plain", "naive"], behind, stack)
        results = uvloop.run(run_rounds(measured, behind, case, rounds=1, seconds=0))
    assert {name: (each.median("http"), each.median("sql")) for name, each in results.items()} == {
        "plan-api": (4, 1),  # tasks, count, variables, a search; versions are kept from the first answer
        "limit": (4, 1),
        "plain": (5, 1),
        "naive": (2 + TASKS + 2 * 8, TASKS),
    }
    assert all(each.median("rate") > 0 for each in results.values())


def test_every_server_answers_the_same_on_the_real_systems(systems: Systems, settings: Settings) -> None:
    assert settings.camunda_url in engine_settings(systems.camunda_url).values(), "the drafts table is there"
    with ExitStack() as stack:
        behind = filled(systems.retool_database_url, systems.camunda_url, systems.aidbox_url, TASKS)
        measured = servers(["plan-api", "limit", "plain", "naive"], behind, stack)
        results = uvloop.run(run_rounds(measured, behind, Case(TASKS, clients=1, delay=0), rounds=1, seconds=0))
    assert all(each.median("rate") > 0 for each in results.values())


def test_many_full_inboxes_at_once_are_all_answered_whole(systems: Systems) -> None:
    async def asked() -> list[bytes]:
        async with connected(replica.port, 16) as clients:
            request = request_for(MOST, GROUP)
            return await asyncio.gather(*(client.ask(request) for client in clients))

    with ExitStack() as stack:
        behind = stack.enter_context(replayed(bench_database(systems.retool_database_url), MOST))
        (replica,) = servers(["plan-api"], behind, stack)
        first, *others = (orjson.loads(body) for body in uvloop.run(asked()))
    assert len(first["data"]["pendingTasks"]["items"]) == MOST
    assert "errors" not in first
    assert others == [first] * 15


def test_a_replica_whose_clients_leave_is_idle_again(systems: Systems) -> None:
    with replayed(bench_database(systems.retool_database_url), leaving.TASKS) as behind:
        ((seconds, _),) = leaving.run(behind, rounds=1)
    assert seconds < leaving.LONGEST


def test_replicas_answer_behind_the_balancer(systems: Systems) -> None:
    with replayed(bench_database(systems.retool_database_url), replicas.TASKS) as behind:
        seen = replicas.run(behind, (1, 2), rounds=1, requests=16)
    assert {count: len(rounds) for count, rounds in seen.items()} == {1: 1, 2: 1}
    assert len(replicas.rows(seen)) == 3
