"""Shapes kept from one request to the next, with the document they were made of. Used by executor.py.

A document is executed again and again; what is to be done for its selections is the same each time, but for the
values of variables they name, in @skip and @include or as arguments.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from graphql import FieldNode, FragmentSpreadNode, Undefined, VariableNode, Visitor, visit
from graphql.execution import Executor
from graphql.execution.collect_fields import FieldDetailsList, FragmentDetails

from columnar.plan import Shape

MOST = 16  # of one document

Made = Callable[[], Shape | None]


class ShapeCache:
    """Those of one document, for one schema."""

    def __init__(self) -> None:
        # the nodes are held, so that no others can get their ids
        self._names: dict[tuple[int, ...], tuple[list[FieldNode], tuple[str, ...]]] = {}
        self._shapes: dict[object, Shape | None] = {}

    def find(self, executor: Executor[Any], kind: object, details: FieldDetailsList, make: Made) -> Shape | None:
        """The shape of a field's list; `make` where it is not kept. None: one that can not be compiled."""
        if any(each.fragment_variable_values for each in details):
            return make()
        place = (id(kind), *(id(each.node) for each in details))
        key = id(executor.operation), place, self._values(executor, place, [each.node for each in details])
        try:
            if key not in self._shapes:
                self._keep(key, make())
            return self._shapes[key]
        except TypeError:  # a value that can not be a key
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


class Mentioned(Visitor):
    """Names of variables and fragments in a part of a document."""

    def __init__(self) -> None:
        super().__init__()
        self.variables: set[str] = set()
        self.fragments: set[str] = set()

    def enter_variable(self, node: VariableNode, *_: Any) -> None:
        """One variable."""
        self.variables.add(node.name.value)

    def enter_fragment_spread(self, node: FragmentSpreadNode, *_: Any) -> None:
        """One fragment, to be looked through as well."""
        self.fragments.add(node.name.value)


def variables_in(nodes: Sequence[FieldNode], fragments: Mapping[str, FragmentDetails]) -> tuple[str, ...]:
    """Names of the variables that are named below fields, in fragments as well."""
    mentioned, looked_through = Mentioned(), set[str]()
    for node in nodes:
        visit(node, mentioned)
    while following := mentioned.fragments - looked_through:
        for name in following:
            visit(fragments[name].definition, mentioned)
        looked_through |= following
    return tuple(sorted(mentioned.variables))
