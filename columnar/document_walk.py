"""A fold over the selections of a GraphQL document: each subclass of `Walk` computes one value, from the leaves up.

The walk knows fragments, types and @skip/@include; a subclass knows what a field is worth. Each selection set is
computed once for each place it stands in, however often its fragment is spread, so a walk is linear in the document.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar

from graphql import (
    BooleanValueNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    NamedTypeNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    get_named_type,
)

Place = TypeVar("Place")
Value = TypeVar("Value")
Fragments = Mapping[str, FragmentDefinitionNode]

DIGITS = 18  # of an integer literal; more of them say no more than that it is too large


class Walk(ABC, Generic[Place, Value]):
    """One computation over a document. A place is what a selection set is selected on, a type for example.

    The document need not be valid: a fragment that is missing, or that spreads itself, is worth `total(())` there.
    """

    def __init__(self, fragments: Fragments) -> None:
        self.fragments = fragments
        # The values so far, by the ids of selection set and place.
        self._known: dict[tuple[int, int], Value] = {}
        self._computed: set[str] = set()
        self._pending: set[str] = set()

    @abstractmethod
    def total(self, values: Sequence[Value]) -> Value:
        """The value of a selection set, of those of its selections."""

    @abstractmethod
    def field(self, node: FieldNode, place: Place, inside: Value) -> Value:
        """The value of a field whose selection set is worth `inside`."""

    @abstractmethod
    def below(self, node: FieldNode, place: Place) -> Sequence[Place]:
        """The places a field's selection set is selected on; their values are added up."""

    def fragment(self, _node: FragmentSpreadNode | InlineFragmentNode, inside: Value) -> Value:
        """The value of a fragment where it is spread."""
        return inside

    def narrowed(self, _condition: NamedTypeNode, place: Place) -> Place:
        """The place of a fragment with a type condition."""
        return place

    def is_excluded(self, _node: SelectionNode) -> bool:
        """Whether a selection does not count."""
        return False

    def value(self, root: SelectionSetNode, place: Place) -> Value:
        """The value of a selection set, fragments included."""
        # Fragments come before what spreads them, since a chain of them can be longer than Python's stack. One that is
        # still pending when it is spread spreads itself.
        names = innermost_first(root, self.fragments, self._computed)
        self._pending.update(names)
        for name in names:
            self._spread(self.fragments[name], place)
            self._pending.remove(name)
        self._computed.update(names)
        return self._selections(root, place)

    def _selections(self, selection_set: SelectionSetNode, place: Place) -> Value:
        key = (id(selection_set), id(place))
        if key not in self._known:
            selected = [each for each in selection_set.selections if not self.is_excluded(each)]
            self._known[key] = self.total([self._selection(each, place) for each in selected])
        return self._known[key]

    def _selection(self, node: SelectionNode, place: Place) -> Value:
        match node:
            case FieldNode():
                return self.field(node, place, self._inside(node, place))
            case InlineFragmentNode():
                return self.fragment(node, self._spread(node, place))
            case FragmentSpreadNode():
                name = node.name.value
                is_known = name in self.fragments and name not in self._pending
                return self.fragment(node, self._spread(self.fragments[name], place) if is_known else self.total(()))
            case _:
                return self.total(())

    def _spread(self, node: FragmentDefinitionNode | InlineFragmentNode, place: Place) -> Value:
        on = self.narrowed(node.type_condition, place) if node.type_condition else place
        return self._selections(node.selection_set, on)

    def _inside(self, node: FieldNode, place: Place) -> Value:
        if node.selection_set is None:
            return self.total(())
        values = [self._selections(node.selection_set, each) for each in self.below(node, place)]
        return values[0] if len(values) == 1 else self.total(values)


class TypedWalk(Walk[GraphQLNamedType | None, Value]):
    """A walk whose places are the types of a schema, for documents that are valid."""

    def __init__(self, schema: GraphQLSchema, fragments: Fragments) -> None:
        super().__init__(fragments)
        self.schema = schema

    def below(self, node: FieldNode, place: GraphQLNamedType | None) -> Sequence[GraphQLNamedType | None]:
        """The type of the field; nothing below those of introspection, which no type has among its fields."""
        definition = field_of(place, node)
        return [get_named_type(definition.type)] if definition else []

    def narrowed(self, condition: NamedTypeNode, _place: GraphQLNamedType | None) -> GraphQLNamedType | None:
        """The type of the condition."""
        return self.schema.get_type(condition.name.value)

    def operation(self, node: OperationDefinitionNode) -> Value:
        """The value of an operation."""
        return self.value(node.selection_set, self.schema.get_root_type(node.operation))


class Variables:
    """The values of an operation's variables: the request's, else the defaults. `were_read`: whether any was."""

    def __init__(self, operation: OperationDefinitionNode, given: Mapping[str, Any]) -> None:
        self._given = given
        self._defaults = {each.variable.name.value: each.default_value for each in operation.variable_definitions or ()}
        self.were_read = False

    def value(self, node: ValueNode) -> object:
        """What a number, a boolean, a list (of nodes) or a variable stands for; None for others."""
        match node:
            case VariableNode():
                self.were_read = True
                default = self._defaults.get(node.name.value)
                if node.name.value in self._given or default is None:
                    return self._given.get(node.name.value)
                return self.value(default)
            case BooleanValueNode():
                return node.value
            case IntValueNode():
                return int(node.value[:DIGITS])
            case ListValueNode():
                return list(node.values)
            case _:
                return None

    def exclude(self, node: SelectionNode) -> bool:
        """Whether @skip or @include leave a selection out."""
        conditions = {
            directive.name.value: self.value(directive.arguments[0].value)
            for directive in node.directives or ()
            if directive.name.value in ("skip", "include") and directive.arguments
        }
        return conditions.get("skip") is True or conditions.get("include") is False


def fragments_of(document: DocumentNode) -> dict[str, FragmentDefinitionNode]:
    """The fragments a document defines, by their names."""
    return {each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)}


def field_of(kind: GraphQLNamedType | None, node: FieldNode) -> GraphQLField | None:
    """The field of a type that is selected; None for `__typename` and introspection."""
    return kind.fields.get(node.name.value) if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType) else None


def innermost_first(root: SelectionSetNode, fragments: Fragments, known: Collection[str] = ()) -> list[str]:
    """Names of the fragments below a selection set, each after those it spreads; without those that are known.

    A depth-first search with a stack of its own. Where fragments spread each other, one of them comes first.
    """
    found: list[str] = []
    entered: set[str] = set()
    path: list[tuple[str | None, Iterator[str]]] = [(None, iter(_spreads(root)))]
    while path:
        name, left = path[-1]
        is_new = (each for each in left if each in fragments and each not in entered and each not in known)
        following = next(is_new, None)
        if following is not None:
            entered.add(following)
            path.append((following, iter(_spreads(fragments[following].selection_set))))
            continue
        path.pop()
        if name is not None:
            found.append(name)
    return found


def _spreads(selection_set: SelectionSetNode) -> list[str]:
    """Names of the fragments that a selection set spreads itself, at any depth."""
    found: list[str] = []
    waiting = [selection_set]
    while waiting:
        for selection in waiting.pop().selections:
            if isinstance(selection, FragmentSpreadNode):
                found.append(selection.name.value)
            elif isinstance(selection, FieldNode | InlineFragmentNode) and selection.selection_set:
                waiting.append(selection.selection_set)
    return list(dict.fromkeys(found))
