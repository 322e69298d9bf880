"""The credentials and the user in a request's headers, parsed and not yet verified. Pure.

A repeated header is refused, since a proxy may have read the other one.
"""

from dataclasses import dataclass

from starlette.datastructures import Headers

from authentication.identity import USABLE, is_placeholder, usable_id
from authentication.unauthenticated import Unauthenticated

LONGEST_GROUPS = 16_384  # characters, as many as a token with groups may have


@dataclass(frozen=True)
class Credentials:
    """The credentials of a request: a bearer token or key, or an API key, or neither."""

    bearer: str | None = None
    api_key: str | None = None

    def __repr__(self) -> str:
        """A text without them, since it may appear in a traceback."""
        return "Credentials(…)"


def credentials(headers: Headers, *, api_key: bool) -> Credentials:
    """The credentials of a request. `api_key`: X-API-Key is accepted. Raises Unauthenticated if they are ambiguous."""
    authorization = single(headers, "authorization")
    key = single(headers, "x-api-key") if api_key else None
    if authorization and key:
        raise Unauthenticated("Send Authorization or X-API-Key, not both.", reason="two credentials")
    if not authorization:
        return Credentials(api_key=key)
    scheme, _, bearer = authorization.partition(" ")
    if scheme.lower() != "bearer" or not bearer.strip():
        raise Unauthenticated("Authorization must be Bearer, a blank and the token.", reason="no bearer token")
    return Credentials(bearer=bearer.strip())


def person(headers: Headers, *, groups_needed: bool) -> tuple[str | None, frozenset[str]]:
    """The user: `X-User-Id`, if sent, and the comma-separated `X-User-Groups`. Raises Unauthenticated for odd ones.

    `groups_needed`: absent groups are an error of the sender, since a client could add them; an empty header means
    that the person has none.
    """
    given = single(headers, "x-user-id")
    user_id = usable_id(given) if given else None
    if given and not user_id:
        raise Unauthenticated(f"X-User-Id must be {USABLE}.", reason="X-User-Id is no id")
    if user_id and groups_needed and "x-user-groups" not in headers:
        message = "This request does not name the user's groups; set the header X-User-Groups, empty for none."
        raise Unauthenticated(message, reason="no X-User-Groups")
    listed = single(headers, "x-user-groups") or ""
    if len(listed) > LONGEST_GROUPS:
        raise Unauthenticated(f"X-User-Groups may have {LONGEST_GROUPS} characters.", reason="X-User-Groups too long")
    groups = frozenset(group for part in listed.split(",") if (group := part.strip()))
    if any(is_placeholder(group) for group in groups):
        message = "X-User-Groups must be names separated by commas, not a placeholder."
        raise Unauthenticated(message, reason="X-User-Groups is a placeholder")
    return user_id, groups


def single(headers: Headers, name: str) -> str | None:
    """A header's text without surrounding blanks; None if it is absent or empty. Raises Unauthenticated if repeated."""
    values = headers.getlist(name)
    if len(values) > 1:
        raise Unauthenticated(f"The header {name} must be sent once.", reason=f"several {name}")
    return _text(values[0]).strip() or None if values else None


def _text(value: str) -> str:
    """A header's bytes as UTF-8 where they are, so that a name equals the same name in a token."""
    try:
        return value.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return value
