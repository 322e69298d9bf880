"""A person, as far as this service knows people: by their id."""

import strawberry

from api.identity import Viewer
from api.upstreams.camunda.records import Scalar, text


@strawberry.type(description="A person. The three systems know people by their ids alone.")
class Person:
    """An id; name and groups are known of the viewer only."""

    id: strawberry.ID = strawberry.field(description="The id, as the identity provider or Retool gives it.")
    name: str | None = strawberry.field(
        default=None, description="The name, for the viewer, where a token tells it; null for everybody else."
    )
    groups: list[str] | None = strawberry.field(
        default=None, description="The groups, for the viewer; null for everybody else."
    )


def person(user_id: Scalar) -> Person | None:
    """The person of an id an upstream names, if it names one: nothing and blanks name nobody."""
    named = text(user_id)
    return Person(id=strawberry.ID(named)) if named and named.strip() else None


def viewer_as_person(viewer: Viewer) -> Person:
    """The viewer, with groups."""
    return Person(id=strawberry.ID(viewer.id), name=viewer.name, groups=sorted(viewer.groups))
