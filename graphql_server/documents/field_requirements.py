"""What each field requires, declared in its metadata, and what an operation requires in all.

So no more is fetched than is selected: a finder, which may be a loader, is asked for the required parts alone.

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

from columnar.document_walk import Fragments, TypedWalk, Variables, field_of

KEY = "requires"
DEFINITION = "strawberry-definition"  # where strawberry leaves its own field on graphql-core's

Required = Mapping[str, frozenset[str]] | None
"""By what finds a thing, the parts of it that are required; None: everything."""


@dataclass(frozen=True)
class FieldRequirements:
    """What a field requires.

    `of`: expensive parts of its parent. `finders`: what finds the things its selection set is selected on. `parts`:
    what its resolver itself reads, each as a finder and a part of what that finds.
    """

    of: tuple[str, ...] = ()
    finders: tuple[str, ...] = ()
    parts: frozenset[tuple[str, str]] = frozenset()


NOTHING = FieldRequirements()


def declared(requirements: FieldRequirements) -> Mapping[str, FieldRequirements]:
    """What a field requires, for its `metadata`."""
    return {KEY: requirements}


def requirements_of(field: GraphQLField) -> FieldRequirements | None:
    """What a field requires: nothing where it has no resolver; None where it has one and declares nothing."""
    definition = field.extensions.get(DEFINITION)
    if definition is None:
        return None
    found: FieldRequirements | None = definition.metadata.get(KEY)
    return NOTHING if found is None and definition.base_resolver is None else found


def operation_requirements(
    schema: GraphQLSchema, operation: OperationDefinitionNode, fragments: Fragments, variables: Variables
) -> Required:
    """What a valid operation requires; what @skip and @include leave out requires nothing."""
    found = _RequirementsWalk(schema, fragments, variables).operation(operation)
    if found.is_everything:
        return None
    parts: dict[str, frozenset[str]] = {}
    for finder, part in found.parts:
        parts[finder] = parts.get(finder, frozenset()) | ({part} if part else set())
    return parts


class _Found(NamedTuple):
    """What a selection set requires: parts of what it is selected on, and parts by finder.

    A finder of which no part is required stands in `parts` with "".
    """

    of: frozenset[str] = frozenset()
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
        of, parts, everything = zip(*several, strict=True)
        return _Found(frozenset[str]().union(*of), frozenset().union(*parts), any(everything))

    def field(self, node: FieldNode, place: GraphQLNamedType | None, inside: _Found) -> _Found:
        """What it declares, and what its selection set requires of what its finders find."""
        definition = field_of(place, node)
        if definition is None:  # __typename and introspection
            return _FOUND_NOTHING
        own = requirements_of(definition)
        if own is None:
            return _FOUND_ALL
        if own is NOTHING and inside is _FOUND_NOTHING:
            return _FOUND_NOTHING
        found = {(finder, part) for finder in own.finders for part in inside.of or ("",)}
        return _Found(frozenset(own.of), inside.parts | own.parts | found, inside.is_everything)
