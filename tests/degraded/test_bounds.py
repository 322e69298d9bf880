"""How long, how often and how much a system is asked: deadlines, further tries, places, and when it is left alone."""

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from api.settings import Settings
from tests.degraded.conftest import Wired, read_again
from tests.serving import AUTHOR, REVIEWER, Api, Drafts, Someone, serving
from tests.stories.behind import until
from tests.verbs import SUBMIT, perform
from tests.wire import PASS, Hang, Say
from tests.wiretap import Send, tapped

PLAN = '{ plan(id: "no-such-plan") { id } }'
GONE = {"data": {"plan": None}}
TASKS = "{ pendingTasks { totalCount } }"
TASKS_OF = "query {{ pendingTasks {{ totalCount }} }}"
OWN_DRAFTS = '{ drafts(filter: { createdBy: "reviewer" }) { totalCount } }'  # asks nobody but the drafts database
MANY_REQUESTS = {"max_requests_per_caller": 100}  # of one person at once, so that the systems' own limits are met


@dataclass
class Failing:
    """Breaks the first calls that match, as a network does; counts all that match."""

    method: str
    path: str
    times: int
    calls: list[str] = field(default_factory=list)
    answer: Callable[[], httpx.Response] | None = None

    async def tap(self, request: httpx.Request, send: Send) -> httpx.Response:
        self.calls.append(request.url.path)
        if len(self.calls) > self.times:
            return await send(request)
        if self.answer is not None:
            return self.answer()
        raise httpx.ConnectError("broken on purpose", request=request)


@contextmanager
def failing(settings: Settings, broken: Failing, **changes: object) -> Iterator[Api]:
    transports = tapped(broken.tap, call=f"{broken.method} .*{broken.path}")
    with serving(read_again(settings, **changes), transports=transports) as api:
        yield api


def code(body: dict[str, Any]) -> str | None:
    """The one code of an answer; None for one without errors."""
    codes = {error["extensions"]["code"] for error in body.get("errors", [])}
    return codes.pop() if codes else None


def ask(api: Api, query: str = PLAN) -> str | None:
    return code(api.answer(query, REVIEWER))


def ask_as(api: Api, someone: Someone, query: str) -> str | None:
    return code(api.answer(query.format(someone.id), someone))


@pytest.mark.parametrize(("breaks", "told", "calls"), [(2, None, 3), (3, "UPSTREAM_UNREACHABLE", 3)])
def test_a_read_is_sent_three_times_at_most(settings: Settings, breaks: int, told: str | None, calls: int) -> None:
    broken = Failing("POST", "/InsurancePlan/_search", breaks)
    with failing(settings, broken) as api:
        assert ask(api) == told
    assert len(broken.calls) == calls


@pytest.mark.parametrize(("said", "told", "calls"), [("0", None, 2), ("3600", "UPSTREAM_BUSY", 1)])
def test_a_busy_system_says_when_to_come_again(settings: Settings, said: str, told: str | None, calls: int) -> None:
    """As long as that is within the deadline."""
    busy = Failing("POST", "/InsurancePlan/_search", 1, answer=lambda: httpx.Response(503, headers=wait(said)))
    with failing(settings, busy) as api:
        assert ask(api) == told
    assert len(busy.calls) == calls


def wait(seconds: str) -> dict[str, str]:
    return {"Retry-After": seconds}


@pytest.mark.parametrize(("status", "told"), [(401, "UPSTREAM_DENIED"), (500, "UPSTREAM_FAILED")])
def test_what_another_try_can_not_mend_is_not_tried(settings: Settings, status: int, told: str) -> None:
    refusing = Failing("POST", "/InsurancePlan/_search", 9, answer=lambda: httpx.Response(status))
    with failing(settings, refusing) as api:
        assert ask(api) == told
    assert len(refusing.calls) == 1


