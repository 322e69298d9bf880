"""How much a document asks, counted before anything is validated: one pass, each fragment once, nothing expanded.

Called by documents.py; limits.py compares. It takes any document that can be parsed: fragments that are missing or go
in circles count as nothing here, and validation refuses them afterwards.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
)

INTROSPECTION = frozenset({"__schema", "__type"})
SCHEMA_TEXT = "_service"


class Amount(NamedTuple):
    """What a part of a document comes to with its fragments put in. `depth` counts levels of fields, leaves included.

    `introspection` is the depth of what is asked of the schema itself, which does not count in `depth`.
    """

    depth: int = 0
    introspection: int = 0
    selections: int = 0
    aliases: int = 0
    directives: int = 0
    root_fields: int = 0
    reads_schema: bool = False

    def beside(self, other: "Amount") -> "Amount":
        """Both in one selection set."""
        return Amount(
            max(self.depth, other.depth),
            max(self.introspection, other.introspection),
            self.selections + other.selections,
            self.aliases + other.aliases,
            self.directives + other.directives,
            self.root_fields + other.root_fields,
            self.reads_schema or other.reads_schema,
        )


NOTHING = Amount()


def largest(document: DocumentNode) -> Amount:
    """The most that any operation or fragment of the document comes to, measure by measure."""
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    known: dict[str, Amount] = {}
    for name in _innermost_first(fragments):
        known[name] = _definition(fragments[name], known)
    operations = [
        _definition(node, known) for node in document.definitions if isinstance(node, OperationDefinitionNode)
    ]
    found = [*operations, *(amount._replace(root_fields=0) for amount in known.values())]
    return Amount(*(max(values) for values in zip(*found, strict=True))) if found else NOTHING


def _definition(node: OperationDefinitionNode | FragmentDefinitionNode, known: Mapping[str, Amount]) -> Amount:
    on_variables = sum(len(variable.directives or ()) for variable in node.variable_definitions or ())
    inside = _selections(node.selection_set, known)
    return inside.beside(Amount(directives=len(node.directives or ()) + on_variables))


def _selections(selection_set: SelectionSetNode, known: Mapping[str, Amount]) -> Amount:
    total = NOTHING
    for selection in selection_set.selections:
        total = total.beside(_selection(selection, known))
    return total


def _selection(node: SelectionNode, known: Mapping[str, Amount]) -> Amount:
    itself = Amount(selections=1, directives=len(node.directives or ()))
    match node:
        case FieldNode():
            return itself.beside(_field(node, known))
        case InlineFragmentNode():
            return itself.beside(_selections(node.selection_set, known))
        case FragmentSpreadNode():
            return itself.beside(known.get(node.name.value, NOTHING))
        case _:
            return itself


def _field(node: FieldNode, known: Mapping[str, Amount]) -> Amount:
    inside = _selections(node.selection_set, known) if node.selection_set else NOTHING
    name = node.name.value
    reads_schema = name in INTROSPECTION or name == SCHEMA_TEXT or inside.reads_schema
    below = {"depth": inside.depth + 1, "introspection": inside.introspection}
    if name in INTROSPECTION:
        below = {"depth": 1, "introspection": max(inside.depth, inside.introspection) + 1}
    aliases = inside.aliases + (node.alias is not None)
    return inside._replace(**below, aliases=aliases, root_fields=1, reads_schema=reads_schema)


def _innermost_first(fragments: Mapping[str, FragmentDefinitionNode]) -> Iterable[str]:
    """The names so that a fragment comes after those it spreads; without recursion, since chains can be long."""
    spreads = {name: _spreads(node.selection_set) for name, node in fragments.items()}
    done: set[str] = set()
    for root in fragments:
        path = [(root, iter(spreads[root]))]
        entered = {root}
        while path and root not in done:
            name, left = path[-1]
            following = next(
                (each for each in left if each in spreads and each not in entered and each not in done), None
            )
            if following is not None:
                entered.add(following)
                path.append((following, iter(spreads[following])))
                continue
            path.pop()
            done.add(name)
            yield name


def _spreads(selection_set: SelectionSetNode) -> list[str]:
    found: list[str] = []
    waiting = [selection_set]
    while waiting:
        for selection in waiting.pop().selections:
            if isinstance(selection, FragmentSpreadNode):
                found.append(selection.name.value)
            elif isinstance(selection, FieldNode | InlineFragmentNode) and selection.selection_set:
                waiting.append(selection.selection_set)
    return list(dict.fromkeys(found))
