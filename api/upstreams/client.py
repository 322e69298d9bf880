"""Requests to one HTTP system: its address, who the service is to it, and what every request says. Used by calling.py.

httpx's requests, answers, auth and transports; its client is left out, which takes three times as long to do what is
wanted of it here: no cookies, no redirects, no environment.
"""

from collections.abc import Mapping
from functools import lru_cache
from types import TracebackType
from typing import Any, Self

import httpx

USUAL = {"Accept": "*/*", "User-Agent": "plan-api"}
KEPT_URLS = 1000

Params = Mapping[str, str | int | bool]


class Client:
    """Requests below `base_url`. `timeout`: of each step of a request, in seconds."""

    def __init__(
        self, base_url: str, *, transport: httpx.AsyncBaseTransport, auth: httpx.Auth | None, timeout: float
    ) -> None:
        self._base = base_url.rstrip("/")
        self._transport = transport
        self._auth = auth
        self._timeout = httpx.Timeout(timeout).as_dict()
        self._url = lru_cache(KEPT_URLS)(self._url_of)

    async def __aenter__(self) -> Self:
        await self._transport.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._transport.__aexit__(kind, error, traceback)

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        headers: Mapping[str, str],
        extensions: Mapping[str, Any],
        **body: Any,
    ) -> httpx.Response:
        """Send, and read the whole answer. `body`: httpx's `content`, `data` or `files`. Raises as httpx does."""
        request = httpx.Request(
            method,
            self._url(path, tuple(params.items()) if params else ()),
            headers={**USUAL, **headers},
            extensions={**extensions, "timeout": self._timeout},
            **body,
        )
        return await (self._sent(request) if self._auth is None else self._with_auth(request, self._auth))

    def _url_of(self, path: str, params: tuple[tuple[str, str | int | bool], ...]) -> httpx.URL:
        is_whole = path.startswith(("https://", "http://"))  # the issuer of tokens names where its keys are
        url = path if is_whole else f"{self._base}/{path.lstrip('/')}"
        return httpx.URL(url, params=dict(params)) if params else httpx.URL(url)

    async def _with_auth(self, request: httpx.Request, auth: httpx.Auth) -> httpx.Response:
        flow = auth.async_auth_flow(request)
        try:
            request = await anext(flow)
            while True:
                response = await self._sent(request)
                try:
                    request = await flow.asend(response)
                except StopAsyncIteration:
                    return response
        finally:
            await flow.aclose()

    async def _sent(self, request: httpx.Request) -> httpx.Response:
        response = await self._transport.handle_async_request(request)
        response.request = request
        await response.aread()
        return response
