"""The cost of an operation: the most values its answer can hold, known before anything is executed.

A value is 1, a whole JSON document 10; a list of objects is what its fields come to, times the longest it can be.
@skip and @include do not count: the bound holds whatever they say.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from graphql import (
    FieldNode,
    GraphQLArgument,
    GraphQLDirective,
    GraphQLField,
    GraphQLInputField,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    ObjectValueNode,
    OperationDefinitionNode,
    get_named_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_wrapping_type,
)

from columnar.document_walk import Fragments, TypedWalk, Variables, Walk, field_of
from graphql_server.documents.document_size import INTROSPECTION

JSON_COST = 10
JSON_TYPES = ("JSON", "_Any")
UNKNOWN_LENGTH = 200
MOST_ADVICE = 3  # limits that a refusal names
MOST_TRIED = 10  # each is a walk of its own


class CostRules(NamedTuple):
    """What the cost depends on beside the types of a schema.

    `largest_page`: the most that a list with a `limit` can have. `lengths`: the longest that lists without one are
    taken to be, by `Type.field`, or by `field` for any type.
    """

    largest_page: int
    lengths: Mapping[str, int] = MappingProxyType({})

    def length_of(self, parent: str, field: str) -> int:
        """The longest that a list without a `limit` can be."""
        return self.lengths.get(f"{parent}.{field}", self.lengths.get(field, UNKNOWN_LENGTH))


class Cost(NamedTuple):
    """The cost of a selection set: a number, and so much more for each item of the page it stands in."""

    fixed: int = 0
    per_item: int = 0


FREE = Cost()


def answer_cost(
    schema: GraphQLSchema,
    rules: CostRules,
    operation: OperationDefinitionNode,
    fragments: Fragments,
    variables: Variables,
) -> int:
    """The cost of a whole answer to a valid operation."""
    return _CostWalk(schema, rules, fragments, variables).operation(operation).fixed


class Limited(NamedTuple):
    """A field with a `limit`, and the largest limit with which the whole operation would be allowed."""

    name: str
    limit: int


def fitting_limits(
    schema: GraphQLSchema,
    rules: CostRules,
    operation: OperationDefinitionNode,
    fragments: Fragments,
    variables: Variables,
    *,
    most: int,
) -> list[Limited]:
    """For each field with a `limit` what it could be lowered to, so that the operation costs at most `most`.

    Only fields for which lowering this one limit is enough, outermost first, at most MOST_ADVICE of them.
    """
    walk = _CostWalk(schema, rules, fragments, variables)
    whole = walk.operation(operation).fixed
    found = []
    for node, limit in walk.limited[: -MOST_TRIED - 1 : -1]:  # a walk ends with the outermost
        # The cost is linear in each limit: what the field adds to the rest is shared evenly by its items.
        rest = _CostWalk(schema, rules, fragments, variables, lowered={id(node): 0}).operation(operation).fixed
        if rest < most and (fits := (most - rest) * limit // (whole - rest)):
            found.append(Limited((node.alias or node.name).value, fits))
    return found[:MOST_ADVICE]


class _CostWalk(TypedWalk[Cost]):
    def __init__(
        self,
        schema: GraphQLSchema,
        rules: CostRules,
        fragments: Fragments,
        variables: Variables,
        lowered: Mapping[int, int] | None = None,
    ) -> None:
        super().__init__(schema, fragments)
        self._rules = rules
        self._variables = variables
        self._introspection = _IntrospectionWalk(fragments)
        self._lowered = lowered or {}
        self.limited: list[tuple[FieldNode, int]] = []

    def total(self, values: Sequence[Cost]) -> Cost:
        """All of them."""
        return Cost(sum(each.fixed for each in values), sum(each.per_item for each in values)) if values else FREE

    def field(self, node: FieldNode, place: GraphQLNamedType | None, inside: Cost) -> Cost:
        """One value; a list as many as it can hold, counted here or, of a page's items, where the page was selected."""
        if node.name.value in INTROSPECTION:
            return Cost(1 + self._introspected(node))
        field = field_of(place, node)
        if field is None or place is None or node.selection_set is None:
            return Cost(JSON_COST if field and get_named_type(field.type).name in JSON_TYPES else 1)
        limit = self._limit(node, field)
        if is_page_of_items(place, node.name.value) or is_results(node.name.value):
            return Cost(1, inside.fixed)
        if is_list(field):
            length = limit if limit is not None else self._length(node, place)
            return Cost(1 + length * inside.fixed)
        length = self._inputs(node) if limit is None else limit
        return Cost(1 + inside.fixed + length * inside.per_item)

    def _limit(self, node: FieldNode, field: GraphQLField) -> int | None:
        """The `limit` of a field that has one. A wrong one is refused by its resolver, whatever is counted here."""
        if "limit" not in field.args:
            return None
        if id(node) in self._lowered:
            return self._lowered[id(node)]
        given = next((each.value for each in node.arguments or () if each.name.value == "limit"), None)
        value = field.args["limit"].default_value if given is None else self._variables.value(given)
        limit = self._rules.largest_page
        if isinstance(value, int | float) and math.isfinite(value):
            limit = min(max(int(value), 0), limit)
        self.limited.append((node, limit))
        return limit

    def _length(self, node: FieldNode, parent: GraphQLNamedType) -> int:
        """A list of entities is as long as the list of their keys; of others the longest is known."""
        keys = next((each.value for each in node.arguments or () if each.name.value == "representations"), None)
        if keys is not None:
            value = self._variables.value(keys)
            return len(value) if isinstance(value, list) else 1
        return self._rules.length_of(parent.name, node.name.value)

    def _inputs(self, node: FieldNode) -> int:
        """How many things a mutation of many does; the longest page for what has no such input."""
        given = next((each.value for each in node.arguments or () if each.name.value == "input"), None)
        if isinstance(given, ObjectValueNode):
            values = [self._variables.value(each.value) for each in given.fields]
        else:
            value = self._variables.value(given) if given is not None else None
            values = list(value.values()) if isinstance(value, dict) else []
        return max((len(each) for each in values if isinstance(each, list)), default=self._rules.largest_page)

    def _introspected(self, node: FieldNode) -> int:
        """The cost of introspection: no bound, but the number (of the largest type, for `__type`)."""
        if node.selection_set is None:
            return 0
        if node.name.value == "__schema":
            return self._introspection.value(node.selection_set, self.schema)
        types = self.schema.type_map.values()
        return max(self._introspection.value(node.selection_set, each) for each in types)


