"""The most an answer can hold, known before anything is executed: its values counted, lists by the longest they can be.

Called by documents.py for documents that are valid. A value is 1, a whole JSON document 10; a list of objects is what
its fields come to, times its length. @skip and @include do not count: the bound holds whatever they say.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLArgument,
    GraphQLDirective,
    GraphQLField,
    GraphQLInputField,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    get_named_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_wrapping_type,
)

from api.schema.arguments import LARGEST_PAGE
from api.schema.document_size import INTROSPECTION
from plandiff.changes import MOST_ENTRIES

JSON_COST = 10
# How long lists without a `limit` can be taken to be. What no line of ours bounds is bounded by what people do.
LENGTHS = {
    "ApprovalStatus.openTasks": 20,
    "ApprovalStatus.decisions": 50,
    "Draft.changes": MOST_ENTRIES,
    "Draft.conflicts": MOST_ENTRIES,
    "RebaseDraftPayload.conflicts": MOST_ENTRIES,
}
ERRORS = 10
UNKNOWN_LENGTH = 200


class Cost(NamedTuple):
    """What a selection set comes to: a number, and so much more for each item of the page it stands in."""

    fixed: int = 0
    per_item: int = 0

    def plus(self, other: "Cost") -> "Cost":
        """Both in one selection set."""
        return Cost(self.fixed + other.fixed, self.per_item + other.per_item)


class Costing:
    """One operation being counted. `read_variables` says afterwards whether the result depends on its variables."""

    def __init__(
        self,
        schema: GraphQLSchema,
        document: DocumentNode,
        operation: OperationDefinitionNode,
        given: Mapping[str, Any],
    ) -> None:
        self._schema = schema
        self._given = given
        self._operation = operation
        self._fragments = {
            node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
        }
        self._of_fragments: dict[str, Cost] = {}
        self._of_introspection: dict[tuple[int, int], int] = {}
        self._defaults = {
            definition.variable.name.value: definition.default_value
            for definition in operation.variable_definitions or ()
        }
        self.read_variables = False

    def total(self) -> int:
        """The cost of the whole answer."""
        root = self._schema.get_root_type(self._operation.operation)
        return self._selections(self._operation.selection_set, root).fixed if root else 0

    def _selections(self, selection_set: SelectionSetNode, parent: GraphQLNamedType) -> Cost:
        total = Cost()
        for selection in selection_set.selections:
            total = total.plus(self._selection(selection, parent))
        return total

    def _selection(self, node: SelectionNode, parent: GraphQLNamedType) -> Cost:
        match node:
            case FieldNode():
                return self._field(node, parent)
            case InlineFragmentNode():
                condition = node.type_condition
                inner = self._schema.get_type(condition.name.value) if condition else parent
                return self._selections(node.selection_set, inner or parent)
            case FragmentSpreadNode():
                return self._fragment(node.name.value)
            case _:
                return Cost()

    def _fragment(self, name: str) -> Cost:
        if name not in self._of_fragments:
            fragment = self._fragments[name]
            parent = self._schema.get_type(fragment.type_condition.name.value)
            self._of_fragments[name] = self._selections(fragment.selection_set, parent) if parent else Cost()
        return self._of_fragments[name]

    def _field(self, node: FieldNode, parent: GraphQLNamedType) -> Cost:
        name = node.name.value
        if name in INTROSPECTION:
            return Cost(1 + self._introspected(node))
        field = parent.fields.get(name) if isinstance(parent, GraphQLObjectType | GraphQLInterfaceType) else None
        if field is None or node.selection_set is None:
            return Cost(JSON_COST if field and get_named_type(field.type).name in ("JSON", "_Any") else 1)
        inner = self._selections(node.selection_set, get_named_type(field.type))
        limit = self._limit(node, field)
        if is_page_of_items(parent, name):
            return Cost(1, inner.fixed)
        if is_list(field):
            length = limit if limit is not None else self._length(node, parent)
            return Cost(1 + length * inner.fixed)
        return Cost(1 + inner.fixed + (LARGEST_PAGE if limit is None else limit) * inner.per_item)

    def _limit(self, node: FieldNode, field: GraphQLField) -> int | None:
        """The `limit` of a field that has one. A wrong one is refused by its resolver, whatever is counted here."""
        if "limit" not in field.args:
            return None
        given = next((each.value for each in node.arguments or () if each.name.value == "limit"), None)
        value = field.args["limit"].default_value if given is None else self._value(given)
        if not isinstance(value, int | float) or not math.isfinite(value):
            return LARGEST_PAGE
        return min(max(int(value), 0), LARGEST_PAGE)

    def _length(self, node: FieldNode, parent: GraphQLNamedType) -> int:
        """A list of entities is as long as what names them; of others the longest is known."""
        named = next((each.value for each in node.arguments or () if each.name.value == "representations"), None)
        if named is not None:
            value = self._value(named)
            return len(value) if isinstance(value, list) else 1
        return length_of(parent.name, node.name.value)

    def _value(self, node: ValueNode) -> object:
        match node:
            case VariableNode():
                self.read_variables = True
                default = self._defaults.get(node.name.value)
                if node.name.value in self._given or default is None:
                    return self._given.get(node.name.value)
                return self._value(default)
            case IntValueNode():
                return int(node.value[:18])
            case ListValueNode():
                return list(node.values)
            case _:
                return None

    def _introspected(self, node: FieldNode) -> int:
        """Counted on the schema itself, so it is no bound but the number (of the largest type, for `__type`)."""
        if node.selection_set is None:
            return 0
        if node.name.value == "__schema":
            return self._of_element(node.selection_set, self._schema)
        types = self._schema.type_map.values()
        return max(self._of_element(node.selection_set, each) for each in types)

    def _of_element(self, selection_set: SelectionSetNode, element: object) -> int:
        key = (id(selection_set), id(element))
        if key not in self._of_introspection:
            self._of_introspection[key] = sum(self._of_selected(each, element) for each in selection_set.selections)
        return self._of_introspection[key]

    def _of_selected(self, node: SelectionNode, element: object) -> int:
        match node:
            case FieldNode(selection_set=None):
                return 1
            case FieldNode(selection_set=SelectionSetNode() as inner):
                return 1 + sum(self._of_element(inner, each) for each in children(element, node.name.value))
            case InlineFragmentNode():
                return self._of_element(node.selection_set, element)
            case FragmentSpreadNode():
                return self._of_element(self._fragments[node.name.value].selection_set, element)
            case _:
                return 0


def is_list(field: GraphQLField) -> bool:
    """Whether it answers with a list of objects."""
    outer = field.type.of_type if is_non_null_type(field.type) else field.type
    return is_list_type(outer) and not is_leaf_type(get_named_type(outer))


def is_page_of_items(parent: GraphQLNamedType, field: str) -> bool:
    """Whether it is the list of a page, whose length was given where the page was asked for."""
    return field == "items" and parent.name.endswith("Page")


def length_of(parent: str, field: str) -> int:
    """How long a list without a `limit` can be."""
    return ERRORS if field == "userErrors" else LENGTHS.get(f"{parent}.{field}", UNKNOWN_LENGTH)


def children(element: object, field: str) -> Iterator[object]:
    """What a field of introspection leads to, in the elements graphql-core keeps the schema in."""
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
    kept = {"fields": "fields", "inputFields": "fields", "enumValues": "values", "possibleTypes": "types"}
    if field == "ofType" and is_wrapping_type(element):
        yield element.of_type
    elif field == "interfaces":
        yield from getattr(element, "interfaces", ())
    elif field in kept:
        found = getattr(element, kept[field], ())
        yield from found.values() if isinstance(found, Mapping) else found
