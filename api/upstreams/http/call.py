"""The one way to ask an HTTP system: `Upstream.call`, with its deadline and the translation of every failure.

Used by camunda.py and aidbox.py alone. Whatever goes wrong leaves here as an `UpstreamFailed`, logged once.
"""

import asyncio
import logging
import ssl
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from functools import partial
from typing import Any, TypeVar
from urllib.parse import urlencode

import httpx
import msgspec

from api import telemetry
from api.deadline import seconds_left
from api.errors import Busy, Denied, Garbled, TimedOut, Unreachable, UpstreamFailed
from api.upstreams.circuit_breaker import Capacity
from api.upstreams.http.auth import NoToken
from api.upstreams.http.client import Client, Files, Params
from api.upstreams.http.connections import REPEATABLE, Transport
from api.upstreams.http.proxies import by_environment
from api.upstreams.retry import retried

Answer = TypeVar("Answer")
Transports = Callable[[str, httpx.AsyncBaseTransport], httpx.AsyncBaseTransport]
Send = Callable[[], Awaitable[httpx.Response]]
DENIALS = {
    401: "{} does not accept this service's credentials",
    403: "{} does not allow this service to do that; a permission or a policy there refuses it",
    407: "the proxy before {} does not accept this service's credentials",
}

_log = logging.getLogger(__name__)
_encoder = msgspec.json.Encoder(decimal_format="number")


def encode(value: object) -> bytes:
    """JSON, with Decimal written as a number digit by digit."""
    return _encoder.encode(value)


