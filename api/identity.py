"""Who asks: a request's headers → Viewer. Called once a request by `transport`; asked by coordination and schema.

`AUTH=headers` is for development: it believes `X-User-Id` and `X-User-Groups` as they come.
"""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

from api.errors import Unauthenticated


@dataclass(frozen=True)
class Viewer:
    """The person a request acts for. `acts_for_others`: may name somebody else in an input's `userId`."""

    id: str
    groups: frozenset[str] = frozenset()
    is_admin: bool = False
    acts_for_others: bool = False


def same_person(one: str | None, other: str | None) -> bool:
    """Whether two ids name one person: spelling, case and surrounding blanks do not make another one."""
    return one is not None and other is not None and canonical(one) == canonical(other)


def canonical(user_id: str) -> str:
    """The form in which ids are compared, never the form in which they are stored."""
    return unicodedata.normalize("NFKC", user_id).strip().casefold()


def viewer_from_headers(
    headers: Mapping[str, str], *, admin_group: str, default_user: str | None, default_groups: frozenset[str]
) -> Viewer:
    """The viewer named by `X-User-Id` and the comma-separated `X-User-Groups`.

    Raises Unauthenticated when no id is given and no default identity is set.
    """
    user_id = headers.get("x-user-id", "").strip()
    if not user_id and default_user:
        return named(default_user, default_groups, admin_group=admin_group)
    if not user_id:
        raise Unauthenticated("This request does not say who asks: set the header X-User-Id.")
    if len(user_id) > 255 or not user_id.isprintable():
        raise Unauthenticated("X-User-Id must be at most 255 printable characters.")
    groups = (group.strip() for group in headers.get("x-user-groups", "").split(","))
    return named(user_id, frozenset(group for group in groups if group), admin_group=admin_group)


def named(user_id: str, groups: frozenset[str], *, admin_group: str) -> Viewer:
    """A viewer of these groups; members of the admin group may act for others."""
    is_admin = admin_group in groups
    return Viewer(user_id, groups, is_admin=is_admin, acts_for_others=is_admin)
