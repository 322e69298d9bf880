"""Converters of leaf values, a whole column at a time: graphql-core's scalars, enums, and any other scalar.

A converter takes values without None, and the set of their types. It raises Unusual for what is left to graphql-core,
which accepts it after all or reports what is wrong with it.
"""

import math
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from typing import Any
from uuid import UUID

import msgspec
from graphql import (
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLFloat,
    GraphQLID,
    GraphQLInt,
    GraphQLLeafType,
    GraphQLString,
    Undefined,
)
from graphql.type import GRAPHQL_MAX_INT, GRAPHQL_MIN_INT

Column = list[Any]
Types = AbstractSet[type]
Convert = Callable[[Column, Types], Column]
NOTHING = type(None)

# Values of these types are neither awaitable nor errors, whatever they hold.
HARMLESS = frozenset(
    {str, bytes, int, float, bool, Decimal, datetime, date, UUID, dict, list, tuple, msgspec.Raw, NOTHING}
)


class Unusual(Exception):
    """The list has to be completed by graphql-core's own executor."""


@lru_cache(maxsize=256)
def converter(leaf: GraphQLLeafType) -> Convert:
    """The converter of a scalar or an enum: from what resolvers return to what the answer has."""
    if leaf is GraphQLString or leaf is GraphQLID:
        return _exactly(str)
    if leaf is GraphQLBoolean:
        return _exactly(bool)
    if leaf is GraphQLInt:
        return _integers
    if leaf is GraphQLFloat:
        return _floats
    wrapped = getattr(leaf, "wrapped_cls", None)
    if isinstance(leaf, GraphQLEnumType) and isinstance(wrapped, type) and issubclass(wrapped, Enum):
        return _members(leaf, wrapped)
    return _coerced(leaf)


def _exactly(kind: type) -> Convert:
    only = {kind}

    def convert(values: Column, types: Types) -> Column:
        if types <= only:
            return values
        raise Unusual

    return convert


def _integers(values: Column, types: Types) -> Column:
    if (types == {int} and min(values) >= GRAPHQL_MIN_INT and max(values) <= GRAPHQL_MAX_INT) or not types:
        return values
    raise Unusual


def _floats(values: Column, types: Types) -> Column:
    if types <= {float} and all(map(math.isfinite, values)):
        return values
    raise Unusual


def _members(leaf: GraphQLEnumType, wrapped: type[Enum]) -> Convert:
    names: dict[Enum, Any] = {}

    def convert(values: Column, types: Types) -> Column:
        if not types <= {wrapped}:
            raise Unusual
        for value in set(values) - names.keys():
            names[value] = leaf.coerce_output_value(value)
        return [names[value] for value in values]

    return convert


def _coerced(leaf: GraphQLLeafType) -> Convert:
    coerce = leaf.coerce_output_value

    def convert(values: Column, types: Types) -> Column:
        if not types <= HARMLESS:
            raise Unusual
        coerced = list(map(coerce, values))
        kinds = set(map(type, coerced))
        if NOTHING in kinds or type(Undefined) in kinds or any(hasattr(kind, "__await__") for kind in kinds):
            raise Unusual
        return coerced

    return convert
