"""Fields that cross to another system: `hop`, each written once, for a whole list of objects. Used by the types.

The executor beside this asks for a list at once; graphql-core's own asks for one object at a time, and the loaders
put those together. Both run the same function.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

import strawberry
from strawberry.types import Info

from columnar.batch_loader import Loader

Key = TypeVar("Key")
Value = TypeVar("Value")

COLUMN = "column"  # in a field's metadata

Column = Callable[[Sequence[Any], Info[Any, Any]], Awaitable[Sequence[Any]]]
"""Objects and the request → what each of them has, in their order. Of the info only what all rows share is right."""


def batched_field(column: Column, *, description: str, metadata: Mapping[str, object]) -> Any:
    """A field without arguments, of the type it is annotated with in its class."""

    async def one(root: Any, info: Info[Any, Any]) -> Any:
        return (await column([root], info))[0]

    del one.__annotations__["return"]  # strawberry then takes the class's
    return strawberry.field(resolver=one, description=description, metadata={**metadata, COLUMN: column})


async def found_of(loader: Loader[Key, Value], keys: Sequence[Key | None]) -> list[Value | None]:
    """What a loader finds of the keys, in their order; None for None, which is not asked for."""
    found = iter(await loader.load_many(key for key in keys if key is not None))
    return [None if key is None else next(found) for key in keys]