class Upstream:
    """One HTTP system: its name in errors and logs, its connections, and how long, how often and how much it is asked.

    `deadline`: of a call with all its tries, in seconds.
    """

    def __init__(self, name: str, client: Client, *, deadline: float, tries: int, capacity: Capacity) -> None:
        self.name = name
        self.client = client
        self.deadline = deadline
        self.tries = tries
        self.capacity = capacity

    async def call(
        self,
        method: str,
        path: str,
        *,
        answers: Collection[int] = (200, 204),
        idempotent: bool = False,
        body: object = None,
        form: Mapping[str, str] | None = None,
        files: Files | None = None,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        deadline: float | None = None,
    ) -> httpx.Response:
        """Send one request; the whole answer, if its status is one of `answers`.

        `idempotent`: a repeat does no harm, so it is retried when the system is unreachable or busy.
        Raises UpstreamFailed otherwise: Unreachable, TimedOut, Denied, Busy, Garbled or itself.
        """
        content, kind = _encoded(body, None if files else form)
        send = partial(
            self._once,
            answers,
            method,
            path,
            content=content,
            form=form,
            files=files,
            params=params,
            headers={**kind, **headers} if headers else kind,
            extensions={REPEATABLE: idempotent},
        )
        began, outcome = time.perf_counter(), "ok"
        seconds = seconds_left(deadline or self.deadline)
        try:
            async with self.capacity.place(seconds):
                return await self._in_time(send, seconds, self.tries if idempotent else 1)
        except UpstreamFailed as failure:
            outcome = failure.code
            raise self._logged(failure, f"{method} {path}", failure.__cause__) from failure.__cause__
        finally:
            telemetry.upstream_called(self.name, outcome, time.perf_counter() - began)

    async def _in_time(self, send: Send, seconds: float, tries: int) -> httpx.Response:
        ends = asyncio.get_running_loop().time() + seconds
        try:
            async with asyncio.timeout_at(ends):
                try:
                    return await send()
                except (Unreachable, Busy) as failure:
                    if tries == 1:
                        raise
                    return await retried(send, failure, tries=tries, seconds=seconds_left(seconds))
        except (TimeoutError, httpx.TimeoutException) as error:
            raise TimedOut(self.name, f"{self.name} did not answer in time") from error

    async def _once(self, answers: Collection[int], method: str, path: str, **parts: Any) -> httpx.Response:
        try:
            response = await self.client.request(method, path, **parts)
        except httpx.TimeoutException:
            raise
        except NoToken as error:
            raise self._without_token(error.status) from error
        except httpx.DecodingError as error:
            raise Garbled(self.name, f"{self.name} sent an answer that is not its own") from error
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise Unreachable(self.name, f"{self.name} can not be reached") from error
        if response.status_code not in answers:
            raise self._failure(response.status_code, _asked_pause(response))
        return response

    def decode(self, response: httpx.Response, kind: type[Answer]) -> Answer:
        """The body as `kind`. Raises Garbled when it is something else."""
        return self.read(response.content, kind, f"{response.request.method} {response.request.url.path}")

    def read(self, part: bytes | msgspec.Raw, kind: type[Answer], call: str = "") -> Answer:
        """A part of a body as `kind`. Raises Garbled when it is something else."""
        try:
            return msgspec.json.decode(part, type=kind)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            failure = Garbled(self.name, f"{self.name} sent an answer that is not its own")
            raise self._logged(failure, call, error) from error

    def refusal(self, status: int, call: str, said: str) -> UpstreamFailed:
        """What a part of an answer with a status of its own means: the same as a whole one. `said` is for the log."""
        return self._logged(self._failure(status), call, said)

    def _failure(self, status: int, pause: float | None = None) -> UpstreamFailed:
        if status in DENIALS:
            return Denied(self.name, DENIALS[status].format(self.name), status=status)
        if status in (429, 503):
            return Busy(self.name, f"{self.name} is too busy to answer", status=status, pause=pause)
        if status == 502:  # a gateway's words for what is ours when there is none
            return Unreachable(self.name, f"{self.name} can not be reached", status=status)
        if status == 504:
            return TimedOut(self.name, f"{self.name} did not answer in time", status=status)
        if status < 400:
            return Garbled(self.name, f"{self.name} sent an answer that is not its own", status=status)
        return UpstreamFailed(self.name, f"{self.name} answered with status {status}", status=status)

    def _without_token(self, status: int) -> UpstreamFailed:
        """What the token endpoint's answer means for the call. It says 400 for a client it does not know (RFC 6749)."""
        message = f"{self.name}'s token endpoint answered with status {status}"
        if status in (429, 503):
            return Busy(self.name, message, status=status)
        if 400 <= status < 500:
            return Denied(self.name, message, status=status)
        return Garbled(self.name, message, status=status) if status < 400 else UpstreamFailed(self.name, message)

    def _logged(self, failure: UpstreamFailed, call: str, cause: BaseException | str | None = None) -> UpstreamFailed:
        _log.warning(
            "upstream call failed",
            extra={
                "upstream": self.name,
                "code": failure.code,
                "status": failure.status,
                "call": call,
                "reason": cause if isinstance(cause, str) else repr(cause) if cause else "",
            },
        )
        return failure


def _encoded(body: object, form: Mapping[str, str] | None) -> tuple[bytes, dict[str, str]]:
    """What is sent, and the header that says what it is."""
    if form is not None:
        return urlencode(form, safe=",").encode("ascii"), {"Content-Type": "application/x-www-form-urlencoded"}
    return (b"", {}) if body is None else (encode(body), {"Content-Type": "application/json"})


def _asked_pause(response: httpx.Response) -> float | None:
    """What Retry-After says in seconds; a date is as good as nothing here."""
    said = response.headers.get("Retry-After", "")
    return float(said) if said.isascii() and said.isdigit() else None


def connect(
    name: str,
    base_url: str,
    *,
    deadline: float,
    tries: int,
    capacity: Capacity,
    connections: int,
    auth: httpx.Auth | None,
    tls: ssl.SSLContext,
    transports: Transports,
) -> Upstream:
    """An Upstream at `base_url`. Nothing is sent yet. Its client is to be closed by the caller."""
    transport = transports(name, by_environment(Transport(tls, connections), tls, connections))
    client = Client(base_url, transport=transport, auth=auth)
    return Upstream(name, client, deadline=deadline, tries=tries, capacity=capacity)
