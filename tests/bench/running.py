"""The rounds: each server in turn does the same, again and again, so that what disturbs one disturbs all alike.

Called by __main__.py and test_bench.py.
"""

import statistics
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_urlsafe
from tempfile import TemporaryDirectory
from typing import LiteralString
from urllib.parse import urlsplit

import httpx
import orjson
import psycopg

from api.upstreams.retool.records import Columns
from doctor.drafts_table import ready_statements
from sandbox.keeper import Keeper
from sandbox.ports import free_port
from sandbox.postgres import database_url, postgres_server
from tests.bench.contents import fill_drafts
from tests.bench.load import Client, ask_all, connected, http_request
from tests.bench.processes import ROOT, Measured, python, serving
from tests.bench.query import GROUP, INBOX
from tests.calls.inboxes import Inboxes
from tests.engine_access import engine_settings
from tests.serving import Drafts

# the slower ones have to be waited for
PATIENCE = dict.fromkeys(("RETOOL_TIMEOUT", "CAMUNDA_TIMEOUT", "AIDBOX_TIMEOUT"), "100")
MOST_NAIVE = 3200  # tasks under way at once
NAME: LiteralString = "plan_api_bench"
DEFAULT_COLUMNS = Columns(
    "benefit_plan_drafts",
    "id",
    "name",
    "status",
    "plan_data",
    "aidbox_id",
    "camunda_process_id",
    "created_by",
    "updated_at",
)
COMMANDS = {
    "plan-api": python("api", "serve"),
    "limit": python("tests.bench.servers.limit"),
    "plain": python("tests.bench.servers.plain"),
    "naive": python("tests.bench.servers.naive"),
}


@dataclass(frozen=True)
class Systems:
    """Where the systems are, and whose tasks are listed; `control` of the replay, empty for real ones."""

    environment: dict[str, str]
    control: str = ""
    group: str = GROUP

    def asked(self, *, delay: float | None = None) -> dict[str, int]:
        """Requests and statements since the last time; sets the delay."""
        if not self.control:
            return {"http": 0, "sql": 0}
        told = httpx.get(self.control, params={} if delay is None else {"delay": str(delay)})
        counts: dict[str, int] = told.json()
        return counts


@dataclass(frozen=True)
class Case:
    """So many tasks, so many clients, so much delay of every answer from behind."""

    tasks: int
    clients: int
    delay: float

    def __str__(self) -> str:
        return f"{self.tasks} tasks, {self.clients} clients, {self.delay * 1000:g} ms"


@dataclass(frozen=True)
class Round:
    """What one server did in one round, for each request: seconds of CPU and of waiting, and what was asked behind."""

    cpu: float
    p50: float
    p99: float
    rate: float
    http: float
    sql: float


@dataclass
class Result:
    """All rounds of one server in one case."""

    rounds: list[Round] = field(default_factory=list)

    def median(self, measure: str) -> float:
        values: list[float] = [getattr(each, measure) for each in self.rounds]
        return statistics.median(values)

    def ratio(self, other: "Result", measure: str) -> tuple[float, float, float]:
        """Median, least and most of what this one has against the other, round by round."""
        pairs = zip(self.rounds, other.rounds, strict=True)
        ratios = [getattr(mine, measure) / getattr(theirs, measure) for mine, theirs in pairs]
        return statistics.median(ratios), min(ratios), max(ratios)


@contextmanager
def replayed(retool_url: str, tasks: int) -> Iterator[Systems]:
    """The replay before a real database, whose drafts table is filled with so many drafts."""
    fill_drafts(retool_url, tasks)
    port = urlsplit(retool_url).port or 5432
    command = python("tests.bench.replay", str(tasks), str(port))
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603  # ours
        try:
            assert process.stdout is not None
            http, sql = process.stdout.readline().split()
            environment = {
                "RETOOL_DATABASE_URL": retool_url.replace(f":{port}/", f":{sql}/"),
                "CAMUNDA_URL": f"http://127.0.0.1:{http}/engine-rest",
                "AIDBOX_URL": f"http://127.0.0.1:{http}/fhir",
            }
            yield Systems(environment, f"http://127.0.0.1:{http}/control")
        finally:
            process.terminate()


