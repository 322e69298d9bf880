"""The type Person: an id, and for the viewer name and groups."""

import strawberry

from authentication.identity import Viewer


@strawberry.type(description="A person. The three systems have ids of people only.")
class Person:
    """An id; name and groups are known of the viewer only."""

    id: strawberry.ID = strawberry.field(description="The id, as the identity provider or Retool gives it.")
    name: str | None = strawberry.field(
        default=None, description="The viewer's name, where a token has it; null for everybody else."
    )
    groups: list[str] | None = strawberry.field(
        default=None, description="The viewer's groups; null for everybody else."
    )


def person(user_id: str | None) -> Person | None:
    """The person of an id from an upstream; None for none and for a blank one."""
    return Person(id=strawberry.ID(user_id)) if user_id and user_id.strip() else None


def viewer_as_person(viewer: Viewer) -> Person:
    """The viewer, with groups."""
    return Person(id=strawberry.ID(viewer.id), name=viewer.name, groups=sorted(viewer.groups))
