"""The API behind three wires, a plan in review that all three systems know of, and the log of failed calls."""

import json
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx
import pytest

from api.settings import Settings
from tests.conftest import Systems
from tests.degraded.faults import SYSTEMS, Log, logging_to
from tests.engine_access import engine_settings
from tests.serving import GOLD, Api, Drafts, Someone, serving
from tests.verbs import open_task, submitted
from tests.wire import Fault, Hang, Wire, wire

SHORT = 0.3  # seconds, the deadline of a system that hangs


@dataclass(frozen=True)
class Wired:
    """The API with a wire before each system; `hasty` has a short deadline for one of them."""

    settings: Settings
    api: Api
    hasty: dict[str, Api]
    wires: dict[str, Wire]

    def for_fault(self, system: str, fault: Fault) -> Api:
        """The API to ask while a system has a fault."""
        return self.hasty[system] if isinstance(fault, Hang) else self.api


@dataclass(frozen=True)
class World:
    """A plan of two versions, a draft of it in review, and another not yet submitted; people of this world alone."""

    author: Someone
    reviewer: Someone
    admin: Someone
    plan_id: str
    draft_id: str
    task_id: str
    fresh_id: str

    @property
    def variables(self) -> dict[str, object]:
        """For queries that name things of this world."""
        return {"author": self.author.id, "plan": self.plan_id, "draft": self.draft_id, "task": self.task_id}


@pytest.fixture(scope="session")
def wired(settings: Settings, systems: Systems) -> Iterator[Wired]:
    urls = {
        "retool_database_url": systems.retool_database_url,
        "camunda_url": systems.camunda_url,
        "aidbox_url": systems.aidbox_url,
    }
    with ExitStack() as stack:
        wires = {}
        for (setting, url), system in zip(urls.items(), SYSTEMS, strict=True):
            wires[system] = proxy = stack.enter_context(wire(*_address(url)))
            urls[setting] = at_port(url, proxy.port)
        # without kept versions, which are told all the same when the store is away
        urls |= engine_settings(urls["camunda_url"])
        through = read_again(settings, **urls, breaker_failures=0, kept_versions_bytes=0)
        api = stack.enter_context(serving(through))
        hasty = {
            system: stack.enter_context(serving(read_again(through, **{f"{system}_timeout": SHORT})))
            for system in SYSTEMS
        }
        yield Wired(through, api, hasty, wires)


def read_again(settings: Settings, **changes: object) -> Settings:
    """The settings with these changes."""
    return Settings(_env_file=None, **{**dict(settings), **changes})


def _address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    assert parts.hostname
    assert parts.port
    return parts.hostname, parts.port


def at_port(url: str, port: int) -> str:
    parts = urlsplit(url)
    user, at, _ = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user}{at}127.0.0.1:{port}"))


@pytest.fixture(scope="session")
def world(api: Api, drafts: Drafts, store: httpx.Client) -> World:
    """Made once: the tests that use it assert that a fault changes nothing of it."""
    return make_world(api, drafts, store)


def make_world(api: Api, drafts: Drafts, store: httpx.Client) -> World:
    mark = uuid.uuid4().hex[:8]
    author, reviewer = Someone(f"author-{mark}"), Someone(f"reviewer-{mark}", ("benefit-reviewers",))
    plan_id = f"plan-{mark}"
    for name in ("First", "Second"):
        put_plan(store, plan_id, name)
    draft_id = drafts.new(f"In review {mark}", aidbox_id=plan_id, author=author.id)
    fresh_id = drafts.new(f"Fresh {mark}", aidbox_id=plan_id, author=author.id)
    submitted(api, draft_id, author)
    admin = Someone(f"admin-{mark}", ("benefit-admins", "benefit-reviewers"))
    return World(author, reviewer, admin, plan_id, draft_id, open_task(api, draft_id), fresh_id)


def put_plan(store: httpx.Client, plan_id: str, name: str) -> None:
    """Write a version of a plan past the API."""
    plan = {**json.loads(GOLD), "id": plan_id, "name": name}
    store.put(f"/InsurancePlan/{plan_id}", json=plan).raise_for_status()


def snapshot(world: World, drafts: Drafts, engine: httpx.Client, store: httpx.Client) -> dict[str, Any]:
    """Everything of a world that a request could change."""
    processes = [
        engine.get("/history/process-instance", params={"processInstanceBusinessKey": draft_id}).json()
        for draft_id in (world.draft_id, world.fresh_id)
    ]
    return {
        "rows": [drafts.row(draft_id) for draft_id in (world.draft_id, world.fresh_id)],
        "processes": processes,
        "task": engine.get(f"/task/{world.task_id}").json(),
        "variables": engine.get(f"/task/{world.task_id}/variables").json(),
        "plan": store.get(f"/InsurancePlan/{world.plan_id}").json()["meta"]["versionId"],
    }


@pytest.fixture(scope="session")
def untouched(world: World, drafts: Drafts, engine: httpx.Client, store: httpx.Client) -> dict[str, Any]:
    """The world as it was made."""
    return snapshot(world, drafts, engine, store)


@pytest.fixture
def log() -> Iterator[Log]:
    log = Log()
    with logging_to(log):
        yield log
