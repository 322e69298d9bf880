"""A token traded for client credentials: with a little token endpoint, and a door to the store for its tokens alone."""

import asyncio
import base64
import threading
import uuid
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from api.settings import Settings
from tests.conftest import Systems
from tests.degraded.conftest import read_again
from tests.degraded.faults import Log
from tests.serving import AUTHOR, Api, Drafts, serving

PLAN = "query Q($id: ID!) { plan(id: $id) { id } }"
GONE = {"data": {"plan": None}}


@dataclass
class Guard:
    """The token endpoint and the door before the store: what it grants, whom it lets in, and what came by."""

    store_url: str
    lifetime: object = 300
    status: int = 200
    body: bytes | None = None
    delay: float = 0
    is_shut: bool = False
    good: set[str] = field(default_factory=set)
    asked: list[dict[str, str]] = field(default_factory=list)
    passed: int = 0
    refused: int = 0

    async def token(self, request: Request) -> Response:
        form = (await request.body()).decode()
        self.asked.append({"authorization": request.headers.get("authorization", ""), "form": form})
        await asyncio.sleep(self.delay)
        if self.status != 200:
            return JSONResponse({"error": "invalid_client"}, self.status)
        if self.body is not None:
            return Response(self.body)
        token = uuid.uuid4().hex
        self.good.add(token)
        granted = {"access_token": token, "token_type": "Bearer"}
        return JSONResponse(granted if self.lifetime is None else {**granted, "expires_in": self.lifetime})

    async def door(self, request: Request) -> Response:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if self.is_shut or token not in self.good:
            self.refused += 1
            return Response(status_code=401)
        self.passed += 1
        client: httpx.AsyncClient = request.state.client
        headers = {name: request.headers[name] for name in ("accept", "content-type") if name in request.headers}
        answer = await client.request(
            request.method, f"{self.store_url}/{request.path_params['path']}",
            params=request.query_params, content=await request.body(), headers=headers,
        )  # fmt: skip
        return Response(answer.content, answer.status_code, media_type=answer.headers.get("content-type"))


