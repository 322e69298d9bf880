"""Whatever is in the world and whatever is asked, both executors answer the same, down to the order of errors."""

import asyncio
import gc
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from api.schema import Schema
from tests.columnar.synthetic import COMPILED, LINKS, ODD, RIGHT, STOCK, Node, World, mutations, queries, worlds

AROUND = 200  # characters
# graphql-core leaves coroutines behind that it has begun for an object which then turns out null.
pytestmark = [
    pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(autouse=True)
def nothing_left_for_others() -> Iterator[None]:
    """What is left behind is told here, not in the next test."""
    yield
    gc.collect()


UNHURRIED = settings(
    max_examples=150, derandomize=True, phases=[Phase.generate], deadline=None, suppress_health_check=list(HealthCheck)
)


def told(schema: Schema, query: str, world: World, variables: dict[str, Any]) -> tuple[bytes, list[object]]:
    """The data as it goes out, and the errors.

    Of several that make one parent null, a single one need be told (GraphQL, section "Handling Execution Errors"), and
    which ones graphql-core comes to tell depends on who is first. So of these only where the null is counts.
    """
    result = asyncio.run(schema.execute(query, variable_values=variables, context_value=world))
    assume(not any(error.path is None for error in result.errors or ()))  # aliases that are drawn can be in conflict
    data = as_sent(result.data)
    exact: list[object] = []
    for error in result.errors or []:
        position = null_position(result.data, error.path or [])
        if len(position) == len(error.path or []):
            exact.append(as_sent(error.formatted) + repr(error.original_error).encode())
        elif position not in exact:
            exact.append(position)
    return data, exact


def as_sent(data: Any) -> bytes:
    """Whole numbers beyond 64 bits can not be sent; they are compared all the same."""
    try:
        return orjson.dumps(data, default=repr)
    except TypeError:
        return json.dumps(data, default=lambda other: type(other).__name__).encode()


def null_position(data: Any, path: list[str | int]) -> list[str | int]:
    """How far down a path there is something; its end, if the field itself is null."""
    for depth, step in enumerate(path):
        if data is None:
            return path[:depth]
        data = data[step]
    return path


def difference(compiled: object, stock: object) -> str:
    """Where the two begin to differ; empty when they do not."""
    mine, theirs = repr(compiled), repr(stock)
    if mine == theirs:
        return ""
    differing = (at for at, (one, other) in enumerate(zip(mine, theirs, strict=False)) if one != other)
    at = next(differing, min(len(mine), len(theirs)))
    around = slice(max(0, at - AROUND), at + AROUND)
    return f"compiled: {mine[around]}\n\nstock: {theirs[around]}"


@UNHURRIED
@given(queries(), worlds(), st.booleans())
def test_both_executors_answer_alike(query: str, world: World, yes: bool) -> None:  # noqa: FBT001  # a drawn value
    logging.getLogger("strawberry.execution").disabled = True
    variables = {"yes": yes, "most": 2}
    assert difference(told(COMPILED, query, world, variables), told(STOCK, query, world, variables)) == ""


@settings(UNHURRIED, max_examples=2)
@given(worlds(right=True))
@pytest.mark.parametrize(
    ("name", "below"),
    [*((name, "") for name in (*RIGHT, "number")), *product(LINKS, ("{ text }", "{ __typename }", "{ later }"))],
)
def test_every_odd_value_is_answered_alike(name: str, below: str, world: World) -> None:
    """In the middle of a list of right ones."""
    logging.getLogger("strawberry.execution").disabled = True
    query = f"{{ nodes {{ key {name} {below} }} }}"
    right = getattr(world.nodes[1], name)
    for odd in ODD:
        object.__setattr__(world.nodes[1], name, odd)
        compiled, stock = told(COMPILED, query, world, {}), told(STOCK, query, world, {})
        assert (odd, difference(compiled, stock)) == (odd, "")
    object.__setattr__(world.nodes[1], name, right)


@settings(UNHURRIED, max_examples=5)
@given(worlds(right=True))
def test_a_resolver_sees_all_that_is_selected_on_its_field(world: World) -> None:
    query = """
    { nodes { bySelection { key } ...More bySelection { number } ... { bySelection { text maybe share } } } }
    fragment More on Node { bySelection { sure } }
    """
    assert difference(told(COMPILED, query, world, {}), told(STOCK, query, world, {})) == ""


@settings(UNHURRIED, max_examples=5)
@given(worlds(right=True))
def test_a_field_has_its_own_way_to_its_value(world: World) -> None:
    answer = told(COMPILED, "{ nodes { louder } }", world, {})
    assert difference(answer, told(STOCK, "{ nodes { louder } }", world, {})) == ""
    assert "!" in repr(answer)


@UNHURRIED
@given(mutations(), worlds())
def test_a_mutation_is_answered_alike(query: str, world: World) -> None:
    assert difference(told(COMPILED, query, world, {}), told(STOCK, query, world, {})) == ""


@dataclass
class Counted(World):
    """Notes which resolvers were called, of which node."""

    calls: list[tuple[str, int]] = field(default_factory=list)

    def fail(self, name: str, node: Node) -> None:
        """One call."""
        self.calls.append((name, node.number))
        super().fail(name, node)


@settings(UNHURRIED, max_examples=5)
@given(worlds(right=True))
def test_below_a_mutation_nothing_is_called_twice(world: World) -> None:
    logging.getLogger("strawberry.execution").disabled = True
    query = "mutation { write { key late far { key brittle } } }"
    called = []
    for schema in (COMPILED, STOCK):
        counted = Counted(world.nodes, frozenset({("late", 1), ("brittle", 2)}))
        asyncio.run(schema.execute(query, context_value=counted))
        called.append(sorted(counted.calls))
    assert called[0] == called[1]
