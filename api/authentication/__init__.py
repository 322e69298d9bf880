"""Authentication: from a request's headers to its viewer.

AUTH names the accepted kinds: `oidc` (tokens of an issuer), `gateway` (keys of programs that call for their users), or
`headers` alone (believes anybody; for development).
"""

import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

from starlette.datastructures import Headers

from api.authentication import claims as read
from api.authentication.gateway import known_key
from api.authentication.headers import Credentials, credentials, person
from api.authentication.tokens import Expected, verified
from api.errors import Unauthenticated
from api.identity import Viewer
from api.settings import Settings
from api.upstreams.issuer import Issuer, open_issuer
from resilience.http.call import Transports

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Authentication:
    """Authentication by the settings, with the issuer where tokens are accepted."""

    settings: Settings
    issuer: Issuer | None

    async def viewer(self, headers: Headers) -> Viewer:
        """The viewer of a request. Raises Unauthenticated, which is logged here, and Unreachable without the issuer."""
        try:
            return await self._viewer(headers)
        except Unauthenticated as refusal:
            _log.warning("request refused", extra={"reason": refusal.reason})
            raise

    async def _viewer(self, headers: Headers) -> Viewer:
        if "headers" in self.settings.auth:
            return self._believed(headers)
        offered = credentials(headers, api_key="gateway" in self.settings.auth)
        if offered.bearer and self.issuer and self._is_token(offered.bearer):
            return await self._by_token(self.issuer, offered.bearer)
        if "gateway" in self.settings.auth and (offered.bearer or offered.api_key):
            return self._by_key(offered, headers)
        raise Unauthenticated("This request has no credentials; send Authorization: Bearer with a token.")

    def _is_token(self, bearer: str) -> bool:
        """Whether a bearer is a token rather than a key: keys have no dots, tokens have two."""
        return "gateway" not in self.settings.auth or "." in bearer

    def _believed(self, headers: Headers) -> Viewer:
        user_id, groups = person(headers, groups_needed=False)
        if not user_id and self.settings.auth_default_user:
            user_id, groups = self.settings.auth_default_user, self.settings.auth_default_groups
        if not user_id:
            raise Unauthenticated("This request does not name a user; set the header X-User-Id.")
        viewer = self._member(user_id, groups)
        return replace(viewer, acts_for_others=viewer.is_admin)

    def _by_key(self, offered: Credentials, headers: Headers) -> Viewer:
        key = known_key(offered.bearer or offered.api_key or "", self.settings.gateway_keys)
        if key is None:
            raise Unauthenticated("The key is not accepted.", reason="key: not known", token_refused=True)
        user_id, groups = person(headers, groups_needed=self.settings.gateway_groups_needed)
        if not user_id:
            message = "This request does not name the user it is made for; set the header X-User-Id."
            raise Unauthenticated(message, reason=f"no X-User-Id from {key.name}")
        _log.debug("key accepted", extra={"key": f"{key.name}:{key.digest[:8]}"})

        return replace(self._member(user_id, groups), key=key.name, acts_for_others=key.trusted, is_program=key.trusted)

    async def _by_token(self, issuer: Issuer, token: str) -> Viewer:
        settings = self.settings
        claims = await verified(token, issuer, _expected(settings))
        user_id, groups = (
            read.user_id(claims, settings.oidc_user_claim),
            read.groups(claims, settings.oidc_groups_claim),
        )
        return replace(
            self._member(user_id, groups),
            name=read.name(claims, settings.oidc_name_claim),
            acts_for_others=settings.oidc_acts_for_others_group in groups,
        )

    def _member(self, user_id: str, groups: frozenset[str]) -> Viewer:
        settings = self.settings
        is_admin, is_auditor = (group in groups for group in (settings.admin_group, settings.auditor_group))
        return Viewer(user_id, groups, is_admin=is_admin, is_auditor=is_auditor)


def _expected(settings: Settings) -> Expected:
    return Expected(
        settings.oidc_issuer or "",
        settings.oidc_audience,
        settings.oidc_algorithms,
        settings.oidc_token_types,
        settings.oidc_leeway_seconds,
    )


@asynccontextmanager
async def open_authentication(settings: Settings, *, transports: Transports) -> AsyncIterator[Authentication]:
    """Authentication with its client of the issuer, if tokens are accepted; nothing is sent yet."""
    async with AsyncExitStack() as stack:
        wanted = "oidc" in settings.auth
        issuer = await stack.enter_async_context(open_issuer(settings, transports=transports)) if wanted else None
        yield Authentication(settings, issuer)
