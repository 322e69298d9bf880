"""The size of a GraphQL document, computed before it is validated: levels of fields, selections, aliases, directives.

Fragments count wherever they are spread. Any document that can be parsed has a size; fragments that are missing or
spread themselves count as nothing, since validation refuses them afterwards.
"""

from collections.abc import Sequence
from typing import NamedTuple

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
)

from columnar.document_walk import Fragments, Walk, fragments_of

INTROSPECTION = frozenset({"__schema", "__type"})
SCHEMA_TEXT = "_service"


class DocumentSize(NamedTuple):
    """The size of a document or a part of it. `depth` counts levels of fields, leaves included.

    `introspection` is the depth of introspection, which does not count in `depth`.
    """

    depth: int = 0
    introspection: int = 0
    selections: int = 0
    aliases: int = 0
    directives: int = 0
    root_fields: int = 0
    reads_schema: bool = False


EMPTY = DocumentSize()


def document_size(document: DocumentNode) -> DocumentSize:
    """The size of the largest operation or fragment of the document, measure by measure."""
    walk = _SizeWalk(fragments_of(document))
    sizes = [_definition_size(node, walk) for node in document.definitions if isinstance(node, _Definition)]
    return DocumentSize(*map(max, zip(*sizes, strict=True))) if sizes else EMPTY


_Definition = OperationDefinitionNode | FragmentDefinitionNode


def _definition_size(node: _Definition, walk: "_SizeWalk") -> DocumentSize:
    size = walk.value(node.selection_set, None)
    size = size._replace(directives=size.directives + _directives(node))
    return size._replace(root_fields=0) if isinstance(node, FragmentDefinitionNode) else size


def _directives(node: _Definition) -> int:
    on_variables = sum(len(variable.directives or ()) for variable in node.variable_definitions or ())
    return len(node.directives or ()) + on_variables


class _SizeWalk(Walk[None, DocumentSize]):
    """Sizes of selection sets, whatever they are selected on."""

    def __init__(self, fragments: Fragments) -> None:
        super().__init__(fragments)
        self._directives_of = {name: _directives(node) for name, node in fragments.items()}

    def total(self, values: Sequence[DocumentSize]) -> DocumentSize:
        """Depths do not add up; all else does."""
        if not values:
            return EMPTY
        depth, introspection, selections, aliases, directives, root_fields, reads_schema = zip(*values, strict=True)
        return DocumentSize(
            max(depth),
            max(introspection),
            sum(selections),
            sum(aliases),
            sum(directives),
            sum(root_fields),
            any(reads_schema),
        )

    def below(self, _node: FieldNode, _place: None) -> Sequence[None]:
        """No types here."""
        return (None,)

    def field(self, node: FieldNode, _place: None, inside: DocumentSize) -> DocumentSize:
        """One level more, and one root field if it is at the root."""
        name = node.name.value
        depth, introspection = inside.depth + 1, inside.introspection
        if name in INTROSPECTION:
            depth, introspection = 1, max(inside.depth, inside.introspection) + 1
        return DocumentSize(
            depth,
            introspection,
            inside.selections + 1,
            inside.aliases + (node.alias is not None),
            inside.directives + len(node.directives or ()),
            root_fields=1,
            reads_schema=name in INTROSPECTION or name == SCHEMA_TEXT or inside.reads_schema,
        )

    def fragment(self, node: FragmentSpreadNode | InlineFragmentNode, inside: DocumentSize) -> DocumentSize:
        """One selection more, with the directives of the spread and of the fragment itself."""
        directives = inside.directives + len(node.directives or ())
        if isinstance(node, FragmentSpreadNode):
            directives += self._directives_of.get(node.name.value, 0)
        return inside._replace(selections=inside.selections + 1, directives=directives)