def test_a_write_that_could_happen_twice_is_sent_once(settings: Settings, drafts: Drafts, engine: httpx.Client) -> None:
    broken, draft_id = Failing("POST", "/start", 1), drafts.new()
    with failing(settings, broken) as api:
        body = api.answer(SUBMIT, AUTHOR, input={"draftId": draft_id})
        assert code(body) == "UPSTREAM_UNREACHABLE"
        assert len(broken.calls) == 1
        assert drafts.row(draft_id)["status"] == "draft"
        assert perform(api, SUBMIT, AUTHOR, draftId=draft_id)["status"] == "SUBMITTED"
    query = {"processInstanceBusinessKey": draft_id}
    assert engine.get("/history/process-instance/count", params=query).json() == {"count": 1}


@pytest.mark.parametrize("system", ["retool", "camunda", "aidbox"])
def test_the_whole_request_has_an_end_whatever_its_parts_may_take(wired: Wired, system: str) -> None:
    queries = {"retool": "{ drafts { totalCount } }", "camunda": TASKS, "aidbox": PLAN}
    patient = dict.fromkeys(("retool_timeout", "camunda_timeout", "aidbox_timeout"), 600)
    with serving(read_again(wired.settings, request_seconds=0.5, **patient)) as api, wired.wires[system].during(Hang()):
        assert ask(api, queries[system]) == "UPSTREAM_TIMEOUT"


def test_no_call_is_begun_when_the_time_is_over(wired: Wired, drafts: Drafts) -> None:
    """The submission gets as far as the store, which hangs; nothing is started afterwards."""
    draft_id = drafts.new(aidbox_id="no-such-plan")
    patient = read_again(wired.settings, request_seconds=1, aidbox_timeout=600)
    with serving(patient) as api, wired.wires["aidbox"].during(Hang()):
        assert code(api.answer(SUBMIT, AUTHOR, input={"draftId": draft_id})) == "UPSTREAM_TIMEOUT"
    assert drafts.row(draft_id)["camunda_process_id"] is None


def test_a_system_that_hangs_keeps_its_own_places_only(wired: Wired) -> None:
    """Two are asked, twenty wait, and whoever comes then hears so at once; the other systems notice nothing."""
    with (
        serving(read_again(wired.settings, camunda_connections=2, camunda_timeout=50, **MANY_REQUESTS)) as api,
        ThreadPoolExecutor(26) as pool,
    ):
        heard: list[str | None] = []
        lock = threading.Lock()

        def listen() -> None:
            told = ask(api, TASKS)
            with lock:
                heard.append(told)

        with wired.wires["camunda"].during(Hang()):
            asked = [pool.submit(listen) for _ in range(26)]
            until(lambda: len(heard) == 4)
            assert heard == ["UPSTREAM_BUSY"] * 4
            assert ask(api) is None
            assert ask(api, OWN_DRAFTS) is None
        for each in asked:
            each.result()
        assert len(heard) == 26
        assert "UPSTREAM_BUSY" not in heard[4:]
        assert ask(api, TASKS) is None


@pytest.mark.parametrize(
    ("system", "connections", "query"),
    [
        ("retool", "retool_pool_size", 'query {{ drafts(filter: {{ createdBy: "{0}" }}) {{ totalCount }} }}'),
        ("camunda", "camunda_connections", TASKS_OF),
        ("aidbox", "aidbox_connections", 'query {{ plan(id: "no-such-plan") {{ id }} }}'),
    ],
)
def test_who_asks_too_much_is_refused_and_others_are_answered(
    wired: Wired, system: str, connections: str, query: str
) -> None:
    """One person, however they write their id, fills a system's queue and more; those who come later have a share."""
    changes = {connections: 2, f"{system}_timeout": 50, **MANY_REQUESTS}
    with serving(read_again(wired.settings, **changes)) as api, ThreadPoolExecutor(30) as pool:
        refused: list[str | None] = []
        lock = threading.Lock()

        def listen(name: str) -> str | None:
            told = ask_as(api, Someone(name, REVIEWER.groups), query)
            if told is not None:
                with lock:
                    refused.append(name)
            return told

        with wired.wires[system].during(Hang()):
            much = [pool.submit(listen, name) for name in ["mallory", "MALLORY"] * 13]
            until(lambda: len(refused) == 4)
            others = [pool.submit(listen, f"user-{n}") for n in range(4)]
            until(lambda: len(refused) == 8)
        assert [each.result() for each in others] == [None] * 4
        assert Counter(each.result() for each in much) == {"UPSTREAM_BUSY": 8, None: 18}