class _IntrospectionWalk(Walk[object, int]):
    """Numbers of values, counted on the elements of the schema itself: types, fields, arguments, directives."""

    def total(self, values: Sequence[int]) -> int:
        """All of them."""
        return sum(values)

    def below(self, node: FieldNode, place: object) -> Sequence[object]:
        """The elements a field of introspection leads to."""
        return list(children(place, node.name.value))

    def field(self, _node: FieldNode, _place: object, inside: int) -> int:
        """One value more."""
        return 1 + inside


def is_list(field: GraphQLField) -> bool:
    """Whether a field's value is a list of objects."""
    outer = field.type.of_type if is_non_null_type(field.type) else field.type
    return is_list_type(outer) and not is_leaf_type(get_named_type(outer))


def is_page_of_items(parent: GraphQLNamedType, field: str) -> bool:
    """Whether a field is the list of a page, whose length is the `limit` of the field that selects the page."""
    return field == "items" and parent.name.endswith("Page")


def is_results(field: str) -> bool:
    """Whether a field is the list of payloads of a mutation of many, one for each of its inputs."""
    return field == "results"


def children(element: object, field: str) -> Iterator[object]:
    """The elements of graphql-core's schema that a field of introspection leads to."""
    match element, field:
        case GraphQLSchema(), "types":
            yield from element.type_map.values()
        case GraphQLSchema(), "directives":
            yield from element.directives
        case GraphQLSchema(), _:
            yield from (each for each in (element.query_type, element.mutation_type) if field.startswith(_kind(each)))
        case ((GraphQLField() | GraphQLDirective()), "args"):
            yield from element.args.values()
        case ((GraphQLField() | GraphQLInputField() | GraphQLArgument()), "type"):
            yield element.type
        case _:
            yield from _of_type(element, field)


def _kind(root: GraphQLObjectType | None) -> str:
    return root.name.lower() if root else "none"


def _of_type(element: object, field: str) -> Iterator[object]:
    attributes = {"fields": "fields", "inputFields": "fields", "enumValues": "values", "possibleTypes": "types"}
    if field == "ofType" and is_wrapping_type(element):
        yield element.of_type
    elif field == "interfaces":
        yield from getattr(element, "interfaces", ())
    elif field in attributes:
        found = getattr(element, attributes[field], ())
        yield from found.values() if isinstance(found, Mapping) else found
