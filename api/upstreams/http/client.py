"""Requests to one HTTP system: its address, who the service is to it, and what every request says. Used by calling.py.

httpx's requests, answers, auth and transports; its client is left out, which takes three times as long to do what is
wanted of it here: no cookies, no redirects, no environment, and no time-outs, as a call has one deadline for all of it.
"""

from collections.abc import Mapping
from functools import lru_cache
from types import TracebackType
from typing import Any, Self

import httpx

USUAL = {"Accept": "*/*", "User-Agent": "plan-api"}
KEPT_URLS = 1000
KEPT_HEADERS = 100

Params = Mapping[str, str | int | bool]
Files = Mapping[str, tuple[str, bytes, str]]


class Client:
    """Requests below `base_url`."""

    def __init__(self, base_url: str, *, transport: httpx.AsyncBaseTransport, auth: httpx.Auth | None) -> None:
        self._base = base_url.rstrip("/")
        self._transport = transport
        self._auth = auth
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
        content: bytes = b"",
        form: Mapping[str, str] | None = None,
        files: Files | None = None,
        extensions: dict[str, Any],
    ) -> httpx.Response:
        """Send, and read the whole answer. The body is `content`, or `form` and `files`. Raises as httpx does."""
        url = self._url(path, tuple(params.items()) if params else ())
        told = _told(tuple(headers.items()))
        if files is None:
            request = httpx.Request(method, url, headers=told, stream=httpx.ByteStream(content), extensions=extensions)
            request.read()
        else:
            request = httpx.Request(method, url, headers=told, data=form, files=files, extensions=extensions)
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


@lru_cache(KEPT_HEADERS)
def _told(headers: tuple[tuple[str, str], ...]) -> httpx.Headers:
    """What is said of a request, to be copied: httpx takes longer to put it together than to send it."""
    return httpx.Headers({**USUAL, **dict(headers)})
