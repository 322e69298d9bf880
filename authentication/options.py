"""What operators decide about authentication, as one record."""

import msgspec

from authentication.gateway import GatewayKey


class Options(msgspec.Struct, frozen=True):
    """The accepted kinds of credentials and what each needs; times are in seconds.

    `auth`: `oidc`, `gateway`, both, or `headers` alone. Members of `admin_group` and `auditor_group` are marked as such
    on the viewer. A field that begins with a kind's name counts for this kind alone.
    """

    auth: frozenset[str]
    admin_group: str
    auditor_group: str
    auth_default_user: str | None = None
    auth_default_groups: frozenset[str] = frozenset()
    gateway_keys: tuple[GatewayKey, ...] = ()
    gateway_groups_needed: bool = True
    oidc_issuer: str | None = None
    oidc_audience: frozenset[str] = frozenset()
    oidc_jwks_url: str | None = None
    oidc_user_claim: str = "email"
    oidc_name_claim: str = "name"
    oidc_groups_claim: frozenset[str] = frozenset({"groups"})
    oidc_acts_for_others_group: str | None = None
    oidc_algorithms: frozenset[str] = frozenset({"RS256", "PS256", "ES256"})
    oidc_token_types: frozenset[str] = frozenset({"jwt", "at+jwt"})
    oidc_leeway_seconds: int = 30
    oidc_keys_seconds: int = 600
    oidc_refetch_seconds: float = 30
    oidc_timeout: float = 5
