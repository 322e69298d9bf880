"""`python -m tests.bench.lists`: lists executed by columns and by graphql-core, as CPU of one execution.

Two kinds of lists, of objects with eight attributes, or with a batched field and a plain resolver as well; the best of
several runs in milliseconds, as the table of columnar/README.md.
"""

import asyncio
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import strawberry
from strawberry.types import Info

from columnar.batch_loader import Loader
from columnar.batched_field import batched_field, found_of
from columnar.executor import ColumnarExecutor

RUNS = 30
ATTRIBUTES = "key name text number share flag since other"
QUERIES = {
    "attributes": ATTRIBUTES,
    "attributes, a batched field, a resolver": f"{ATTRIBUTES} friend {{ name }} length",
}


@strawberry.type
class Friend:
    """What the batched field leads to."""

    name: str


async def _friends_by_key(keys: Sequence[int]) -> Mapping[int, Friend]:
    return {key: Friend(name=str(key)) for key in keys}


@dataclass
class Context:
    """One request: how long the list is, and the loader."""

    length: int
    friends: Loader[int, Friend] = field(default_factory=lambda: Loader(_friends_by_key, largest=1000))


async def _friends(things: "Sequence[Thing]", info: Info[Context, None]) -> list[Friend | None]:
    return await found_of(info.context.friends, [thing.number for thing in things])


@strawberry.type
class Thing:
    """An object of the list."""

    key: strawberry.ID
    name: str
    text: str | None
    number: int
    share: float
    flag: bool
    since: datetime
    other: str
    friend: Friend | None = batched_field(_friends)

    @strawberry.field
    def length(self) -> int:
        """A resolver that does nothing to speak of."""
        return len(self.name)


@strawberry.type
class Query:
    """One list, as long as the context says."""

    @strawberry.field
    def things(self, info: Info[Context, None]) -> list[Thing]:
        """Objects that differ in their numbers."""
        return [
            Thing(
                key=strawberry.ID(str(number)),
                name=f"thing {number}",
                text=None,
                number=number,
                share=number / 7,
                flag=True,
                since=datetime(2026, 1, 1, tzinfo=UTC),
                other="other",
            )
            for number in range(info.context.length)
        ]


BY_COLUMNS = strawberry.Schema(query=Query, execution_context_class=ColumnarExecutor)
STOCK = strawberry.Schema(query=Query)


async def _fastest(schema: strawberry.Schema, query: str, length: int) -> float:
    taken = []
    for _ in range(RUNS):
        began = time.process_time()
        result = await schema.execute(query, context_value=Context(length))
        taken.append(time.process_time() - began)
        assert result.errors is None
    return min(taken) * 1000


async def main() -> None:
    """Print the table."""
    sys.stdout.write("| list of objects with | objects | columns | graphql-core | ratio |\n|---|---|---|---|---|\n")
    for name, selected in QUERIES.items():
        for length in (1, 10, 50, 1000):
            query = f"{{ things {{ {selected} }} }}"
            by_columns, stock = await _fastest(BY_COLUMNS, query, length), await _fastest(STOCK, query, length)
            sys.stdout.write(f"| {name} | {length:,} | {by_columns:.2f} | {stock:.2f} | {stock / by_columns:.1f} |\n")


if __name__ == "__main__":
    asyncio.run(main())
