"""How the service shows who it is to the engine and the store: HTTP Basic, a bearer token, or a traded one.

Built by `upstreams.open_upstreams` from the settings, handed to httpx as its `auth`.
"""

import asyncio
import time
from collections.abc import AsyncGenerator

import httpx
import msgspec


class Bearer(httpx.Auth):
    """A token that somebody else keeps valid."""

    def __init__(self, token: str) -> None:
        self.token = token

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Add the token to the request."""
        request.headers["Authorization"] = f"Bearer {self.token}"
        yield request


class _Token(msgspec.Struct, frozen=True):
    access_token: str
    expires_in: float = 300


class ClientCredentials(httpx.Auth):
    """OAuth 2.0 client credentials (RFC 6749, section 4.4): one token for all requests, fetched again when it is old.

    A 401 makes it fetch once more, since a store may forget a token before its time.
    """

    requires_response_body = True

    def __init__(self, token_url: str, client_id: str, client_secret: str) -> None:
        self.token_url = token_url
        self.basic = httpx.BasicAuth(client_id, client_secret)
        self.lock = asyncio.Lock()
        self.token = ""
        self.good_until = 0.0

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Get a token if there is none, send the request with it, and try once more after a 401."""
        used = self.token
        if time.monotonic() >= self.good_until:
            async with self.lock:
                if self.token == used:
                    self._keep((yield self._token_request()))
        used = self.token
        request.headers["Authorization"] = f"Bearer {used}"
        response = yield request
        if response.status_code != 401:
            return
        async with self.lock:
            if self.token == used:
                self._keep((yield self._token_request()))
        request.headers["Authorization"] = f"Bearer {self.token}"
        yield request

    def _token_request(self) -> httpx.Request:
        request = httpx.Request("POST", self.token_url, data={"grant_type": "client_credentials"})
        return next(self.basic.auth_flow(request))

    def _keep(self, response: httpx.Response) -> None:
        try:
            granted = msgspec.json.decode(response.content, type=_Token)
        except msgspec.DecodeError:
            granted = _Token(access_token="", expires_in=0)
        self.token = granted.access_token
        self.good_until = time.monotonic() + granted.expires_in * 0.9
