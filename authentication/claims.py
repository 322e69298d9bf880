"""The claims of a verified token, read by the options that name them. Pure."""

from collections.abc import Collection, Mapping
from typing import Any

from authentication.identity import same_person, usable_id
from authentication.tokens import refuse

EMAIL, VERIFIED = "email", "email_verified"


def user_id(claims: Mapping[str, Any], path: str) -> str:
    """The id in this claim. Raises Unauthenticated without one, and for an unverified email address."""
    given = claim(claims, path)
    found = usable_id(given) if isinstance(given, str) else None
    if found is None:
        refuse(f"no usable id in the claim {path}")
    is_address = path == EMAIL or "@" in found or same_person(found, _text(claims.get(EMAIL)))
    if is_address and any(is_denied(claims, name) for name in (VERIFIED, f"{path}_verified")):
        refuse("email_verified is not true")
    return found


def is_denied(claims: Mapping[str, Any], path: str) -> bool:
    """Whether this claim exists and is anything else than true."""
    missing = object()
    given = claim(claims, path, missing)
    return given is not missing and given is not True and given != "true"


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def name(claims: Mapping[str, Any], path: str) -> str | None:
    """The name in this claim, if there is one."""
    given = claim(claims, path)
    return usable_id(given) if isinstance(given, str) else None


def groups(claims: Mapping[str, Any], paths: Collection[str]) -> frozenset[str]:
    """The groups of all these claims, each a list of names or one name. Raises Unauthenticated for anything else."""
    found: set[str] = set()
    for path in paths:
        given = claim(claims, path)
        names = [given] if isinstance(given, str) else [] if given is None else given
        if not isinstance(names, list) or not all(isinstance(each, str) for each in names):
            refuse(f"the claim {path} is no list of names")
        found.update(each.strip() for each in names if each.strip())
    return frozenset(found)


def claim(claims: Mapping[str, Any], path: str, missing: object = None) -> object:
    """A claim by its whole name, dots included (`https://example.com/roles`), or by a path (`realm_access.roles`)."""
    if path in claims:
        return claims[path]
    found: object = claims
    for part in path.split("."):
        found = found.get(part, missing) if isinstance(found, Mapping) else missing
    return found
