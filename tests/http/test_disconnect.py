"""Clients that leave: what a query was asking ends with it; a mutation goes on to its end."""

import asyncio
import json
import socket
import threading

import httpx

from api.settings import Settings
from tests.serving import AUTHOR, REVIEWER, Drafts, Someone, serving
from tests.verbs import SUBMIT
from tests.wiretap import Send, tapped

INBOX = "{ pendingTasks { items { id submittedBy { id } currentPlan { versionId } } } }"
LONG = 60.0  # seconds


class Slow:
    """A tap on calls that take until `go_on`, and are noted when they begin and how they end."""

    def __init__(self) -> None:
        self.begun, self.ended = threading.Event(), threading.Event()
        self.go_on = threading.Event()
        self.was_cancelled = False

    async def tap(self, request: httpx.Request, send: Send) -> httpx.Response:
        self.begun.set()
        try:
            while not self.go_on.is_set():  # noqa: ASYNC110  # set by another thread
                await asyncio.sleep(0.01)
            return await send(request)
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise
        finally:
            self.ended.set()


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
    slowed = Slow()
    patient = settings.model_copy(update={"camunda_timeout": 600.0, "request_seconds": 600.0})
    with serving(patient, transports=tapped(slowed.tap, system="camunda", call=f".*{path}")) as api:
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
