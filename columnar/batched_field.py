"""`batched_field`: a field whose resolver takes a whole list of objects and returns a value for each.

The columnar executor calls it once for a list; graphql-core's own executor calls it with lists of one object, and
loaders batch what these ask for. Both run the same function.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

import strawberry
from strawberry.types import Info

from columnar.batch_loader import Loader

Key = TypeVar("Key")
Value = TypeVar("Value")

BATCH_RESOLVER = "batch_resolver"  # key of the function in a field's metadata

BatchResolver = Callable[[Sequence[Any], Info[Any, Any]], Awaitable[Sequence[Any]]]
"""All objects and the info → one value for each object, in the same order. The info's path is the first object's."""


def batched_field(
    resolver: BatchResolver, *, description: str | None = None, metadata: Mapping[str, object] | None = None
) -> Any:
    """A field without arguments, of the type it is annotated with in its class."""

    async def one(root: Any, info: Info[Any, Any]) -> Any:
        return (await resolver([root], info))[0]

    del one.__annotations__["return"]  # strawberry then takes the class's
    return strawberry.field(
        resolver=one, description=description, metadata={**(metadata or {}), BATCH_RESOLVER: resolver}
    )


async def found_of(loader: Loader[Key, Value], keys: Sequence[Key | None]) -> list[Value | None]:
    """What a loader finds for the keys, in their order; None for a key that is None, which is not asked for."""
    found = iter(await loader.load_many(key for key in keys if key is not None))
    return [None if key is None else next(found) for key in keys]
