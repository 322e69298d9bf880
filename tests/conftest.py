"""The real systems for the whole run, the API served before them, and ways to look behind it.

The sandbox is started once, in each process that tests run in. `--retool-dsn`, `--camunda-url` and `--aidbox-url` take
running systems in its place, `--engine camunda` Camunda 7.24 in Operaton's (or another one of sandbox/engines.py),
`--store aidbox-like` a store that behaves as Aidbox documents (tests/aidbox_like) in HAPI's.
"""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import httpx
import pytest
from rich.console import Console

from api import settings as configuration
from api.settings import Settings
from api.upstreams import open_upstreams
from doctor.setup import set_up
from sandbox import Sandbox, running
from sandbox.engines import ENGINES
from tests.aidbox_like.emulation import aidbox_like
from tests.aidbox_like.switches import READINGS
from tests.engine_access import engine_settings
from tests.serving import Api, Drafts, serving


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("plan-api", "the systems behind the API")
    group.addoption("--engine", choices=tuple(ENGINES), default="operaton", help="the engine to start")
    group.addoption("--store", choices=("hapi", *READINGS), default="hapi", help="what the API takes for its store")
    group.addoption("--engine-timezone", default="UTC", help="the time zone of the engine, Asia/Kolkata for example")
    group.addoption("--examples", type=int, default=15, help="requests of a kind that tests/fuzz tries")
    group.addoption("--retool-dsn", help="a running drafts database, instead of starting one")
    group.addoption(
        "--camunda-url", help="a running engine (http://user:password@…/engine-rest), instead of starting one"
    )
    group.addoption("--aidbox-url", help="a running FHIR store, instead of starting one")
    group.addoption("--rounds", type=int, default=16, help="how often each race is run")
    group.addoption("--seed", type=int, default=1, help="the seed of the first round; the next has the next number")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--camunda-url") and config.getoption("numprocesses"):
        raise pytest.UsageError("workers of several processes would carry out each other's tasks in one engine")


def pytest_report_header(config: pytest.Config) -> str:
    first, rounds = config.getoption("--seed"), config.getoption("--rounds")
    return f"races: {rounds} rounds each, seeds {first} to {first + rounds - 1}"


TRIED = "crash points"  # a test's property: name, calls, points tried
Recorder = Callable[[str, object], None]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How many points the tests in crash/ tried, whichever processes they ran in."""
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.stats.get(kind, [])]
    properties = [each for report in reports if report.when == "call" for each in report.user_properties]
    tried: dict[str, tuple[int, int]] = {}
    for name, calls, points in (value for key, value in properties if key == TRIED):
        tried[name] = (calls, points + tried.get(name, (calls, 0))[1])
    if not tried:
        return
    terminalreporter.section("crash points: verb, calls, points tried")
    total = (sum(calls for calls, _ in tried.values()), sum(points for _, points in tried.values()))
    for name, (calls, points) in [*sorted(tried.items()), ("all", total)]:
        terminalreporter.write_line(f"{name:34} {calls:3} {points:5}")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """What runs tests that are coroutines."""
    return "asyncio"


@dataclass(frozen=True)
class Systems:
    """Where the three systems answer, users and passwords included; `sandbox` is None for systems that were given."""

    retool_database_url: str
    camunda_url: str
    aidbox_url: str
    sandbox: Sandbox | None


@pytest.fixture(scope="session")
def real_systems(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Systems]:
    """The three systems themselves, nothing before them."""
    given = [request.config.getoption(name) for name in ("--retool-dsn", "--camunda-url", "--aidbox-url")]
    if all(given):
        yield Systems(given[0], given[1], given[2], sandbox=None)
        return
    folder, console = tmp_path_factory.mktemp("sandbox"), Console(stderr=True)
    engine, timezone = (request.config.getoption(name) for name in ("--engine", "--engine-timezone"))
    with running(folder, engine=engine, engine_timezone=timezone, durable=False, console=console) as sandbox:
        yield Systems(sandbox.retool_database_url, sandbox.camunda_address, sandbox.aidbox_url, sandbox)


@pytest.fixture(scope="session")
def systems(request: pytest.FixtureRequest, real_systems: Systems) -> Iterator[Systems]:
    """The three systems as the API under test is to see them."""
    reading = request.config.getoption("--store")
    if reading == "hapi":
        yield real_systems
        return
    with aidbox_like(real_systems.aidbox_url, READINGS[reading]) as emulation:
        yield replace(real_systems, aidbox_url=emulation.url)


@pytest.fixture(scope="session")
def sandbox(systems: Systems) -> Sandbox:
    """The handles to kill and pause the systems; only where the tests started them."""
    if systems.sandbox is None:
        pytest.skip("the systems were given by option, so they are not ours to stop")
    return systems.sandbox


@pytest.fixture(scope="session")
def settings(systems: Systems) -> Settings:
    """The settings of the API under test. No worker: a test that wants one starts it."""
    made = configuration.read(
        _env_file=None,
        retool_database_url=systems.retool_database_url,
        **engine_settings(systems.camunda_url),
        aidbox_url=systems.aidbox_url,
        auth="headers",
        worker=False,
        lock_seconds=5,
        max_open_drafts=1_000_000,
        # HAPI takes 0.2 s for each; who tests what it says, asks for it.
        validate_plans=False,
    )
    asyncio.run(setting_up(made))
    return made


async def setting_up(settings: Settings) -> None:
    """What `plan-api setup` does."""
    async with open_upstreams(settings) as upstreams:
        await set_up(upstreams)


@pytest.fixture(scope="session")
def api(settings: Settings) -> Iterator[Api]:
    """The API, served over HTTP from a thread of this process."""
    with serving(settings) as api:
        yield api


@pytest.fixture(scope="session")
def drafts(systems: Systems) -> Iterator[Drafts]:
    """The drafts table, as Retool's app writes it."""
    drafts = Drafts(systems.retool_database_url)
    yield drafts
    drafts.connection.close()


@pytest.fixture(scope="session")
def engine(systems: Systems) -> Iterator[httpx.Client]:
    """The engine's own REST API."""
    with httpx.Client(base_url=systems.camunda_url, timeout=30) as client:
        yield client


@pytest.fixture(scope="session")
def store(systems: Systems) -> Iterator[httpx.Client]:
    """The store's own FHIR API."""
    with httpx.Client(base_url=systems.aidbox_url, timeout=60, headers={"Cache-Control": "no-cache"}) as client:
        yield client