@contextmanager
def guarded(guard: Guard) -> Iterator[str]:
    """The guard, served; the address it is served at."""

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[dict[str, Any]]:
        async with httpx.AsyncClient(timeout=30) as client:
            yield {"client": client}

    routes = [
        Route("/auth/token", guard.token, methods=["POST"]),
        Route("/fhir/{path:path}", guard.door, methods=["GET", "POST", "PUT"]),
    ]
    server = uvicorn.Server(
        uvicorn.Config(Starlette(routes=routes, lifespan=lifespan), port=0, log_config=None, lifespan="on")
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            thread.join(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def guard(systems: Systems) -> Guard:
    return Guard(systems.aidbox_url)


@pytest.fixture
def door(settings: Settings, guard: Guard) -> Iterator[Api]:
    """The API before the guarded store."""
    with guarded(guard) as address, serving(behind(settings, address, breaker_failures=0)) as api:
        yield api


def behind(settings: Settings, address: str, **changes: object) -> Settings:
    usual = {"aidbox_client_id": "plan-api", "aidbox_client_secret": "a secret: with / odd % letters"}
    granted = {"aidbox_url": f"{address}/fhir", "aidbox_auth": "client_credentials"}
    return read_again(settings, **granted, **{**usual, **changes})


def ask(api: Api) -> dict[str, Any]:
    return api.answer(PLAN, AUTHOR, id="no-such-plan")


def ask_at_once(api: Api, count: int) -> list[dict[str, Any]]:
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(lambda _: ask(api), range(count)))


def codes(bodies: list[dict[str, Any]]) -> set[str]:
    return {error["extensions"]["code"] for body in bodies for error in body["errors"]}


@pytest.mark.parametrize(
    ("client_id", "secret", "sent"),
    [
        ("plan-api", "plain-secret_1.0", b"plan-api:plain-secret_1.0"),
        ("a:b", "+ % = & / ü", b"a%3Ab:%2B+%25+%3D+%26+%2F+%C3%BC"),
    ],
)
def test_client_and_secret_are_form_encoded_for_the_token_endpoint(
    settings: Settings, guard: Guard, client_id: str, secret: str, sent: bytes
) -> None:
    """RFC 6749, section 2.3.1: encoded before they become Basic, so that a colon or a percent sign is no other one."""
    with guarded(guard) as address:
        named = {"aidbox_client_id": client_id, "aidbox_client_secret": secret}
        with serving(behind(settings, address, **named)) as api:
            assert ask(api) == GONE
    (asked,) = guard.asked
    assert base64.b64decode(asked["authorization"].removeprefix("Basic ")) == sent


def test_many_at_once_share_one_token(door: Api, guard: Guard) -> None:
    guard.delay = 0.3
    assert ask_at_once(door, 20) == [GONE] * 20
    assert (len(guard.asked), guard.passed, guard.refused) == (1, 20, 0)
    assert ask(door) == GONE
    (asked,) = guard.asked
    assert asked["form"] == "grant_type=client_credentials"
    kind, _, credentials = asked["authorization"].partition(" ")
    assert (kind, base64.b64decode(credentials).decode()) == ("Basic", "plan-api:a+secret%3A+with+%2F+odd+%25+letters")


@pytest.mark.parametrize(("lifetime", "tokens"), [(0, 3), (300, 1), (None, 1), (1e9, 1)])
def test_a_token_is_fetched_again_when_it_is_old(door: Api, guard: Guard, lifetime: object, tokens: int) -> None:
    guard.lifetime = lifetime
    assert [ask(door) for _ in range(3)] == [GONE] * 3
    assert (len(guard.asked), guard.passed, guard.refused) == (tokens, 3, 0)


def test_a_token_the_store_forgot_is_replaced_once(door: Api, guard: Guard) -> None:
    assert ask(door) == GONE
    guard.good.clear()
    assert ask_at_once(door, 10) == [GONE] * 10
    assert len(guard.asked) == 2
    assert guard.passed == 11
    assert guard.refused <= 10


def test_a_write_goes_through_with_a_new_token(door: Api, guard: Guard, drafts: Drafts, store: httpx.Client) -> None:
    plan = {"resourceType": "InsurancePlan", "id": f"plan-{uuid.uuid4().hex[:8]}", "name": "x"}
    store.put(f"/InsurancePlan/{plan['id']}", json=plan).raise_for_status()
    draft_id = drafts.new(aidbox_id=plan["id"])
    assert ask(door) == GONE
    guard.good.clear()
    submit = f'mutation {{ submitForApproval(input: {{draftId: "{draft_id}"}}) {{ status userErrors {{ code }} }} }}'
    assert door.ask(submit, AUTHOR) == {"submitForApproval": {"status": "SUBMITTED", "userErrors": []}}


def test_a_store_that_takes_no_token_is_not_stormed(door: Api, guard: Guard, log: Log) -> None:
    guard.is_shut = True
    bodies = ask_at_once(door, 20)
    assert codes(bodies) == {"UPSTREAM_DENIED"}
    assert len(guard.asked) <= 20
    assert 20 <= guard.refused <= 40  # each call tries a second token at most
    assert len(log.lines) == 20
    guard.is_shut = False
    assert ask(door) == GONE


# what the token endpoint answers → the code clients read
REFUSALS = {
    "400": (400, None, "UPSTREAM_DENIED"),
    "401": (401, None, "UPSTREAM_DENIED"),
    "403": (403, None, "UPSTREAM_DENIED"),
    "429": (429, None, "UPSTREAM_BUSY"),
    "500": (500, None, "UPSTREAM_FAILED"),
    "503": (503, None, "UPSTREAM_BUSY"),
    "HTML": (200, b"<html></html>", "UPSTREAM_GARBLED"),
    "nothing": (200, b"", "UPSTREAM_GARBLED"),
    "no token": (200, b'{"token_type": "Bearer"}', "UPSTREAM_GARBLED"),
    "token null": (200, b'{"access_token": null}', "UPSTREAM_GARBLED"),
    "token empty": (200, b'{"access_token": ""}', "UPSTREAM_GARBLED"),
    "a token that is a header": (200, b'{"access_token": "a\\r\\nX-Evil: 1"}', "UPSTREAM_GARBLED"),
    "a token in no alphabet": (200, '{"access_token": "é"}'.encode(), "UPSTREAM_GARBLED"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_an_endpoint_that_refuses_is_asked_once_for_many(door: Api, guard: Guard, log: Log, name: str) -> None:
    guard.status, guard.body, code = REFUSALS[name]
    guard.delay = 0.6
    bodies = ask_at_once(door, 10)
    assert [body["data"] for body in bodies] == [{"plan": None}] * 10
    assert codes(bodies) == {code}
    assert 1 <= len(guard.asked) <= 3  # whoever comes after the refusal may try again
    assert (guard.passed, guard.refused) == (0, 0)
    assert [told for _, told in log.lines] == [{"upstream": "aidbox", "code": code}] * 10
    guard.status, guard.body = 200, None
    assert ask(door) == GONE


def test_the_deadline_of_a_call_has_the_token_in_it(settings: Settings, guard: Guard) -> None:
    guard.delay = 2
    with guarded(guard) as address, serving(behind(settings, address, aidbox_timeout=0.4)) as api:
        bodies = ask_at_once(api, 5)
    assert codes(bodies) == {"UPSTREAM_TIMEOUT"}
    assert guard.passed == 0


def test_an_endpoint_that_is_away_is_told_so(settings: Settings, guard: Guard) -> None:
    with guarded(guard) as address:
        refusing = behind(settings, address, aidbox_token_url="http://127.0.0.1:9/auth/token")
        with serving(refusing) as api:
            assert codes(ask_at_once(api, 5)) == {"UPSTREAM_UNREACHABLE"}
    assert (guard.asked, guard.passed, guard.refused) == ([], 0, 0)
