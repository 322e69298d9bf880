"""The custom scalars: JSON that passes through unchanged, and instants with an offset."""

from datetime import UTC, datetime
from typing import NewType

import msgspec
import orjson
import strawberry

from graphql_server.documents.answer_size import add_bytes

Json = NewType("Json", object)
"""A JSON document as text or bytes, or a plain Python value."""


def _pass_through(value: object) -> object:
    """JSON text goes into the answer unchanged, so that 1500.00 stays 1500.00."""
    if isinstance(value, msgspec.Raw):
        value = bytes(value)
    if isinstance(value, str | bytes):
        return orjson.Fragment(value) if add_bytes(len(value)) else None
    return value


def _in_utc(value: datetime) -> str:
    moment = value if value.tzinfo is UTC else value.astimezone(UTC)
    return moment.isoformat()[: -len("+00:00")] + "Z"


def _with_offset(value: str) -> datetime:
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        raise ValueError("an instant needs an offset, such as 2027-01-01T00:00:00Z")
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("an instant must lie in the years 1 to 9999, in UTC") from error


SCALARS: dict[object, strawberry.types.scalar.ScalarDefinition] = {
    Json: strawberry.scalar(
        name="JSON", description="A JSON value whose shape another system owns.", serialize=_pass_through
    ),
    datetime: strawberry.scalar(
        name="DateTime",
        description="An ISO 8601 instant with an offset; answers are in UTC.",
        serialize=_in_utc,
        parse_value=_with_offset,
    ),
}
