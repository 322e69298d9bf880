"""The OpenID Connect issuer: a cache of the public keys it signs tokens with (JWKS).

Its address comes from the options, never from a token.
"""

import asyncio
import logging
import ssl
import time
import warnings
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey, import_key

from authentication.addresses import is_private_enough
from authentication.options import Options
from resilience.circuit_breaker import CircuitBreaker
from resilience.failures import Garbled, Unreachable, UpstreamFailed
from resilience.http.call import Transports, Upstream
from resilience.observation import Observe

NAME = "issuer"
AWAY_PAUSE = 3.0  # seconds, at most, before an issuer that was away is asked again
CALLS_AT_ONCE = 2
WELL_KNOWN = "/.well-known/openid-configuration"

Keys = Sequence[Key]
_log = logging.getLogger(__name__)


class _Configuration(msgspec.Struct, frozen=True):
    issuer: str
    jwks_uri: str


class _Published(msgspec.Struct, frozen=True):
    keys: list[dict[str, Any]]


class Issuer:
    """The issuer's keys, fetched when first needed, when they are old, and when a token names an unknown one.

    The latter happens once in `pause` seconds at most, as anybody can make up such a token. Requests that need a fetch
    at the same time share it. Nobody waits for one whose key is known: old keys are good while newer ones are fetched,
    and while the issuer is away.
    """

    def __init__(self, upstream: Upstream, url: str, jwks_url: str | None, *, lifetime: float, pause: float) -> None:
        self.upstream = upstream
        self.url = url
        self.jwks_url = jwks_url
        self.lifetime = lifetime
        self.pause = pause
        self._keys: Keys = ()
        self._good_until = 0.0
        self._quiet_until = 0.0
        self._is_away = False
        self._fetching: asyncio.Task[None] | None = None

    async def keys(self, kid: str | None) -> Keys:
        """The keys of this id, usually one or none; without an id, the only key that there is.

        Raises Unreachable when none fits and the issuer could not be asked.
        """
        age = time.monotonic() - self._good_until
        is_too_old = age >= self.lifetime and not self._is_away  # they may have been withdrawn long ago
        if not self._named(kid) or is_too_old:
            await self._refreshed()
        elif age >= 0:
            self._refresh()
        found = self._named(kid)
        if not found and self._is_away:
            raise Unreachable(NAME, "the issuer of tokens can not be asked for its keys")
        return found

    def _named(self, kid: str | None) -> Keys:
        if kid is None:
            return self._keys if len(self._keys) == 1 else ()
        return [key for key in self._keys if key.kid == kid]

    def _refresh(self) -> asyncio.Task[None] | None:
        """The fetch under way, or a new one; None during the pause after one."""
        if self._fetching is None or self._fetching.done():
            is_quiet = time.monotonic() < self._quiet_until
            self._fetching = None if is_quiet else asyncio.create_task(self._fetch())
        return self._fetching

    async def _refreshed(self) -> None:
        """Wait for the fetch; a waiter that is cancelled leaves it to the others."""
        if fetching := self._refresh():
            await asyncio.shield(fetching)

    async def close(self) -> None:
        """Cancel the fetch under way."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.wait([self._fetching])

    async def _fetch(self) -> None:
        is_first = not self._keys
        try:
            self._keys = await self._published()
            self._is_away = False
            self._good_until = time.monotonic() + self.lifetime
        except UpstreamFailed:
            self._is_away = True
            self._quiet_until = time.monotonic() + min(self.pause, AWAY_PAUSE)
        if not self._is_away and not is_first:
            self._quiet_until = time.monotonic() + self.pause

    async def _published(self) -> Keys:
        url = self.jwks_url or await self._discovered()
        response = await self.upstream.call("GET", url)
        published = self.upstream.decode(response, _Published)
        keys = [key for each in published.keys if (key := usable(each)) is not None]
        if not keys:
            _log.error("the issuer publishes no key that verifies signatures")
            raise Garbled(NAME, "the issuer of tokens publishes no usable key")
        return keys

    async def _discovered(self) -> str:
        """The URL of the keys (OpenID Connect Discovery 1.0, sections 4 and 4.3: the issuer must name itself)."""
        response = await self.upstream.call("GET", self.url.rstrip("/") + WELL_KNOWN)
        configuration = self.upstream.decode(response, _Configuration)
        if configuration.issuer != self.url or not is_private_enough(configuration.jwks_uri):
            _log.error("the issuer calls itself something else than OIDC_ISSUER, or its keys are not at https://")
            raise Garbled(NAME, "the issuer of tokens is not the one of OIDC_ISSUER")
        return configuration.jwks_uri


def usable(published: dict[str, Any]) -> Key | None:
    """A public key as published, None for one that is secret, weak, for something else, or of no known kind."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", SecurityWarning)
        try:
            key = import_key(published)
            key.check_use("sig")
            key.check_key_op("verify")
        except (JoseError, SecurityWarning, ValueError, TypeError):
            return None
    return key if isinstance(key, RSAKey | ECKey | OKPKey) else None


@asynccontextmanager
async def open_issuer(
    options: Options, *, tls: ssl.SSLContext, user_agent: str, observe: Observe, transports: Transports
) -> AsyncIterator[Issuer]:
    """A client of the issuer that the options name; nothing is sent yet."""
    url = options.oidc_issuer or ""
    upstream = Upstream(
        NAME,
        url,
        deadline=options.oidc_timeout,
        tries=1,
        breaker=CircuitBreaker(NAME, slots=CALLS_AT_ONCE, failures=0, pause=0),
        auth=None,
        tls=tls,
        user_agent=user_agent,
        observe=observe,
        transports=transports,
    )
    issuer = Issuer(
        upstream,
        url,
        options.oidc_jwks_url,
        lifetime=options.oidc_keys_seconds,
        pause=options.oidc_refetch_seconds,
    )
    async with upstream:
        try:
            yield issuer
        finally:
            await issuer.close()
