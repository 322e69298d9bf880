"""Senders that take their time, and those that never come to an end: cut off, whatever they have begun."""

import contextlib
import socket
import time
from collections.abc import Iterator

import pytest

from api.settings import Settings
from tests.serving import Api, serving

PATIENCE = 0.8  # seconds
PAUSE = 0.05
MOST_DRIPS = 200
HEAD = b"Host: localhost\r\nX-User-Id: author\r\nContent-Type: application/json\r\n"
BODY = b"POST /graphql HTTP/1.1\r\n" + HEAD
REST = b"POST /api/plans/x/submit HTTP/1.1\r\n" + HEAD

# what is sent at once, what is sent again and again, what is answered before the connection is closed
SLOW = {
    "nothing at all": (b"", b"", b""),
    "a head": (b"GET /graphql HTTP/1.1\r\nHost: localhost\r\n", b"X-A: b\r\n", b"HTTP/1.1 408 "),
    "the head of a second request": (
        b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\nGET /live HTTP/1.1\r\n",
        b"X-A: b\r\n",
        b"HTTP/1.1 200 ",
    ),
    "a body": (BODY + b"Content-Length: 1000\r\n\r\n", b" ", b"HTTP/1.1 408 "),
    "a body in chunks": (BODY + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n", b"HTTP/1.1 408 "),
    "a body that stops": (BODY + b"Content-Length: 1000\r\n\r\n", b"", b"HTTP/1.1 408 "),
    "a body of the REST route": (REST + b"Content-Length: 1000\r\n\r\n", b" ", b"HTTP/1.1 408 "),
    "a body of nobody": (
        b"POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n",
        b" ",
        b"HTTP/1.1 401 ",
    ),
    "a body to nowhere": (
        b"POST /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n",
        b" ",
        b"HTTP/1.1 404 ",
    ),
}
ENDLESS = {
    "a head": (b"GET /graphql HTTP/1.1\r\n", b"X-A: " + b"b" * 2_000 + b"\r\n", b"HTTP/1.1 431 "),
    "a body": (BODY + b"Transfer-Encoding: chunked\r\n\r\n", b"2000\r\n" + b" " * 0x2000 + b"\r\n", b"HTTP/1.1 413 "),
    "a body of the REST route": (
        REST + b"Transfer-Encoding: chunked\r\n\r\n",
        b"2000\r\n" + b" " * 0x2000 + b"\r\n",
        b"HTTP/1.1 413 ",
    ),
}


@pytest.fixture(scope="module")
def hasty(settings: Settings) -> Iterator[Api]:
    """The API with little patience; the one served in earnest has 15 seconds."""
    with serving(settings.model_copy(update={"receive_seconds": PATIENCE})) as api:
        yield api


@pytest.fixture(scope="module")
def patient(settings: Settings) -> Iterator[Api]:
    """The API that waits as long as in earnest: what is endless has come to its limit long before."""
    with serving(settings.model_copy(update={"max_body_bytes": 100_000})) as api:
        yield api


def sent_until_closed(api: Api, first: bytes, again: bytes, pause: float) -> bytes:
    """What is answered until the other side closes; fails when it never does."""
    url = api.client.base_url
    with socket.create_connection((url.host, url.port or 80)) as connection:
        connection.settimeout(pause)
        answer = b""
        connection.sendall(first)
        for _ in range(MOST_DRIPS):
            with contextlib.suppress(TimeoutError):
                try:
                    received = connection.recv(65_536)
                    answer += received
                    if not received:
                        return answer
                    connection.sendall(again)
                    time.sleep(pause)
                    continue
                except (ConnectionResetError, BrokenPipeError):
                    return answer
            with contextlib.suppress(ConnectionResetError, BrokenPipeError):
                connection.sendall(again)
    raise AssertionError("the connection is never closed")


@pytest.mark.parametrize("name", SLOW)
def test_slow_senders(hasty: Api, name: str) -> None:
    first, again, answered = SLOW[name]
    assert sent_until_closed(hasty, first, again, PAUSE).startswith(answered)


@pytest.mark.parametrize("name", ENDLESS)
def test_endless_senders(patient: Api, name: str) -> None:
    first, again, answered = ENDLESS[name]
    assert sent_until_closed(patient, first, again, 0.001).startswith(answered)


def test_the_rest_of_a_body_answered_already_is_let_by(patient: Api) -> None:
    url, rest = patient.client.base_url, b" " * 300_000
    post = b"POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(rest)
    with socket.create_connection((url.host, url.port or 80), timeout=10) as connection:
        for _ in range(2):
            connection.sendall(post)
            assert connection.recv(65_536).startswith(b"HTTP/1.1 401 ")
            connection.sendall(rest)
        connection.sendall(b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert connection.recv(65_536).startswith(b"HTTP/1.1 200 ")


def test_a_connection_is_kept_for_as_long_as_clients_keep_theirs(patient: Api) -> None:
    """httpx and many others keep it for five seconds; with as many here, who comes last would find it closed."""
    url = patient.client.base_url
    with socket.create_connection((url.host, url.port or 80), timeout=10) as connection:
        for _ in range(2):
            connection.sendall(b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert connection.recv(65_536).startswith(b"HTTP/1.1 200 ")
            time.sleep(6)


def test_the_patience_of_a_service_as_it_is_installed(settings: Settings) -> None:
    assert settings.receive_seconds <= 20
