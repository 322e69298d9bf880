"""A cache of compiled selections (shapes) from one execution of a document to the next.

A shape depends on the document and on the values of the variables its selection mentions, in @skip and @include or
in arguments; these values are part of its key.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from graphql import (
    ArgumentNode,
    DirectiveNode,
    FieldNode,
    FragmentArgumentNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    ListValueNode,
    ObjectFieldNode,
    ObjectValueNode,
    SelectionNode,
    SelectionSetNode,
    Undefined,
    VariableNode,
)
from graphql.execution import Executor
from graphql.execution.collect_fields import FieldDetailsList, FragmentDetails

from columnar.document_walk import Walk
from columnar.plan import Shape

MOST = 16  # shapes of one document

Made = Callable[[], Shape | None]


class ShapeCache:
    """The shapes of one document, for one schema."""

    def __init__(self) -> None:
        # The nodes are held, so that no others can get their ids.
        self._names: dict[tuple[int, ...], tuple[list[FieldNode], tuple[str, ...]]] = {}
        self._shapes: dict[object, Shape | None] = {}

    def find(self, executor: Executor[Any], kind: object, details: FieldDetailsList, make: Made) -> Shape | None:
        """The shape of a field's list, made by `make` where the cache has none. None: it cannot be compiled."""
        if any(each.fragment_variable_values for each in details):
            return make()
        place = (id(kind), *(id(each.node) for each in details))
        key = id(executor.operation), place, self._values(executor, place, [each.node for each in details])
        try:
            if key not in self._shapes:
                self._keep(key, make())
            return self._shapes[key]
        except TypeError:  # a value that cannot be a key
            return make()

    def _values(self, executor: Executor[Any], place: tuple[int, ...], nodes: list[FieldNode]) -> tuple[object, ...]:
        if place not in self._names:
            self._names[place] = nodes, variables_in(nodes, executor.fragments)
        values = executor.variable_values.coerced
        return tuple(values.get(name, Undefined) for name in self._names[place][1])

    def _keep(self, key: object, shape: Shape | None) -> None:
        if len(self._shapes) >= MOST:
            self._shapes.clear()
        self._shapes[key] = shape


def variables_in(nodes: Sequence[FieldNode], fragments: Mapping[str, FragmentDetails]) -> tuple[str, ...]:
    """Names of the variables that are mentioned at fields or below them, in fragments as well."""
    definitions = {name: each.definition for name, each in fragments.items()}
    return tuple(sorted(_MentionedVariables(definitions).value(SelectionSetNode(selections=tuple(nodes)), None)))


class _MentionedVariables(Walk[None, frozenset[str]]):
    """Names of the variables that a part of a document mentions."""

    def total(self, values: Sequence[frozenset[str]]) -> frozenset[str]:
        """All of them."""
        return frozenset[str]().union(*values)

    def below(self, _node: FieldNode, _place: None) -> Sequence[None]:
        """No types here."""
        return (None,)

    def field(self, node: FieldNode, _place: None, inside: frozenset[str]) -> frozenset[str]:
        """Those of its arguments and directives, and those below."""
        return inside.union(_mentioned_by(node))

    def fragment(self, node: FragmentSpreadNode | InlineFragmentNode, inside: frozenset[str]) -> frozenset[str]:
        """Those of its directives, and those inside."""
        return inside.union(_mentioned_by(node))


def _mentioned_by(node: SelectionNode) -> Iterator[str]:
    """Names of the variables in the arguments and directives of one selection."""
    waiting: list[Any] = [*(node.directives or ()), *(getattr(node, "arguments", None) or ())]
    while waiting:
        match waiting.pop():
            case VariableNode(name=name):
                yield name.value
            case DirectiveNode(arguments=parts) | ListValueNode(values=parts) | ObjectValueNode(fields=parts):
                waiting += parts or ()
            case ArgumentNode(value=value) | ObjectFieldNode(value=value) | FragmentArgumentNode(value=value):
                waiting.append(value)
