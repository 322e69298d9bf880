"""The longest turn of the event loop, in CPU time, over the largest and oddest inputs that are accepted.

While a turn lasts nobody else is answered. The service runs in this thread, so its CPU time can be told apart from that
of the machine's other programs; what plans are compared in is another process.
"""

import asyncio
import gc
import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from graphql import get_introspection_query

from api.settings import Settings
from tests.changes.conftest import CREATE, REBASE, Store, gold
from tests.serving import AUTHOR, REVIEWER, Api, Drafts, serving
from tests.verbs import COMPLETE, SUBMIT, WITHDRAW, open_task, submitted

LONGEST_TURN = 0.050  # seconds
INTROSPECTION = get_introspection_query()
USUAL = 0.020  # seconds, what `slowness` takes on an ordinary machine
TRIES = 3  # a garbage collection or a cold cache is no fault
LARGEST = 700_000  # bytes; as the database writes it, with blanks, it is nearly MAX_PLAN_BYTES


class Turns:
    """How long the turns of a service's event loop take: while it watches, it is called once in each."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_watching = False
        self._longest = self._last = 0.0

    def transports(self, _name: str, inner: httpx.AsyncBaseTransport) -> httpx.AsyncBaseTransport:
        """For `serving`, which calls it where its event loop runs."""
        self._loop = asyncio.get_running_loop()
        return inner

    @contextmanager
    def watched(self) -> Iterator[list[float]]:
        """The longest turn of the block, in seconds of CPU time, once it is over."""
        assert self._loop is not None
        found: list[float] = []
        self._is_watching, self._longest, self._last = True, 0.0, float("inf")
        self._loop.call_soon_threadsafe(self._turn)
        try:
            yield found
        finally:
            self._is_watching = False
            found.append(self._longest)

    def _turn(self) -> None:
        now = time.thread_time()
        self._longest, self._last = max(self._longest, now - self._last), now
        if self._is_watching and self._loop is not None:
            self._loop.call_soon(self._turn)


def slowness() -> float:
    """How much slower than usual this machine is now: its CPU time for some fixed work, 1 or more."""
    began = time.thread_time()
    sum(number * number for number in range(400_000))
    return max(1.0, (time.thread_time() - began) / USUAL)


def dense(part: str) -> str:
    """A plan of as many small parts as fit."""
    parts = ",".join([part] * (LARGEST // (len(part) + 1)))
    return f'{{"resourceType":"InsurancePlan","name":"P","x":[{parts}]}}'


def deep() -> str:
    """A plan as deep as allowed, again and again."""
    one = '{"a":' * 60 + "1" + "}" * 60
    return dense(one)


PLANS: dict[str, Callable[[], str]] = {
    "alike elements": lambda: dense('{"type":{"text":"x"},"cost":{"value":1.50}}'),
    "numbers": lambda: dense("15"),
    "amounts": lambda: dense('{"v":1.5}'),
    "empty objects": lambda: dense("{}"),
    "depth": deep,
    "one text": lambda: json.dumps({"resourceType": "InsurancePlan", "name": "é" * (LARGEST // 6)}),
    "one name": lambda: json.dumps({"resourceType": "InsurancePlan", "name": "P", "n" * LARGEST: {"a": 1}}),
}


@pytest.fixture
def plans(store: httpx.Client) -> Store:
    return Store(store)


READS = {
    "changes": "changes { path label kind before after beforeText afterText }",
    "conflicts": "conflicts { path label base mine theirs baseText mineText theirsText }",
    "planData": "planData planDataText revision",
}


def aliased(fields: str, times: int = 4) -> str:
    """The fields of a draft, asked for again and again."""
    return f"query Q($id: ID!) {root(f'a{n}: draft(id: $id) {{ {fields} }}' for n in range(times))}"


def root(fields: Iterable[str]) -> str:
    """A query of these fields."""
    return f"{{ {' '.join(fields)} }}"


@pytest.fixture(scope="module")
def turns() -> Turns:
    return Turns()


@pytest.fixture(scope="module")
def watched(settings: Settings, turns: Turns) -> Iterator[Api]:
    """An API whose event loop is watched. What tests hold is exempt from garbage collection, as a server's own is."""
    with serving(settings, transports=turns.transports) as api:
        api.ask("{ viewer { id } }", AUTHOR)
        gc.collect()
        gc.freeze()
        yield api
        gc.unfreeze()


