"""Stores of a test's own switches before one HAPI, and how tests write to them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.aidbox_like.emulation import Emulation, aidbox_like
from tests.aidbox_like.switches import Switches
from tests.aidbox_like.transaction_ids import TransactionIds
from tests.conftest import Systems

Plan = dict[str, Any]
Serve = Callable[..., Emulation]
Connect = Callable[..., httpx.Client]


@pytest.fixture(scope="session")
def ids() -> TransactionIds:
    """Shared, so that a version has one id in all stores of this folder."""
    return TransactionIds()


@pytest.fixture
def emulated(real_systems: Systems, ids: TransactionIds) -> Iterator[Serve]:
    """Serve a store with these switches, until the test ends."""
    with ExitStack() as ending:
        yield lambda **switches: ending.enter_context(aidbox_like(real_systems.aidbox_url, Switches(**switches), ids))


@pytest.fixture
def connect(emulated: Serve) -> Iterator[Connect]:
    """A client of a store with these switches."""
    with ExitStack() as ending:

        def connected(**switches: object) -> httpx.Client:
            return ending.enter_context(httpx.Client(base_url=emulated(**switches).url, timeout=60))

        yield connected


@pytest.fixture(scope="module")
def aidbox(real_systems: Systems, ids: TransactionIds) -> Iterator[httpx.Client]:
    """A client of the store as it is without any switch."""
    with (
        aidbox_like(real_systems.aidbox_url, Switches(), ids) as emulation,
        httpx.Client(base_url=emulation.url, timeout=60) as client,
    ):
        yield client


@pytest.fixture
def plan() -> Plan:
    """A small plan of an id of its own."""
    return {"resourceType": "InsurancePlan", "id": str(uuid4()), "status": "draft", "name": "One"}


def address(plan: Plan) -> str:
    return f"/InsurancePlan/{plan['id']}"


def put(store: httpx.Client, plan: Plan, if_match: str | None = None, **changes: object) -> httpx.Response:
    """Write a plan with these changes."""
    condition = {} if if_match is None else {"If-Match": if_match}
    return store.put(address(plan), json={**plan, **changes}, headers=condition)


def written(store: httpx.Client, plan: Plan, **changes: object) -> str:
    """Write what must be taken; its version id."""
    answer = put(store, {**plan, **changes})
    assert answer.status_code in (200, 201), answer.text
    return str(answer.json()["meta"]["versionId"])


def batch(store: httpx.Client, *urls: str) -> list[Plan]:
    """The entries of a batch of reads."""
    entries = [{"request": {"method": "GET", "url": url}} for url in urls]
    answer = store.post("", json={"resourceType": "Bundle", "type": "batch", "entry": entries})
    assert answer.status_code == 200, answer.text
    found: list[Plan] = answer.json()["entry"]
    return found


def said(code: str, words: str) -> Plan:
    """The outcome of what failed as a whole."""
    return {
        "resourceType": "OperationOutcome",
        "id": code,
        "text": {"status": "generated", "div": words},
        "issue": [{"severity": "fatal", "code": code, "diagnostics": words}],
    }
