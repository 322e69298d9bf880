"""Shapes that are kept with a document serve its later requests, and only those that they are right for."""

import asyncio
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from graphql import DocumentNode, parse
from hypothesis import given, settings
from strawberry.extensions import SchemaExtension

from api.schema import Schema
from columnar.executor import ColumnarExecutor
from columnar.shape_cache import MOST, ShapeCache
from tests.columnar.synthetic import CONFIG, STOCK, Query, World, queries, worlds
from tests.columnar.test_equal import UNHURRIED, difference, nothing_left_for_others, pytestmark, told

__all__ = ["nothing_left_for_others", "pytestmark"]  # what graphql-core leaves behind is no concern here either

kept_document = lru_cache(parse)


class Same(SchemaExtension):
    """The same document for the same text, as with the schema of the service."""

    def on_parse(self) -> Iterator[None]:
        """Found or parsed."""
        assert self.execution_context.query is not None
        document: DocumentNode = kept_document(self.execution_context.query)
        self.execution_context.graphql_document = document
        yield


class Counting(ColumnarExecutor):
    """Notes how many shapes were made."""

    made = 0

    def _compiled(self, *parts: Any) -> Any:
        Counting.made += 1
        return super()._compiled(*parts)


@dataclass
class Keeping(World):
    """A world with the shapes of a document."""

    shapes: ShapeCache = field(default_factory=ShapeCache)


KEPT = Schema(query=Query, config=CONFIG, extensions=[Same], execution_context_class=Counting)
UNDER = """
fragment Under on Node {
  __typename @include(if: $yes)
  text @skip(if: $yes)
  more(most: $most) { key @include(if: $yes) number }
}
"""


def with_variables_in_a_list(query: str) -> str:
    return query.replace("used: first", "again: nodes { ...Under } used: first") + UNDER


@UNHURRIED
@given(queries(), worlds())
def test_what_is_kept_is_right_whatever_the_variables(drawn: str, world: World) -> None:
    logging.getLogger("strawberry.execution").disabled = True
    query = with_variables_in_a_list(drawn)
    keeping = Keeping(world.nodes, world.failing, world.slow)
    for yes, most in [(True, 2), (False, 2), (True, 1), (False, 1), (True, 2)]:
        variables = {"yes": yes, "most": most}
        assert difference(told(KEPT, query, keeping, variables), told(STOCK, query, world, variables)) == ""


def made(query: str, world: Keeping, *several: dict[str, object]) -> list[int]:
    """How many shapes each of several requests had made."""
    counted = []
    for variables in several:
        Counting.made = 0
        result = asyncio.run(KEPT.execute(query, variable_values=variables, context_value=world))
        assert result.errors is None
        counted.append(Counting.made)
    return counted


@settings(UNHURRIED, max_examples=5)
@given(worlds(right=True))
def test_a_shape_is_made_once_for_the_variables_it_depends_on(world: World) -> None:
    keeping = Keeping(world.nodes)
    query = "query Q($yes: Boolean!, $other: Int!) { nodes { ...P } first { more(most: $other) { key } } } "
    query += "fragment P on Node { key @include(if: $yes) }"
    yes: dict[str, object] = {"yes": True, "other": 1}
    no: dict[str, object] = {"yes": False, "other": 1}
    # of the two lists, the first depends on one variable; the arguments of the second's own field count as well
    assert made(query, keeping, yes, yes, no, yes, {**no, "other": 2}) == [2, 0, 1, 0, 1]


@settings(UNHURRIED, max_examples=5)
@given(worlds(right=True))
def test_shapes_that_are_kept_are_few(world: World) -> None:
    keeping = Keeping(world.nodes)
    query = "query Q($most: Int!) { first { more(most: $most) { key } } }"
    several: list[dict[str, object]] = [{"most": 1 + most % (MOST + 1)} for most in range(MOST + 2)]
    assert made(query, keeping, *several) == [1] * (MOST + 2)
    assert made(query, keeping, several[-1]) == [0]


@settings(UNHURRIED, max_examples=5)
@given(worlds(right=True))
def test_a_list_selected_once_more_has_another_shape(world: World) -> None:
    """By a variable that nothing below the first selection names."""
    keeping = Keeping(world.nodes)
    query = "query Q($yes: Boolean!) { nodes { key } ... @include(if: $yes) { nodes { number } } }"
    for yes in (False, True, False):
        variables = {"yes": yes}
        assert difference(told(KEPT, query, keeping, variables), told(STOCK, query, world, variables)) == ""
