"""The walk over a document: each fragment once, those that are missing or spread themselves, variables, types."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from graphql import (
    FieldNode,
    GraphQLNamedType,
    OperationDefinitionNode,
    SelectionNode,
    build_schema,
    get_operation_ast,
    parse,
)

from columnar.document_walk import TypedWalk, Variables, Walk, fragments_of, innermost_first
from graphql_server.documents.document_size import DocumentSize, document_size

SCHEMA = build_schema("""
    type Query { plan: Plan, any: Any }
    union Any = Plan | Person
    type Plan { name: String, author: Person, others: [Plan!]! }
    type Person { id: ID }
""")


def operation_of(query: str) -> OperationDefinitionNode:
    operation = get_operation_ast(parse(query))
    assert operation is not None
    return operation


class Fields(Walk[None, int]):
    """The number of fields, with a note of how often one was computed."""

    computed = 0

    def total(self, values: Sequence[int]) -> int:
        return sum(values)

    def below(self, _node: FieldNode, _place: None) -> Sequence[None]:
        return (None,)

    def field(self, _node: FieldNode, _place: None, inside: int) -> int:
        self.computed += 1
        return 1 + inside


def fields(query: str) -> tuple[int, int]:
    """The number of fields with fragments put in, and how many were computed."""
    document = parse(query)
    walk = Fields(fragments_of(document))
    return walk.value(operation_of(query).selection_set, None), walk.computed


@pytest.mark.parametrize(
    ("query", "expected", "computed"),
    [
        ("{ a b { c } }", 3, 3),
        ("{ ...A ...A ...A } fragment A on T { a ... { b } }", 6, 2),
        ("{ ...A ...B } fragment A on T { a ...B } fragment B on T { b { c } }", 5, 3),
        ("{ a ...Missing }", 1, 1),
        ("{ a ...A } fragment A on T { b ...A }", 2, 2),
        ("{ ...A } fragment A on T { a ...B } fragment B on T { b ...A }", 2, 2),
    ],
)
def test_each_fragment_is_computed_once(query: str, expected: int, computed: int) -> None:
    assert fields(query) == (expected, computed)


def test_fragments_that_multiply_are_computed_once_each_in_chains_longer_than_the_stack() -> None:
    length = 3_000
    chain = " ".join(f"fragment F{n} on T {{ ...F{n + 1} ...F{n + 1} a }}" for n in range(length))
    expected, computed = fields(f"{{ ...F0 }} {chain} fragment F{length} on T {{ a }}")
    assert (expected, computed) == (2 ** (length + 1) - 1, length + 1)


def test_a_circle_of_fragments_longer_than_the_stack_has_a_size() -> None:
    length = 3_000
    circle = " ".join(f"fragment F{n} on T {{ a ...F{(n + 1) % length} }}" for n in range(length))
    assert document_size(parse(f"{{ ...F0 }} {circle}")).depth == 1


def test_fragments_come_after_those_they_spread() -> None:
    query = (
        "{ ...A } fragment A on T { ...C ...B } fragment B on T { ...C } fragment C on T { a } fragment D on T { a }"
    )
    fragments = fragments_of(parse(query))
    root = operation_of(query).selection_set
    assert innermost_first(root, fragments) == ["C", "B", "A"]
    assert innermost_first(root, fragments, {"B", "C"}) == ["A"]


def test_the_size_of_a_document_is_that_of_its_largest_part_measure_by_measure() -> None:
    document = parse(
        """query A($x: Int @d) @d { a: b { ...F @d } c } query B { b { c { d } } __schema { types { name } } }
        fragment F on T @d { x: y z }"""
    )
    assert document_size(document) == DocumentSize(
        depth=3, introspection=3, selections=6, aliases=2, directives=4, root_fields=2, reads_schema=True
    )


class Names(TypedWalk[tuple[str, ...]]):
    """Names of the fields with their types, without those that are left out."""

    variables: Variables

    def is_excluded(self, node: SelectionNode) -> bool:
        return self.variables.exclude(node)

    def total(self, values: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
        return sum(values, ())

    def field(self, node: FieldNode, place: GraphQLNamedType | None, inside: tuple[str, ...]) -> tuple[str, ...]:
        assert place is not None
        return (f"{place.name}.{node.name.value}", *inside)


@pytest.mark.parametrize(
    ("query", "given", "expected"),
    [
        ("{ plan { author { id } others { name } } }", {}, "plan Plan.author Person.id Plan.others Plan.name"),
        ("{ any { __typename ... on Person { id } } }", {}, "any Any.__typename Person.id"),
        ("{ plan { ...P } } fragment P on Plan { name }", {}, "plan Plan.name"),
        ("{ plan @skip(if: true) { name } any @include(if: false) { __typename } }", {}, ""),
        ("query ($y: Boolean!) { plan @include(if: $y) { name } }", {"y": False}, ""),
        ("query ($y: Boolean!) { plan @include(if: $y) { name } }", {"y": True}, "plan Plan.name"),
        ("query ($y: Boolean = true) { plan { ...P @skip(if: $y) } } fragment P on Plan { name }", {}, "plan"),
        ("query ($y: Boolean = true) { plan @skip(if: $y) { name } }", {"y": None}, "plan Plan.name"),
    ],
)
def test_types_and_variables(query: str, given: Mapping[str, Any], expected: str) -> None:
    operation = operation_of(query)
    walk = Names(SCHEMA, fragments_of(parse(query)))
    walk.variables = Variables(operation, given)
    assert " ".join(walk.operation(operation)).replace("Query.", "") == expected
    assert walk.variables.were_read is ("$y" in query)
