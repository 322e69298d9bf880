"""Clients that leave: what a query was asking ends with it; a mutation goes on to its end."""

import asyncio
import json
import socket
import threading
from collections.abc import Callable

import httpx

from api.settings import Settings
from tests.serving import AUTHOR, REVIEWER, Drafts, Someone, serving
from tests.verbs import SUBMIT

INBOX = "{ pendingTasks { items { id submittedBy { id } currentPlan { versionId } } } }"
LONG = 60.0  # seconds


class Slow(httpx.AsyncBaseTransport):
    """The real transport; calls to one path take until `go_on`, and are noted when they begin and how they end."""

    def __init__(self, inner: httpx.AsyncBaseTransport, path: str) -> None:
        self.inner = inner
        self.path = path
        self.begun, self.ended = threading.Event(), threading.Event()
        self.go_on = threading.Event()
        self.was_cancelled = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if not request.url.path.endswith(self.path):
            return await self.inner.handle_async_request(request)
        self.begun.set()
        try:
            while not self.go_on.is_set():  # noqa: ASYNC110  # set by another thread
                await asyncio.sleep(0.01)
            return await self.inner.handle_async_request(request)
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise
        finally:
            self.ended.set()

    async def aclose(self) -> None:
        await self.inner.aclose()


def slow(path: str, made: list[Slow]) -> Callable[[str, httpx.AsyncBaseTransport], httpx.AsyncBaseTransport]:
    def transports(name: str, inner: httpx.AsyncBaseTransport) -> httpx.AsyncBaseTransport:
        if name != "camunda":
            return inner
        made.append(Slow(inner, path))
        return made[-1]

    return transports


def ask_and_leave(port: int, someone: Someone, slowed: Slow, query: str, **variables: object) -> None:
    """Send it, and hang up once the slow call has begun."""
    body = json.dumps({"query": query, "variables": variables}).encode()
    headers = {"Host": "localhost", "Content-Type": "application/json", **someone.headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(f"POST /graphql HTTP/1.1\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        assert slowed.begun.wait(LONG)


def left(settings: Settings, path: str, someone: Someone, query: str, *, then_go_on: bool, **variables: object) -> Slow:
    """What became of the slow call after its client had left. No deadline of ours ends it in these tests' time."""
    made: list[Slow] = []
    patient = settings.model_copy(update={"camunda_timeout": 600.0, "request_seconds": 600.0})
    with serving(patient, transports=slow(path, made)) as api:
        (slowed,) = made
        ask_and_leave(api.client.base_url.port or 0, someone, slowed, query, **variables)
        if then_go_on:
            assert not slowed.ended.wait(0.5), "it was given up"
            slowed.go_on.set()
        assert slowed.ended.wait(LONG)
    return slowed


def test_a_query_is_given_up_down_to_its_first_call(settings: Settings) -> None:
    assert left(settings, "/task", REVIEWER, INBOX, then_go_on=False).was_cancelled


def test_a_query_is_given_up_down_to_what_its_loaders_ask(settings: Settings, drafts: Drafts) -> None:
    draft_id = drafts.new()
    with serving(settings) as api:
        api.ask(SUBMIT, AUTHOR, input={"draftId": draft_id})
    assert left(settings, "/variable-instance", REVIEWER, INBOX, then_go_on=False).was_cancelled


def test_a_mutation_goes_on(settings: Settings, drafts: Drafts) -> None:
    draft_id = drafts.new()
    slowed = left(settings, "/start", AUTHOR, SUBMIT, then_go_on=True, input={"draftId": draft_id})
    assert not slowed.was_cancelled
    assert drafts.row(draft_id)["status"] == "submitted"
