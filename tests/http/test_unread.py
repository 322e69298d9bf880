"""Answers that nobody takes: they keep their places, and their connection ends. And connections that ask nothing."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import psutil  # type: ignore[import-untyped]  # has no types
import pytest

from api.settings import Settings
from graphql_server.uvicorn_server.header_limits import MOST_PIPELINED
from tests.commands.test_serve import replica
from tests.http.raw import PATIENCE, connect
from tests.serving import AUTHOR, REVIEWER, Api, Drafts, serving
from tests.stories.behind import until

SHORT = 1.0  # seconds
DOCUMENT = json.dumps({"resourceType": "InsurancePlan", "name": "x" * 600_000})
MANY = 20


@pytest.fixture(scope="module")
def asking(drafts: Drafts) -> bytes:
    """A request with an answer of five megabytes."""
    draft_id = drafts.new(plan=DOCUMENT)
    fields = " ".join(f"d{number}: planData" for number in range(8))
    body = json.dumps({"query": f'{{ draft(id: "{draft_id}") {{ {fields} }} }}'}).encode()
    head = b"POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nX-User-Id: author\r\n"
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


@contextmanager
def unread(api: Api, request: bytes) -> Iterator[socket.socket]:
    """A connection whose answer has begun and is not read."""
    url = api.client.base_url
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        connection.settimeout(PATIENCE)
        connection.connect((url.host, url.port or 80))
        connection.sendall(request)
        assert connection.recv(12, socket.MSG_WAITALL) == b"HTTP/1.1 200"
        yield connection


def rest_of(connection: socket.socket) -> int:
    """How many more bytes come until the other side closes."""
    count = 0
    with suppress(ConnectionResetError):
        while received := connection.recv(1_000_000):
            count += len(received)
    return count


@pytest.mark.parametrize(
    ("limit", "status"),
    [({"max_requests_per_caller": 2}, 429), ({"max_requests": 2}, 503)],
)
def test_a_place_is_held_until_the_answer_is_taken(
    settings: Settings, asking: bytes, limit: dict[str, int], status: int
) -> None:
    changed = settings.model_copy(update={"receive_seconds": PATIENCE, **limit})
    with serving(changed) as api:
        with unread(api, asking) as first, unread(api, asking):
            until(lambda: api.post("{ __typename }", AUTHOR).status_code == status)
            assert (api.post("{ __typename }", REVIEWER).status_code == 200) is (status == 429)
            assert rest_of_one_answer(first) > 4_000_000
            until(lambda: api.post("{ __typename }", AUTHOR).status_code == 200)
        until(lambda: api.post("{ __typename }", AUTHOR).status_code == 200)


def rest_of_one_answer(connection: socket.socket) -> int:
    """Read one answer to its end; how long its body is."""
    with connection.makefile("rb") as stream:
        head = b"".join(iter(stream.readline, b"\r\n"))
        (length,) = [int(line[15:]) for line in head.lower().splitlines() if line.startswith(b"content-length:")]
        return len(stream.read(length))


@pytest.mark.parametrize("more", [b"", b"Connection: close\r\n"])
def test_a_connection_that_takes_nothing_ends(settings: Settings, asking: bytes, more: bytes) -> None:
    request = asking.replace(b"Host:", more + b"Host:", 1)
    changed = settings.model_copy(update={"receive_seconds": SHORT, "max_requests": 1})
    with serving(changed) as api, unread(api, request) as connection:
        until(lambda: api.post("{ __typename }", AUTHOR).status_code == 503)
        until(lambda: api.post("{ __typename }", AUTHOR).status_code == 200)
        assert rest_of(connection) < 4_000_000


def test_requests_ahead_of_their_answers_are_bounded(settings: Settings) -> None:
    """Those within the limit are answered, and then the connection ends."""
    with serving(settings) as api, connect(api) as connection, connection.makefile("rb") as stream:
        connection.sendall(b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n" * 100)
        assert stream.read().count(b"HTTP/1.1 200 OK") == MOST_PIPELINED + 1


def test_who_takes_an_answer_piece_by_piece_has_all_of_it(settings: Settings, asking: bytes) -> None:
    """Longer than RECEIVE_SECONDS in all, with 64 kB within each."""
    with serving(settings.model_copy(update={"receive_seconds": SHORT})) as api, unread(api, asking) as connection:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += connection.recv(1)
        (length,) = [int(line[15:]) for line in head.lower().splitlines() if line.startswith(b"content-length:")]
        while length > 0:
            received = connection.recv(100_000)
            assert received
            length -= len(received)
            time.sleep(0.002)


def test_memory_stays_bounded_however_much_is_unread(settings: Settings, asking: bytes) -> None:
    """A hundred megabytes for clients that read nothing, of which ten may wait; others are answered meanwhile."""
    given = {"MAX_UNSENT_BYTES": "10000000", "RECEIVE_SECONDS": str(PATIENCE), "WORKER": "false"}
    with replica(settings, **given) as served, ExitStack() as stack:
        with unread(served.api, asking) as warm:
            rest_of_one_answer(warm)
        process = psutil.Process(served.process.pid)
        before = process.memory_info().rss
        for _ in range(MANY):
            stack.enter_context(unread(served.api, asking))
            assert served.api.post("{ __typename }", AUTHOR).status_code == 200
        assert process.memory_info().rss - before < 60_000_000


def test_idle_connections_are_bounded(settings: Settings) -> None:
    """Those that were idle for longest make way."""
    with serving(settings.model_copy(update={"max_connections": 4})) as api, ExitStack() as stack:
        idle = [stack.enter_context(connect(api)) for _ in range(8)]
        assert api.post("{ __typename }", AUTHOR).status_code == 200
        assert sum(closed(each) for each in idle) == 5


def closed(connection: socket.socket) -> bool:
    connection.settimeout(0.2)
    try:
        return connection.recv(1) == b""
    except TimeoutError:
        return False
