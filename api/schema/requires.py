"""What each field reads, said at the field, and what an operation reads in all: `needs_of`, asked by documents.py.

A field with a resolver that says nothing reads everything, as mutations do; so a new one is right before it is lean.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    BooleanValueNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    get_named_type,
)

from api.requirements import EVERYTHING, RESOURCE, Requirements

KEY = "reads"
DEFINITION = "strawberry-definition"  # where strawberry leaves its own field on graphql-core's


@dataclass(frozen=True)
class Reads:
    """`of`: parts of what the field stands on. `variables`: of the process. `loaders`: loaders of what its own
    selection stands on. `with_document`: loaders of plans that it reads itself.
    """

    of: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    loaders: tuple[str, ...] = ()
    with_document: tuple[str, ...] = ()


NOTHING = Reads()


def requires(
    *of: str, variables: tuple[str, ...] = (), loaders: tuple[str, ...] = (), with_document: tuple[str, ...] = ()
) -> Mapping[str, Reads]:
    """For a field's `metadata`."""
    return {KEY: Reads(of, variables, loaders, with_document)}


def reads_of(field: GraphQLField) -> Reads | None:
    """What a field says it reads; nothing where it has no resolver to read by; None where it says nothing."""
    definition = field.extensions.get(DEFINITION)
    if definition is None:
        return None
    said: Reads | None = definition.metadata.get(KEY)
    return NOTHING if said is None and definition.base_resolver is None else said


class Reading:
    """One operation being looked through. `read_variables` says afterwards whether its variables had a part in it."""

    def __init__(
        self,
        schema: GraphQLSchema,
        document: DocumentNode,
        operation: OperationDefinitionNode,
        given: Mapping[str, Any],
    ) -> None:
        self._schema = schema
        self._operation = operation
        self._given = given
        self._fragments = {
            each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)
        }
        self._variables: set[str] = set()
        self._parts: defaultdict[str, set[str]] = defaultdict(set)
        self._says_all = True
        self.read_variables = False

    def requirements(self) -> Requirements:
        """What the operation reads."""
        root = self._schema.get_root_type(self._operation.operation)
        self._parts_read(root, self._operation.selection_set)
        if not self._says_all:
            return EVERYTHING
        parts = {loader: frozenset(parts) for loader, parts in self._parts.items()}
        return Requirements(frozenset(self._variables), parts)

    def _parts_read(self, parent: object, selections: SelectionSetNode | None) -> set[str]:
        """The parts of `parent` that a selection reads; what it finds further on is noted."""
        found: set[str] = set()
        for kind, node in self._fields(parent, selections):
            definition = kind.fields.get(node.name.value)
            if definition is None:  # __typename and the schema's own
                continue
            said = reads_of(definition)
            below = self._parts_read(get_named_type(definition.type), node.selection_set)
            self._note(said, below)
            found.update(said.of if said else ())
        return found

    def _note(self, said: Reads | None, below: set[str]) -> None:
        if said is None:
            self._says_all = False
            return
        self._variables.update(said.variables)
        for loader in said.loaders:
            self._parts[loader] |= below
        for loader in said.with_document:
            self._parts[loader].add(RESOURCE)

    def _fields(
        self, parent: object, selections: SelectionSetNode | None
    ) -> Iterator[tuple[GraphQLObjectType | GraphQLInterfaceType, FieldNode]]:
        """Each selected field with the type it is selected on, fragments put in."""
        for node in selections.selections if selections else ():
            if self._is_left_out(node):
                continue
            if isinstance(node, FieldNode):
                if isinstance(parent, GraphQLObjectType | GraphQLInterfaceType):
                    yield parent, node
                continue
            fragment = self._fragments[node.name.value] if isinstance(node, FragmentSpreadNode) else node
            assert isinstance(fragment, FragmentDefinitionNode | InlineFragmentNode)  # noqa: S101  # for the type checker
            on = fragment.type_condition
            inner = self._schema.type_map[on.name.value] if on else parent
            yield from self._fields(inner, fragment.selection_set)

    def _is_left_out(self, node: SelectionNode) -> bool:
        """Whether @skip or @include leave it out."""
        conditions = {
            directive.name.value: self._value(directive.arguments[0].value)
            for directive in node.directives or ()
            if directive.name.value in ("skip", "include") and directive.arguments
        }
        return conditions.get("skip") is True or conditions.get("include") is False

    def _value(self, node: ValueNode) -> object:
        if isinstance(node, BooleanValueNode):
            return node.value
        if not isinstance(node, VariableNode):
            return None
        self.read_variables = True
        name = node.name.value
        if name in self._given:
            return self._given[name]
        defaults = {each.variable.name.value: each.default_value for each in self._operation.variable_definitions or ()}
        default = defaults.get(name)
        return default.value if isinstance(default, BooleanValueNode) else None