def test_nobody_takes_all_places_of_a_system(settings: Settings) -> None:
    """Of eight, one person's calls have two, which hang; what others ask meanwhile is answered."""
    held: list[str] = []
    holds, released = threading.Event(), threading.Event()

    async def holding(request: httpx.Request, send: Send) -> httpx.Response:
        if holds.is_set():
            held.append(request.url.path)
            await asyncio.to_thread(released.wait)
        return await send(request)

    changed = read_again(settings, camunda_connections=8, camunda_timeout=20)
    with serving(changed, transports=tapped(holding, system="camunda")) as api, ThreadPoolExecutor(10) as pool:
        holds.set()
        much = [pool.submit(ask_as, api, Someone("mallory", REVIEWER.groups), TASKS_OF) for _ in range(10)]
        try:
            until(lambda: len(held) >= 2)
            # the others have come as far meanwhile
            assert [ask(api) for _ in range(20)] == [None] * 20
            assert len(held) == 2
            holds.clear()
            assert [ask_as(api, Someone(f"user-{n}", REVIEWER.groups), TASKS_OF) for n in range(4)] == [None] * 4
        finally:
            released.set()
        assert [each.result() for each in much] == [None] * 10


def test_a_system_that_keeps_failing_is_left_alone_and_tried_again(wired: Wired) -> None:
    broken = read_again(wired.settings, breaker_failures=3, breaker_seconds=4, read_tries=1)
    with serving(broken) as api:
        with wired.wires["aidbox"].during(Say(504)):
            before = wired.wires["aidbox"].answers
            assert [ask(api) for _ in range(9)] == ["UPSTREAM_TIMEOUT"] * 9
            assert wired.wires["aidbox"].answers - before == 3
            until(lambda: ask(api) == "UPSTREAM_TIMEOUT" and wired.wires["aidbox"].answers - before == 4)
        until(lambda: ask(api) is None)
        assert api.answer(PLAN, REVIEWER) == GONE


def test_a_system_that_answers_in_between_is_not_left_alone(wired: Wired) -> None:
    broken = read_again(wired.settings, breaker_failures=2, breaker_seconds=600, read_tries=1)
    with serving(broken) as api:
        for _ in range(3):
            with wired.wires["aidbox"].during(Say(504)):
                assert ask(api) == "UPSTREAM_TIMEOUT"
            assert ask(api) is None


def test_wrong_credentials_are_offered_once(wired: Wired) -> None:
    """The engine locks a user out for seconds after a wrong password; it is tried again when that must be over."""
    with serving(read_again(wired.settings, breaker_failures=8)) as api:
        with wired.wires["camunda"].during(Say(401)):
            before = wired.wires["camunda"].answers
            assert [ask(api, TASKS) for _ in range(20)] == ["UPSTREAM_DENIED"] * 20
            assert wired.wires["camunda"].answers - before == 1
        assert ask(api, TASKS) == "UPSTREAM_DENIED"
        assert ask(api) is None
        until(lambda: ask(api, TASKS) is None)


def test_a_draft_can_not_be_asked_of_a_database_that_is_left_alone(wired: Wired) -> None:
    broken = read_again(wired.settings, breaker_failures=2, breaker_seconds=600, retool_timeout=0.3)
    with serving(broken) as api:
        with wired.wires["retool"].during(Hang()):
            assert [ask(api, "{ drafts { totalCount } }") for _ in range(2)] == ["UPSTREAM_TIMEOUT"] * 2
        assert wired.wires["retool"].fault == PASS
        assert ask(api, "{ drafts { totalCount } }") == "UPSTREAM_TIMEOUT"
        assert ask(api, TASKS) is None
