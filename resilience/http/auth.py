"""Authentication of this service to an HTTP system: HTTP Basic, a bearer token, or OAuth 2.0 client credentials."""

import asyncio
import time
from base64 import b64encode
from collections.abc import Awaitable, Callable
from typing import Annotated
from urllib.parse import quote_plus

import httpx
import msgspec

USUAL_LIFETIME = 300.0  # seconds, of a token that does not say how long it lives

Send = Callable[[httpx.Request], Awaitable[httpx.Response]]


def basic(user: str, password: str) -> str:
    """The header Authorization of HTTP Basic (RFC 7617)."""
    return f"Basic {b64encode(f'{user}:{password}'.encode()).decode('ascii')}"


def bearer(token: str) -> str:
    """The header Authorization of a bearer token (RFC 6750)."""
    return f"Bearer {token}"


class NoToken(Exception):
    """The token endpoint gave no token; `status` is what it answered with."""

    def __init__(self, status: int) -> None:
        super().__init__(f"no token, status {status}")
        self.status = status


class _Granted(msgspec.Struct, frozen=True):
    access_token: Annotated[str, msgspec.Meta(pattern=r"\A[\x21-\x7e]+\Z")]
    expires_in: float | None = None


class ClientCredentials:
    """OAuth 2.0 client credentials (RFC 6749, section 4.4): one token for all requests, fetched again when it expires.

    A 401 makes it fetch once more, since a server may forget one before its time; a token that was never accepted is
    not traded for another within the same call. Requests that wait while another fetches share its result.
    """

    def __init__(self, token_url: str, client_id: str, client_secret: str) -> None:
        self.token_url = token_url
        # form-encoded first, for this one use of Basic (RFC 6749, section 2.3.1)
        self.authorization = basic(quote_plus(client_id), quote_plus(client_secret))
        self.lock = asyncio.Lock()
        self.token = ""
        self.expires_at = 0.0
        self.was_accepted = False
        self.fetches = 0
        self.refusal: int | None = None

    async def send(self, request: httpx.Request, send: Send) -> httpx.Response:
        """The answer to a request with a token, fetched before if there is none and after a 401. Raises NoToken."""
        # 1. A token; of those who find it expired, the first fetches one for all.
        if time.monotonic() >= self.expires_at:
            seen = self.fetches
            async with self.lock:
                if seen == self.fetches:
                    await self._fetch(send)
        token = self._usable()
        request.headers["Authorization"] = bearer(token)
        response = await send(request)
        if response.status_code != 401:
            if token == self.token:
                self.was_accepted = True
            return response
        # 2. Refused: another token, if nobody has fetched one since and this one was good once.
        async with self.lock:
            if self.token == token:
                self.expires_at = 0.0
                if not self.was_accepted:
                    return response
                await self._fetch(send)
        request.headers["Authorization"] = bearer(self._usable())
        return await send(request)

    def _usable(self) -> str:
        if self.refusal is not None:
            raise NoToken(self.refusal)
        return self.token

    async def _fetch(self, send: Send) -> None:
        headers = {"Authorization": self.authorization}
        asking = httpx.Request("POST", self.token_url, data={"grant_type": "client_credentials"}, headers=headers)
        response = await send(asking)
        body = await response.aread()
        self.fetches += 1
        try:
            granted = msgspec.json.decode(body, type=_Granted) if response.is_success else None
        except (msgspec.DecodeError, UnicodeDecodeError):
            granted = None
        self.was_accepted = False
        self.refusal = None if granted else response.status_code
        self.token = granted.access_token if granted else ""
        lifetime = 0.0 if granted is None else granted.expires_in if granted.expires_in is not None else USUAL_LIFETIME
        self.expires_at = time.monotonic() + lifetime * 0.9
