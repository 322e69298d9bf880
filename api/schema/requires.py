"""What each field requires, declared at the field by `requires`, and what an operation requires in all.

A field with a resolver that declares nothing requires everything, as mutations do; so a new one is right before it is
lean.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from graphql import (
    FieldNode,
    GraphQLField,
    GraphQLNamedType,
    GraphQLSchema,
    OperationDefinitionNode,
    SelectionNode,
)

from api.requirements import EVERYTHING, RESOURCE, Requirements
from columnar.document_walk import Fragments, TypedWalk, Variables, field_of

KEY = "requires"
DEFINITION = "strawberry-definition"  # where strawberry leaves its own field on graphql-core's


@dataclass(frozen=True)
class FieldRequirements:
    """What a field requires.

    `of`: expensive parts of its parent. `variables`: of the process. `loaders`: those that find what its selection set
    is selected on. `with_document`: loaders of plans whose whole documents the resolver itself reads.
    """

    of: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    loaders: tuple[str, ...] = ()
    with_document: tuple[str, ...] = ()


NOTHING = FieldRequirements()


def requires(
    *of: str, variables: tuple[str, ...] = (), loaders: tuple[str, ...] = (), with_document: tuple[str, ...] = ()
) -> Mapping[str, FieldRequirements]:
    """What a field requires, for its `metadata`."""
    return {KEY: FieldRequirements(of, variables, loaders, with_document)}


def requirements_of(field: GraphQLField) -> FieldRequirements | None:
    """What a field requires: nothing where it has no resolver; None where it has one and declares nothing."""
    definition = field.extensions.get(DEFINITION)
    if definition is None:
        return None
    declared: FieldRequirements | None = definition.metadata.get(KEY)
    return NOTHING if declared is None and definition.base_resolver is None else declared


def operation_requirements(
    schema: GraphQLSchema, operation: OperationDefinitionNode, fragments: Fragments, variables: Variables
) -> Requirements:
    """What a valid operation requires; what @skip and @include leave out requires nothing."""
    found = _RequirementsWalk(schema, fragments, variables).operation(operation)
    if found.is_everything:
        return EVERYTHING
    parts: dict[str, frozenset[str]] = {}
    for loader, part in found.parts:
        parts[loader] = parts.get(loader, frozenset()) | ({part} if part else set())
    return Requirements(found.variables, parts)


class _Found(NamedTuple):
    """What a selection set requires: parts of what it is selected on; variables of processes; parts by loader.

    A loader without any part stands in `parts` with "".
    """

    of: frozenset[str] = frozenset()
    variables: frozenset[str] = frozenset()
    parts: frozenset[tuple[str, str]] = frozenset()
    is_everything: bool = False


_FOUND_NOTHING = _Found()
_FOUND_ALL = _Found(is_everything=True)


class _RequirementsWalk(TypedWalk[_Found]):
    def __init__(self, schema: GraphQLSchema, fragments: Fragments, variables: Variables) -> None:
        super().__init__(schema, fragments)
        self._variables = variables

    def is_excluded(self, node: SelectionNode) -> bool:
        """By @skip and @include."""
        return self._variables.exclude(node)

    def total(self, values: Sequence[_Found]) -> _Found:
        """All of them."""
        several = [each for each in values if each is not _FOUND_NOTHING]
        if len(several) < 2:  # none, or one
            return several[0] if several else _FOUND_NOTHING
        of, variables, parts, everything = zip(*several, strict=True)
        nothing = frozenset[str]()
        return _Found(nothing.union(*of), nothing.union(*variables), frozenset().union(*parts), any(everything))

    def field(self, node: FieldNode, place: GraphQLNamedType | None, inside: _Found) -> _Found:
        """What it declares, and what its selection set requires of what its loaders find."""
        definition = field_of(place, node)
        if definition is None:  # __typename and introspection
            return _FOUND_NOTHING
        declared = requirements_of(definition)
        if declared is None:
            return _FOUND_ALL
        if declared is NOTHING and inside is _FOUND_NOTHING:
            return _FOUND_NOTHING
        wanted = {(loader, part) for loader in declared.loaders for part in inside.of or ("",)}
        documents = {(loader, RESOURCE) for loader in declared.with_document}
        return _Found(
            frozenset(declared.of),
            inside.variables.union(declared.variables),
            inside.parts | wanted | documents,
            inside.is_everything,
        )