def filled(retool_url: str, camunda_url: str, aidbox_url: str, tasks: int) -> Systems:
    """Real systems, with so many tasks for a group of their own."""
    drafts = Drafts(retool_url)
    with drafts.connection:
        inbox = Inboxes(drafts, camunda_url, aidbox_url).of(tasks)
    engine = {name.upper(): value for name, value in engine_settings(camunda_url).items()}
    environment = {"RETOOL_DATABASE_URL": retool_url, **engine, "AIDBOX_URL": aidbox_url}
    return Systems(environment, group=inbox.reviewer.groups[0])


@contextmanager
def own_database() -> Iterator[str]:
    """A PostgreSQL of its own, until the block ends; its address."""
    with TemporaryDirectory(prefix="bench") as folder, Keeper() as keeper:
        port, password = free_port(), token_urlsafe()
        server = postgres_server(Path(folder) / "postgres", port, password, durable=False, keeper=keeper)
        server.launch()
        try:
            server.wait_until_ready()
            yield database_url(port, "postgres", password)
        finally:
            server.stop()


def bench_database(server_url: str) -> str:
    """A database of the benchmark's own on a server, with the drafts table in it; its address."""
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {NAME} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {NAME}")
    url = urlsplit(server_url)._replace(path=f"/{NAME}").geturl()
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in ready_statements(DEFAULT_COLUMNS):
            connection.execute(statement)
    return url


def servers(names: Sequence[str], systems: Systems, stack: ExitStack) -> list[Measured]:
    """Each of COMMANDS named, started until the stack ends."""
    ours = {"AUTH": "headers", "WORKER": "false", "LOG_LEVEL": "error", "BENCH_GROUP": systems.group, **PATIENCE}
    return [
        stack.enter_context(serving(name, COMMANDS[name.split()[0]], {**ours, **systems.environment, **_extra(name)}))
        for name in names
    ]


def _extra(name: str) -> dict[str, str]:
    """`plan-api EXECUTOR=stock` is plan-api with that setting."""
    return dict(word.split("=", 1) for word in name.split()[1:])


def request_for(tasks: int, group: str) -> bytes:
    """The first so many tasks of a member of the group."""
    headers = {"X-User-Id": "reviewer", "X-User-Groups": group}
    return http_request("/graphql", headers, orjson.dumps({"query": INBOX, "variables": {"limit": tasks}}))


def takes_part(name: str, case: Case) -> bool:
    """The naive server is left out where one request of it would take minutes."""
    return name != "naive" or case.tasks * case.clients <= MOST_NAIVE


async def run_rounds(
    measured: Sequence[Measured], systems: Systems, case: Case, *, rounds: int, seconds: float
) -> dict[str, Result]:
    """Rounds of about so many seconds for each server, in changing order. They must all answer the same."""
    request = request_for(case.tasks, systems.group)
    systems.asked(delay=case.delay)
    taking_part = [each for each in measured if takes_part(each.name, case)]
    await _compare(taking_part, request)
    times: dict[str, int] = {}
    for each in taking_part:
        async with connected(each.port, case.clients) as clients:
            warm = await ask_all(clients, request, case.clients * 2)
        times[each.name] = max(case.clients * 2, int(seconds / warm.seconds * case.clients * 2))
    results = {each.name: Result() for each in taking_part}
    for number in range(rounds):
        first = number % len(taking_part)
        for each in (*taking_part[first:], *taking_part[:first]):
            # anew each time: a server closes a connection that is idle while the others have their turn
            async with connected(each.port, case.clients) as clients:
                result = await _round(each, systems, clients, request, times[each.name])
            results[each.name].rounds.append(result)
    return results


async def _compare(taking_part: Sequence[Measured], request: bytes) -> None:
    answers = []
    for each in taking_part:
        async with connected(each.port, 1) as (client,):
            answers.append(orjson.loads(await client.ask(request)))
    assert all(answer == answers[0] for answer in answers), f"they answer differently: {answers}"


async def _round(server: Measured, systems: Systems, clients: Sequence[Client], request: bytes, times: int) -> Round:
    systems.asked()
    before = server.cpu()
    load = await ask_all(clients, request, times)
    cpu, asked = server.cpu() - before, systems.asked()
    ordered = sorted(load.latencies)
    return Round(
        cpu=cpu / times,
        p50=statistics.median(ordered),
        p99=ordered[int(len(ordered) * 0.99)],
        rate=times / load.seconds,
        http=asked["http"] / times,
        sql=asked["sql"] / times,
    )
