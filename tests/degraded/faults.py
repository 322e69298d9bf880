"""The faults: a table of name → what is done at the wire, and the code, sentence and retryability that clients read."""

import contextlib
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass

from graphql_server.http.request_id import request_id
from tests.wire import HTML, Cut, Fault, Hang, Refuse, Say

SYSTEMS = ("retool", "camunda", "aidbox")
NAMES = {"retool": "The drafts database", "camunda": "camunda", "aidbox": "aidbox"}


@dataclass(frozen=True)
class Told:
    """What a fault is told as. `sentence` follows the system's name."""

    fault: Fault
    code: str
    retryable: bool
    sentence: str


def unreachable(fault: Fault) -> Told:
    return Told(fault, "UPSTREAM_UNREACHABLE", retryable=True, sentence="can not be reached")


def timed_out(fault: Fault) -> Told:
    return Told(fault, "UPSTREAM_TIMEOUT", retryable=True, sentence="did not answer in time")


def garbled(fault: Fault) -> Told:
    return Told(fault, "UPSTREAM_GARBLED", retryable=False, sentence="sent an answer that is not its own")


def denied(fault: Fault) -> Told:
    return Told(fault, "UPSTREAM_DENIED", retryable=False, sentence="does not accept this service's credentials")


def forbidden(fault: Fault) -> Told:
    sentence = "does not allow this service to do that; a permission or a policy there refuses it"
    return Told(fault, "UPSTREAM_DENIED", retryable=False, sentence=sentence)


def busy(fault: Fault) -> Told:
    return Told(fault, "UPSTREAM_BUSY", retryable=True, sentence="is too busy to answer")


def failed(fault: Fault, status: int) -> Told:
    return Told(fault, "UPSTREAM_FAILED", retryable=False, sentence=f"answered with status {status}")


AT_ANY_WIRE = {
    "refused": unreachable(Refuse()),
    "hanging": timed_out(Hang()),
    "cut at once": unreachable(Cut(0)),
    "cut soon": unreachable(Cut(20)),
}
AT_HTTP = {
    "half a body": unreachable(Say(body=b'{"count": 1', missing=100)),
    "HTML": garbled(Say(body=HTML, kind="text/html")),
    "an empty body": garbled(Say()),
    "half of some JSON": garbled(Say(body=b'[{"id": "x", "resourceType": "Bund')),
    "other JSON": garbled(Say(body=b'{"message": "hello"}')),
    "not UTF-8": garbled(Say(body=b'{"message": "\xff\xfe"}')),
    "a redirect": garbled(Say(302)),
    "400": failed(Say(400, b"{}"), 400),
    "401": denied(Say(401)),
    "403": forbidden(Say(403, HTML, "text/html")),
    "429": busy(Say(429)),
    "500": failed(Say(500, HTML, "text/html"), 500),
    "502": unreachable(Say(502, HTML, "text/html")),
    "503": busy(Say(503, HTML, "text/html")),
    "504": timed_out(Say(504, HTML, "text/html")),
}
FAULTS = {"retool": AT_ANY_WIRE, "camunda": AT_ANY_WIRE | AT_HTTP, "aidbox": AT_ANY_WIRE | AT_HTTP}
CASES = [(system, name) for system in SYSTEMS for name in FAULTS[system]]


def entry(system: str, told: Told, request: str) -> dict[str, object]:
    """An entry of `errors` without path and locations."""
    extensions = {"code": told.code, "upstream": system, "retryable": told.retryable, "requestId": request}
    return {"message": f"{NAMES[system]} {told.sentence}", "extensions": extensions}


class Log(logging.Handler):
    """The lines about failed upstream calls, each with the id of its request."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[tuple[str, dict[str, object]]] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.getMessage() == "upstream call failed":
            told = {name: getattr(record, name) for name in ("upstream", "code")}
            self.lines.append((request_id.get(), told))

    def of(self, request: str, count: int) -> list[dict[str, object]]:
        """The lines of a request, once there are so many: a call beside the first to fail ends a little later."""
        until = time.monotonic() + 60
        while sum(1 for whose, _ in self.lines if whose == request) < count and time.monotonic() < until:
            time.sleep(0.01)
        return [told for whose, told in self.lines if whose == request]


@contextlib.contextmanager
def logging_to(log: Log) -> Iterator[None]:
    logger = logging.getLogger("resilience")
    logger.addHandler(log)
    try:
        yield
    finally:
        logger.removeHandler(log)
