"""What is refused of HTTP itself before anything reads the request, and what of a request is no part of its head."""

from collections.abc import Iterator

import pytest

from api.settings import Settings
from tests.auth.asking import settings_with
from tests.auth.test_gateway import KEY, entry
from tests.http.raw import Answered, connect, exchange, post
from tests.serving import Api, serving

WHO = "{ viewer { id groups } }"
ANN = ("X-User-Id: ann", "X-User-Groups: staff")
ONE_HOST = "A request must have the header Host once."
ODD_HOST = "The header Host must be a name or an address, with or without a port."
CHUNKED = "The only Transfer-Encoding that is understood here is: chunked."
INVALID = "This is not a valid HTTP request."
GET = b"GET /live HTTP/1.1\r\n"

REFUSED: dict[str, tuple[bytes, int, str]] = {
    "no Host": (GET + b"\r\n", 400, ONE_HOST),
    "two Hosts": (GET + b"Host: localhost\r\nHost: evil.example\r\n\r\n", 400, ONE_HOST),
    "the same Host twice": (GET + b"Host: localhost\r\nhost: localhost\r\n\r\n", 400, ONE_HOST),
    "an empty Host": (GET + b"Host:\r\n\r\n", 400, ODD_HOST),
    "two Hosts in one": (GET + b"Host: localhost, evil.example,\r\n\r\n", 400, ODD_HOST),
    "a Host with a user": (GET + b"Host: localhost@evil.example\r\n\r\n", 400, ODD_HOST),
    "a Host with a path": (GET + b"Host: localhost/evil\r\n\r\n", 400, ODD_HOST),
    "a Host with a wrong port": (GET + b"Host: localhost:http\r\n\r\n", 400, ODD_HOST),
    "two Hosts of HTTP/1.0": (b"GET /live HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", 400, ONE_HOST),
    "two codings": (post(WHO, *ANN, "Transfer-Encoding: gzip, chunked"), 501, CHUNKED),
    "two codings in two headers": (
        post(WHO, *ANN, "Transfer-Encoding: gzip", "Transfer-Encoding: chunked"),
        501,
        CHUNKED,
    ),
    "chunks in chunks": (post(WHO, *ANN, "Transfer-Encoding: chunked, chunked"), 400, INVALID),
    "identity in chunks": (post(WHO, *ANN, "Transfer-Encoding: identity, chunked"), 501, CHUNKED),
    "a coding that is not the last": (post(WHO, *ANN, "Transfer-Encoding: chunked, gzip"), 400, INVALID),
    "an unknown coding": (post(WHO, *ANN, "Transfer-Encoding: xchunked"), 501, CHUNKED),
    "a coding of HTTP/1.0": (
        b"POST /live HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
        "HTTP/1.0 has no Transfer-Encoding.",
    ),
    "chunks and a length": (post(WHO, *ANN, "Content-Length: 5", "Transfer-Encoding: chunked"), 400, INVALID),
    "two lengths": (GET + b"Host: localhost\r\nContent-Length: 0\r\nContent-Length: 1\r\n\r\n", 400, INVALID),
    "too many headers": (
        GET + b"Host: localhost\r\n" + b"a:\r\n" * 200 + b"\r\n",
        431,
        "A request may have at most 200 headers.",
    ),
    "a head that is too large": (
        GET + b"Host: localhost\r\nX-A: " + b"b" * 66_000 + b"\r\n\r\n",
        431,
        "The head of a request may have at most 65536 bytes.",
    ),
}


@pytest.mark.parametrize(("request_bytes", "status", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_refused(api: Api, request_bytes: bytes, status: int, message: str) -> None:
    answered = exchange(api, request_bytes)
    assert (answered.status, answered.messages, answered.is_closed) == (status, [message], True)


@pytest.mark.parametrize(
    "head",
    [
        b"GET /live HTTP/1.0\r\n\r\n",
        GET + b"Host: localhost\r\n\r\n",
        GET + b"Host: localhost:8000\r\n\r\n",
        GET + b"Host: 127.0.0.1\r\n\r\n",
        GET + b"Host: [::1]:8000\r\n\r\n",
        GET + b"Host: LOCALHOST\r\n" + b"a:\r\n" * 199 + b"\r\n",
    ],
)
def test_what_is_answered(gated: Api, head: bytes) -> None:
    assert exchange(gated, head).status == 200


def test_a_request_before_a_bad_one_is_answered_first(api: Api) -> None:
    """And it alone: nobody takes the refusal of the second for the answer to the first."""
    with connect(api) as connection, connection.makefile("rb") as stream:
        connection.sendall(post("{ drafts { totalCount } }", "X-User-Id: author") + GET + b"\r\n")
        answer = stream.read()
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.count(b"HTTP/1.1 ") == 1


# Trailers


@pytest.fixture(scope="module")
def gated(settings: Settings) -> Iterator[Api]:
    """The API behind a gateway that sends groups with each request, or none at all."""
    given = {"auth": "gateway", "gateway_keys": entry("retool", KEY), "gateway_groups_needed": False}
    with serving(settings_with(settings, **given)) as api:
        yield api


def told(answered: Answered) -> object:
    return (answered.status, answered.body)


@pytest.mark.parametrize("name", ["X-User-Groups", "x-user-groups", "X-User-Id", "X-API-Key", "Authorization", "Host"])
@pytest.mark.parametrize("groups", [(), ("X-User-Groups: staff",)])
def test_trailers_are_no_headers(gated: Api, name: str, groups: tuple[str, ...]) -> None:
    lines = (f"X-API-Key: {KEY}", "X-User-Id: ann", *groups)
    expected = b'{"data":{"viewer":{"id":"ann","groups":%b}}}' % (b'["staff"]' if groups else b"[]")
    assert told(exchange(gated, post(WHO, *lines, trailers=f"{name}: benefit-admins\r\n"))) == (200, expected)


def test_a_trailer_says_not_who_asks(gated: Api) -> None:
    for lines, trailers in (
        ([], f"X-API-Key: {KEY}\r\nX-User-Id: ann\r\n"),
        ([f"X-API-Key: {KEY}"], "X-User-Id: ann\r\n"),
        (["X-User-Id: ann"], f"Authorization: Bearer {KEY}\r\n"),
    ):
        assert exchange(gated, post(WHO, *lines, trailers=trailers)).status == 401


# Long values are not read


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [
        ("Content-Type", "application/json" + ";" * 60_000, 415),
        ("Content-Type", "application/json" + ";a=b" * 15_000, 415),
        ("Content-Type", "application/json;charset=" + '"' * 60_000, 415),
        ("Accept", "," * 60_000, 200),
        ("Accept", "text/html;q=1," * 4_000, 200),
        ("Accept", "application/json" + ";q=1" * 15_000, 200),
        ("Authorization", "Bearer " + "." * 60_000, 401),
        ("X-User-Groups", "," * 60_000, 401),
        ("X-User-Id", "a" * 60_000, 401),
        ("If-None-Match", '"a",' * 15_000, 200),
        ("Origin", "http://" + "[" * 60_000, 200),
        ("Accept-Encoding", "br;q=0." + "0" * 60_000, 200),
    ],
)
def test_a_header_of_sixty_thousand_characters_is_not_read(gated: Api, name: str, value: str, status: int) -> None:
    usual = {"Content-Type": "application/json", "X-API-Key": KEY, "X-User-Id": "ann", "X-User-Groups": "a"}
    if name == "Authorization":
        del usual["X-API-Key"]
    answer = gated.client.post("/graphql", content=b'{"query": "{ __typename }"}', headers={**usual, name: value})
    assert answer.status_code == status
