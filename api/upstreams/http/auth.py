"""How the service shows who it is to the engine and the store: HTTP Basic, a bearer token, or a traded one.

Built by `upstreams.open_upstreams` from the settings, handed to httpx as its `auth`.
"""

import asyncio
import time
from collections.abc import AsyncGenerator
from typing import Annotated
from urllib.parse import quote_plus

import httpx
import msgspec

USUAL_LIFETIME = 300.0  # seconds, of a token that does not say how long it lives


class Bearer(httpx.Auth):
    """A token that somebody else keeps valid."""

    def __init__(self, token: str) -> None:
        self.token = token

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Add the token to the request."""
        request.headers["Authorization"] = f"Bearer {self.token}"
        yield request


class NoToken(Exception):
    """The token endpoint gave none; `status` is what it answered with."""

    def __init__(self, status: int) -> None:
        super().__init__(f"no token, status {status}")
        self.status = status


class _Granted(msgspec.Struct, frozen=True):
    access_token: Annotated[str, msgspec.Meta(pattern=r"\A[\x21-\x7e]+\Z")]
    expires_in: float | None = None


class ClientCredentials(httpx.Auth):
    """OAuth 2.0 client credentials (RFC 6749, section 4.4): one token for all requests, fetched again when it is old.

    A 401 makes it fetch once more, since a store may forget a token before its time; a token that was never taken is
    not traded for another within the same call. Whoever waited while another fetched has that one's result.
    """

    def __init__(self, token_url: str, client_id: str, client_secret: str) -> None:
        self.token_url = token_url
        # form-encoded first, for this one use of Basic (RFC 6749, section 2.3.1)
        self.basic = httpx.BasicAuth(quote_plus(client_id), quote_plus(client_secret))
        self.lock = asyncio.Lock()
        self.token = ""
        self.good_until = 0.0
        self.was_taken = False
        self.answered = 0
        self.refusal: int | None = None

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Get a token if there is none, send the request with it, and try once more after a 401. Raises NoToken."""
        if time.monotonic() >= self.good_until:
            seen = self.answered
            async with self.lock:
                if seen == self.answered:
                    await self._keep((yield self._token_request()))
        used = self._usable()
        request.headers["Authorization"] = f"Bearer {used}"
        response = yield request
        if response.status_code != 401:
            if used == self.token:
                self.was_taken = True
            return
        async with self.lock:
            if self.token == used:
                self.good_until = 0.0
                if not self.was_taken:
                    return
                await self._keep((yield self._token_request()))
        request.headers["Authorization"] = f"Bearer {self._usable()}"
        yield request

    def _token_request(self) -> httpx.Request:
        request = httpx.Request("POST", self.token_url, data={"grant_type": "client_credentials"})
        return next(self.basic.auth_flow(request))

    def _usable(self) -> str:
        if self.refusal is not None:
            raise NoToken(self.refusal)
        return self.token

    async def _keep(self, response: httpx.Response) -> None:
        body = await response.aread()
        self.answered += 1
        try:
            granted = msgspec.json.decode(body, type=_Granted) if response.is_success else None
        except (msgspec.DecodeError, UnicodeDecodeError):
            granted = None
        self.was_taken = False
        self.refusal = None if granted else response.status_code
        self.token = granted.access_token if granted else ""
        lifetime = 0.0 if granted is None else granted.expires_in if granted.expires_in is not None else USUAL_LIFETIME
        self.good_until = time.monotonic() + lifetime * 0.9
