"""Authentication: from a request's headers to its viewer.

Accepted kinds: `oidc` (tokens of an issuer), `gateway` (keys of programs that call for their users), or
`headers` alone (believes anybody; for development).
"""

import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

from starlette.datastructures import Headers

from authentication import claims as read
from authentication.gateway import known_key
from authentication.headers import Credentials, credentials, person
from authentication.identity import Viewer
from authentication.issuer import Issuer, open_issuer
from authentication.options import Options
from authentication.tokens import Expected, verified
from authentication.unauthenticated import Unauthenticated
from resilience.http.call import Transports, unchanged
from resilience.observation import Observe

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Authentication:
    """Authentication by the options, with the issuer where tokens are accepted."""

    options: Options
    issuer: Issuer | None

    async def viewer(self, headers: Headers) -> Viewer:
        """The viewer of a request. Raises Unauthenticated, which is logged here, and Unreachable without the issuer."""
        try:
            return await self._viewer(headers)
        except Unauthenticated as refusal:
            _log.warning("request refused", extra={"reason": refusal.reason})
            raise

    async def _viewer(self, headers: Headers) -> Viewer:
        if "headers" in self.options.auth:
            return self._believed(headers)
        offered = credentials(headers, api_key="gateway" in self.options.auth)
        if offered.bearer and self.issuer and self._is_token(offered.bearer):
            return await self._by_token(self.issuer, offered.bearer)
        if "gateway" in self.options.auth and (offered.bearer or offered.api_key):
            return self._by_key(offered, headers)
        raise Unauthenticated("This request has no credentials; send Authorization: Bearer with a token.")

    def _is_token(self, bearer: str) -> bool:
        """Whether a bearer is a token rather than a key: keys have no dots, tokens have two."""
        return "gateway" not in self.options.auth or "." in bearer

    def _believed(self, headers: Headers) -> Viewer:
        user_id, groups = person(headers, groups_needed=False)
        if not user_id and self.options.auth_default_user:
            user_id, groups = self.options.auth_default_user, self.options.auth_default_groups
        if not user_id:
            raise Unauthenticated("This request does not name a user; set the header X-User-Id.")
        viewer = self._member(user_id, groups)
        return replace(viewer, acts_for_others=viewer.is_admin)

    def _by_key(self, offered: Credentials, headers: Headers) -> Viewer:
        key = known_key(offered.bearer or offered.api_key or "", self.options.gateway_keys)
        if key is None:
            raise Unauthenticated("The key is not accepted.", reason="key: not known", token_refused=True)
        user_id, groups = person(headers, groups_needed=self.options.gateway_groups_needed)
        if not user_id:
            message = "This request does not name the user it is made for; set the header X-User-Id."
            raise Unauthenticated(message, reason=f"no X-User-Id from {key.name}")
        _log.debug("key accepted", extra={"key": f"{key.name}:{key.digest[:8]}"})

        return replace(self._member(user_id, groups), key=key.name, acts_for_others=key.trusted, is_program=key.trusted)

    async def _by_token(self, issuer: Issuer, token: str) -> Viewer:
        options = self.options
        claims = await verified(token, issuer, _expected(options))
        user_id, groups = (
            read.user_id(claims, options.oidc_user_claim),
            read.groups(claims, options.oidc_groups_claim),
        )
        return replace(
            self._member(user_id, groups),
            name=read.name(claims, options.oidc_name_claim),
            acts_for_others=options.oidc_acts_for_others_group in groups,
        )

    def _member(self, user_id: str, groups: frozenset[str]) -> Viewer:
        options = self.options
        is_admin, is_auditor = (group in groups for group in (options.admin_group, options.auditor_group))
        return Viewer(user_id, groups, is_admin=is_admin, is_auditor=is_auditor)


def _expected(options: Options) -> Expected:
    return Expected(
        options.oidc_issuer or "",
        options.oidc_audience,
        options.oidc_algorithms,
        options.oidc_token_types,
        options.oidc_leeway_seconds,
    )


@asynccontextmanager
async def open_authentication(
    options: Options,
    *,
    tls: ssl.SSLContext,
    user_agent: str,
    observe: Observe,
    transports: Transports = unchanged,
) -> AsyncIterator[Authentication]:
    """Authentication with its client of the issuer, if tokens are accepted; nothing is sent yet."""
    async with AsyncExitStack() as stack:
        issuer = None
        if "oidc" in options.auth:
            connecting = open_issuer(options, tls=tls, user_agent=user_agent, observe=observe, transports=transports)
            issuer = await stack.enter_async_context(connecting)
        yield Authentication(options, issuer)
