"""A compiled selection: for each field of an object type what is read or called, and how its values are completed.

`shape_of` raises Unusual for what is left to graphql-core's executor: abstract types, deferred fragments, fields of
classes that override how a value is found.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any

from graphql import (
    FieldNode,
    GraphQLField,
    GraphQLObjectType,
    GraphQLOutputType,
    OperationType,
    TypeNameMetaFieldDef,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
)
from graphql.execution import Executor
from graphql.execution.collect_fields import FieldDetails, FieldDetailsList
from graphql.execution.values import get_argument_values
from strawberry.types import Info
from strawberry.types.field import StrawberryField

from columnar.batched_field import BATCH_RESOLVER, BatchResolver
from columnar.leaf_values import Convert, Unusual, converter

DEFINITION = "strawberry-definition"


@dataclass(frozen=True)
class Leaves:
    """Scalars or enum values."""

    nullable: bool
    convert: Convert


@dataclass(frozen=True)
class Lists:
    """Lists of something."""

    nullable: bool
    inner: "Shape"


@dataclass(frozen=True)
class Objects:
    """Objects of one type."""

    nullable: bool
    plan: "Plan"


Shape = Leaves | Lists | Objects


@dataclass(frozen=True)
class Read:
    """A field without a resolver: an attribute of the object."""

    get: Callable[[Any], Any]
    shape: Shape


@dataclass(frozen=True)
class Constant:
    """`__typename`."""

    value: str


@dataclass(frozen=True)
class Resolved:
    """A field with a resolver, called for each object.

    `direct`: the plain function to call, set where strawberry would add nothing (arguments, extensions, handlers).
    `info_name`: the name of its parameter for the info, if it has one.
    `batch`: the function to call instead, once for all objects.
    """

    name: str
    definition: GraphQLField
    nodes: list[FieldNode]
    arguments: Mapping[str, Any]
    shape: Shape
    direct: Callable[..., Any] | None = None
    info_name: str | None = None
    batch: BatchResolver | None = None


Source = Read | Constant | Resolved


@dataclass(frozen=True)
class Plan:
    """The fields of a selection on `type`: their names in the answer and their sources, in the order of the answer."""

    type: GraphQLObjectType
    names: tuple[str, ...]
    sources: tuple[Source, ...]


def shape_of(executor: Executor[Any], kind: GraphQLOutputType, details: FieldDetailsList) -> Shape:
    """How values of a type are completed for a field's selection."""
    nullable = not is_non_null_type(kind)
    inner: Any = kind.of_type if is_non_null_type(kind) else kind
    if is_list_type(inner):
        return Lists(nullable, shape_of(executor, inner.of_type, details))
    if is_leaf_type(inner):
        return Leaves(nullable, converter(inner))
    if is_object_type(inner) and inner.is_type_of is None:
        return Objects(nullable, _plan(executor, inner, details))
    raise Unusual


def _plan(executor: Executor[Any], kind: GraphQLObjectType, details: FieldDetailsList) -> Plan:
    grouped, deferred, _ = executor.collect_subfields(kind, details)
    if deferred:
        raise Unusual
    sources = tuple(_source(executor, kind, each) for each in grouped.values())
    return Plan(kind, tuple(grouped), sources)


def _source(executor: Executor[Any], parent: GraphQLObjectType, details: FieldDetailsList) -> Source:
    node = details[0].node
    definition = executor.schema.get_field(parent, node.name.value)
    if definition is TypeNameMetaFieldDef:
        return Constant(parent.name)
    field = definition.extensions.get(DEFINITION) if definition else None
    # A field of another class may override how its value is found.
    if definition is None or type(field) is not StrawberryField or any(map(_is_streamed, details)):
        raise Unusual
    shape = shape_of(executor, definition.type, details)
    if getattr(definition.resolve, "_is_default", False) and field.is_basic_field:
        if field.default_resolver is not getattr or node.arguments:
            raise Unusual
        return Read(attrgetter(field.python_name), shape)
    return _resolved(executor, definition, field, details, shape)


def _resolved(
    executor: Executor[Any],
    definition: GraphQLField,
    field: StrawberryField,
    details: FieldDetailsList,
    shape: Shape,
) -> Resolved:
    # After a failure graphql-core's executor calls it once more, which is safe only for what changes nothing.
    if executor.operation.operation is not OperationType.QUERY or definition.resolve is None:
        raise Unusual
    node = details[0].node
    fragment_variables = details[0].fragment_variable_values
    arguments = (
        get_argument_values(definition, node, executor.variable_values, fragment_variables, executor.hide_suggestions)
        if definition.args or node.arguments
        else {}
    )
    nodes = [each.node for each in details]
    resolved = Resolved(node.name.value, definition, nodes, arguments, shape)
    return _shortened(resolved, field) if _is_plainly_called(executor, definition, field) else resolved


def _is_streamed(details: FieldDetails) -> bool:
    return any(directive.name.value == "stream" for directive in details.node.directives or ())


def _is_plainly_called(executor: Executor[Any], definition: GraphQLField, field: StrawberryField) -> bool:
    """Whether strawberry would do no more than call the resolver."""
    resolver, schema = field.base_resolver, executor.schema._strawberry_schema  # type: ignore[attr-defined]  # noqa: SLF001  # strawberry's mark
    return (
        resolver is not None
        and not definition.args
        and not field.extensions
        and not schema.exception_handlers
        and schema.config.info_class is Info
        and not resolver.parent_parameter
    )


def _shortened(resolved: Resolved, field: StrawberryField) -> Resolved:
    """The field with the function that may be called instead of strawberry's resolver, if any may."""
    if batch := field.metadata.get(BATCH_RESOLVER):
        return replace(resolved, batch=batch)
    resolver = field.base_resolver
    call = resolver.wrapped_func if resolver and resolver.self_parameter and not resolver.root_parameter else None
    if resolver is None or not callable(call):
        return resolved
    info = resolver.info_parameter
    return replace(resolved, direct=call, info_name=info.name if info else None)