def hold(turns: Turns, ask: Callable[[], object]) -> None:
    """Fails when each of several tries has a turn that is too long."""
    longest = []
    for _ in range(TRIES):
        with turns.watched() as found:
            ask()
        longest.append(found[0] / slowness())
        if longest[-1] <= LONGEST_TURN:
            return
    assert min(longest) <= LONGEST_TURN, [round(each * 1000) for each in longest]


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize("plan", PLANS)
def test_reading(watched: Api, turns: Turns, drafts: Drafts, plans: Store, plan: str, read: str) -> None:
    plan_id, _ = plans.new(gold())
    draft_id = drafts.new(plan=PLANS[plan](), aidbox_id=plan_id)
    submitted(watched, draft_id, AUTHOR)
    plans.put(gold(name="Another", status="retired"), plan_id)
    answers: list[dict[str, Any]] = []
    hold(turns, lambda: answers.append(watched.post(aliased(READS[read]), AUTHOR, id=draft_id).json()))
    codes = {error["extensions"]["code"] for answer in answers for error in answer.get("errors", [])}
    assert codes <= {"ANSWER_TOO_LARGE"}


def test_a_page_of_large_plans(watched: Api, turns: Turns, drafts: Drafts) -> None:
    plan = PLANS["alike elements"]()
    ids = [drafts.new(plan=plan) for _ in range(20)]
    query = "query Q($ids: [ID!]) { drafts(ids: $ids, limit: 20) { items { planData planDataText } } }"
    answers: list[httpx.Response] = []
    hold(turns, lambda: answers.append(watched.post(query, AUTHOR, ids=ids[:12])))
    assert "errors" not in answers[0].json()
    assert len(answers[0].content) > 10_000_000
    hold(turns, lambda: answers.append(watched.post(query, AUTHOR, ids=ids)))
    assert answers[-1].json()["errors"][0]["extensions"]["code"] == "ANSWER_TOO_LARGE"


@pytest.mark.parametrize("plan", PLANS)
def test_writing(watched: Api, turns: Turns, drafts: Drafts, plans: Store, plan: str) -> None:
    plan_id, _ = plans.new(gold())
    draft_id = drafts.new(plan=PLANS[plan](), aidbox_id=plan_id)
    again = drafts.new(plan=PLANS[plan]())

    def life() -> None:
        watched.post(SUBMIT, AUTHOR, input={"draftId": draft_id})
        watched.post(WITHDRAW, AUTHOR, input={"draftId": draft_id})
        revision = watched.ask("query R($id: ID!) { draft(id: $id) { revision } }", AUTHOR, id=draft_id)["draft"]
        watched.post(REBASE, AUTHOR, input={"draftId": draft_id, "otherwise": "MINE", **revision})
        watched.post(CREATE, AUTHOR, input={"planId": plan_id})
        if not drafts.row(again)["camunda_process_id"]:
            submitted(watched, again, AUTHOR)
            watched.post(COMPLETE, REVIEWER, input={"taskId": open_task(watched, again), "approved": True})

    hold(turns, life)


QUERIES = {
    "many fields": root(f"a{n}: viewer {{ id }}" for n in range(19)),
    "equal fields at the root": root(["viewer { id }"] * 490),
    "equal fields": f"{{ drafts {{ items {root(['currentPlan { draft { id } }'] * 330)} }} }}",
    "equal names": f"{{ drafts {{ items {root(['id'] * 450)} }} }}",
    "equal fields in fragments": f"{{ drafts {{ items {root(f'...F{n}' for n in range(300))} }} }} "
    + " ".join(f"fragment F{n} on Draft {{ basePlan {{ id }} }}" for n in range(300)),
    "too many tokens": root(["viewer { id }"] * 20_000),
    "unknown fields": root(f"f{n}" for n in range(900)),
    "a long text": f"{{ draft(id: {'1' * 900_000}) {{ id }} }}",
    "a long comment": f"#{'x' * 900_000}\n{{ viewer {{ id }} }}",
    "brackets": "{" * 190 + "a" + "}" * 190,
    "fragments": "{ viewer { ...f0 } } "
    + " ".join(f"fragment f{n} on Viewer {{ ...f{n + 1} ...f{n + 1} }}" for n in range(300))
    + " fragment f300 on Viewer { id }",
    "all of the schema": INTROSPECTION,
    "a long list": f"query Q {{ drafts(ids: [{','.join(['1'] * 4_000)}]) {{ items {{ id }} }} }}",
}


@pytest.mark.parametrize("query", QUERIES)
def test_queries(watched: Api, turns: Turns, query: str) -> None:
    fresh = iter(range(1_000_000))
    hold(turns, lambda: watched.post(f"{QUERIES[query]} #{next(fresh)}", AUTHOR))  # a document is only parsed once


VARIABLES: dict[str, Any] = {
    "a long list": [str(number) for number in range(120_000)],
    "a long text": ["x" * 900_000],
    "many empty": [""] * 300_000,
}


@pytest.mark.parametrize("variable", VARIABLES)
def test_variables(watched: Api, turns: Turns, variable: str) -> None:
    query = "query Q($ids: [ID!]) { drafts(ids: $ids) { items { id } } }"
    hold(turns, lambda: watched.post(query, AUTHOR, ids=VARIABLES[variable]))
