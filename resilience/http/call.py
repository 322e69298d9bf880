"""Calls to an HTTP system: `Upstream.call`, with its deadline, retries and the translation of every failure."""

import asyncio
import ssl
from collections.abc import Callable, Collection, Mapping
from functools import partial
from types import TracebackType
from typing import Self, TypeVar

import httpx
import msgspec

from resilience.circuit_breaker import CircuitBreaker
from resilience.deadline import seconds_left
from resilience.failures import Busy, Denied, Garbled, TimedOut, Unreachable, UpstreamFailed
from resilience.http.aiohttp_transport import AiohttpTransport
from resilience.http.auth import ClientCredentials, NoToken
from resilience.http.proxies import Proxies
from resilience.http.request import Files, Params, build_request
from resilience.observation import Observe, logged, observed
from resilience.retry import with_retries

Answer = TypeVar("Answer")
Transports = Callable[[str, httpx.AsyncBaseTransport], httpx.AsyncBaseTransport]
"""The name of a system and its transport → the transport to use: where tests watch or disturb calls at the wire."""

DENIALS = {
    401: "{} does not accept this service's credentials",
    403: "{} does not allow this service to do that; a permission or a policy there refuses it",
    407: "the proxy before {} does not accept this service's credentials",
}


def unchanged(_name: str, transport: httpx.AsyncBaseTransport) -> httpx.AsyncBaseTransport:
    """The transport of a system as it is, neither watched nor disturbed."""
    return transport


class Upstream:
    """An HTTP system: its address, its connections, and the deadline, tries and slots of calls to it.

    `name`: in errors and logs. `deadline`: of a call with all its tries, in seconds. `auth`: the header Authorization,
    or what gets a token for it. `user_agent`: how this service calls itself. Made in a running event loop; leaving
    `async with` closes the connections.
    """

    def __init__(
        self,
        name: str,
        base_url: str,
        *,
        deadline: float,
        tries: int,
        breaker: CircuitBreaker,
        auth: ClientCredentials | str | None,
        tls: ssl.SSLContext,
        user_agent: str,
        observe: Observe,
        transports: Transports = unchanged,
    ) -> None:
        self.name = name
        self.base_url = base_url
        self.deadline = deadline
        self.tries = tries
        self.breaker = breaker
        self._observe = observe
        self._connections = AiohttpTransport(tls, Proxies.of_environment(), user_agent=user_agent)
        send = transports(name, self._connections).handle_async_request
        self._send = partial(auth.send, send=send) if isinstance(auth, ClientCredentials) else send
        self._authorization = {"Authorization": auth} if isinstance(auth, str) else {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._connections.aclose()

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
        """Send a request; its whole answer, if the status is one of `answers`.

        `idempotent`: a repeat does no harm, so it is retried when the system is unreachable or busy.
        Raises UpstreamFailed otherwise, logged once: Unreachable, TimedOut, Denied, Busy, Garbled or itself.
        """
        build = partial(
            build_request,
            self.base_url,
            method,
            path,
            body=body,
            form=form,
            files=files,
            params=params,
            headers={**(headers or {}), **self._authorization},
            idempotent=idempotent,
        )
        seconds = seconds_left(deadline or self.deadline)
        with observed(self.name, self._observe):
            try:
                async with self.breaker.slot(seconds):
                    return await self._in_time(build, answers, seconds, tries=self.tries if idempotent else 1)
            except UpstreamFailed as failure:
                raise self._logged(failure, f"{method} {path}", failure.__cause__) from failure.__cause__

    async def _in_time(
        self, build: Callable[[], httpx.Request], answers: Collection[int], seconds: float, *, tries: int
    ) -> httpx.Response:
        try:
            async with asyncio.timeout(seconds):
                return await with_retries(partial(self._attempt, build, answers), tries=tries, seconds=seconds)
        except TimeoutError as error:
            raise TimedOut(self.name, f"{self.name} did not answer in time") from error

    async def _attempt(self, build: Callable[[], httpx.Request], answers: Collection[int]) -> httpx.Response:
        try:
            request = build()
            response = await self._send(request)
            await response.aread()
        except NoToken as error:
            raise self._without_token(error.status) from error
        except httpx.DecodingError as error:
            raise Garbled(self.name, f"{self.name} sent an answer that is not its own") from error
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise Unreachable(self.name, f"{self.name} can not be reached") from error
        if response.status_code not in answers:
            raise self._failure(response.status_code, _asked_pause(response))
        response.request = request
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
        reason = cause if isinstance(cause, str) else repr(cause) if cause else ""
        return logged(failure, status=failure.status, call=call, reason=reason)


def _asked_pause(response: httpx.Response) -> float | None:
    """The seconds of Retry-After; None without it, and for a date."""
    said = response.headers.get("Retry-After", "")
    return float(said) if said.isascii() and said.isdigit() else None
