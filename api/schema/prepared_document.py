"""Preparation of documents before execution: parsing, limits, validation, cost, requirements; with a cache by text.

`Preparation` is the schema's one extension. What depends on the text alone is computed once for a text; what depends on
variables or settings, once for a request.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import msgspec
from cachetools import LRUCache
from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    get_operation_ast,
    parse,
    specified_rules,
    validate,
)
from graphql.validation.rules import overlapping_fields_can_be_merged
from graphql.validation.validate import ValidationAbortedError
from strawberry.extensions import SchemaExtension
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule
from strawberry.types.graphql import OperationType

from api.requirements import EVERYTHING, Requirements
from api.schema.answer_cost import Limited, answer_cost, fitting_limits
from api.schema.document_limits import (
    CHARACTERS_A_TOKEN,
    costs_too_much,
    first_excess,
    has_too_many_values,
    too_deep_to_parse,
    too_long,
    too_many_tokens,
    too_repetitive,
)
from api.schema.requires import operation_requirements
from api.settings import Settings
from columnar.document_walk import Variables, fragments_of
from columnar.shape_cache import ShapeCache
from graphql_server.documents.document_size import document_size
from graphql_server.errors import OverLimit

RULES = (*specified_rules, MaybeNullValidationRule, OneOfInputValidationRule)
MOST_ERRORS = 20
# Fields with one response name in one place are compared with each other, pair by pair, and so are fragments. This
# budget is some 20 ms of CPU; graphql-core's default, 500,000, is most of a second. 140 times the same field fit in.
overlapping_fields_can_be_merged.MAX_COMPLEXITY_BUDGET = 20_000
SHORT_TEXT = 2_000  # characters
MOST_COSTS = 16  # cached for one document, with variables of at most so many bytes
LONGEST_VARIABLES = 100
CACHED_TEXT = 250_000  # characters of all cached documents; in memory a document takes some hundred times its text


class Document:
    """A parsed document, with its size, its mistakes, costs and requirements once they are computed.

    `length`: characters of its text, by which the cache is bounded.
    """

    def __init__(self, parsed: DocumentNode, *, length: int = 0) -> None:
        self.parsed = parsed
        self.length = length
        self.size = document_size(parsed)
        self.fragments = fragments_of(parsed)
        self.shapes = ShapeCache()
        self._mistakes: list[GraphQLError] | None = None
        self._costs: dict[tuple[str | None, bytes], int] = {}
        self._requirements: dict[str | None, Requirements] = {}

    def mistakes(self, schema: GraphQLSchema) -> list[GraphQLError]:
        """The mistakes that validation finds. Only for documents within their limits."""
        if self._mistakes is None:
            found = validate(schema, self.parsed, RULES, max_errors=MOST_ERRORS)
            self._mistakes = [_refusal(too_repetitive()) if is_out_of_budget(error) else error for error in found]
        return self._mistakes

    def cost(self, schema: GraphQLSchema, operation_name: str | None, variables: Mapping[str, Any]) -> int:
        """The cost of an operation of this valid document; computed again only where variables matter."""
        alone, with_variables = (operation_name, b""), (operation_name, msgspec.json.encode(variables))
        if (known := self._costs.get(alone, self._costs.get(with_variables))) is not None:
            return known
        operation = get_operation_ast(self.parsed, operation_name)
        if operation is None:
            return 0
        values = Variables(operation, variables)
        cost = answer_cost(schema, operation, self.fragments, values)
        self._keep_cost(with_variables if values.were_read else alone, cost)
        return cost

    def fitting_limits(
        self, schema: GraphQLSchema, operation_name: str | None, variables: Mapping[str, Any], most: int
    ) -> list[Limited]:
        """What limits of an operation that costs too much could be lowered to. Only for a refusal."""
        operation = get_operation_ast(self.parsed, operation_name)
        if operation is None:
            return []
        return fitting_limits(schema, operation, self.fragments, Variables(operation, variables), most=most)

    def _keep_cost(self, key: tuple[str | None, bytes], cost: int) -> None:
        if len(key[1]) > LONGEST_VARIABLES:
            return
        if len(self._costs) >= MOST_COSTS:
            self._costs.clear()
        self._costs[key] = cost

    def requirements(
        self, schema: GraphQLSchema, operation_name: str | None, variables: Mapping[str, Any]
    ) -> Requirements:
        """The requirements of an operation of this valid document; computed again only where variables matter."""
        if operation_name in self._requirements:
            return self._requirements[operation_name]
        operation = get_operation_ast(self.parsed, operation_name)
        if operation is None:
            return EVERYTHING
        values = Variables(operation, variables)
        requirements = operation_requirements(schema, operation, self.fragments, values)
        if not values.were_read:
            self._requirements[operation_name] = requirements
        return requirements

    def has_several_operations(self) -> bool:
        """Whether a request has to name the operation it means."""
        return sum(isinstance(each, OperationDefinitionNode) for each in self.parsed.definitions) > 1


_cache: LRUCache[tuple[str, int], Document] = LRUCache(CACHED_TEXT, getsizeof=lambda document: document.length)


def document(text: str, settings: Settings) -> Document:
    """The document of a text. Raises GraphQLError when it cannot be parsed, is too long, or has too many tokens."""
    if len(text) > settings.max_tokens * CHARACTERS_A_TOKEN:
        raise _refusal(too_long(len(text), settings))
    key = (text, settings.max_tokens)
    found = _cache.get(key)
    if found is None:
        found = Document(_parsed(text, settings), length=len(text))
        if found.length <= CACHED_TEXT // 10:  # one text must not evict nearly all others
            _cache[key] = found
    return found


def _parsed(text: str, settings: Settings) -> DocumentNode:
    try:
        return parse(text, max_tokens=settings.max_tokens)
    except GraphQLSyntaxError as error:
        if "tokens. Parsing aborted" in error.message:
            raise _refusal(too_many_tokens(settings)) from error
        if "nested too deeply" in error.message:
            raise _refusal(too_deep_to_parse()) from error
        raise


def is_out_of_budget(error: GraphQLError) -> bool:
    """Whether validation stopped comparing fields, and not because of too many mistakes."""
    return isinstance(error, ValidationAbortedError) and "Too many" not in error.message


def _refusal(over: OverLimit) -> GraphQLError:
    return GraphQLError(over.message, original_error=over)


class Preparation(SchemaExtension):
    """Parsing and validation in place of strawberry's own, whose caches miss when limits are validation rules."""

    _document: Document
    _cost = 0

    def on_parse(self) -> Iterator[None]:
        """Take the document from the cache, or parse it."""
        context = self.execution_context
        if context.query:
            self._document = document(context.query, context.context.settings)
            context.graphql_document = self._document.parsed
        yield

    async def on_validate(self) -> AsyncIterator[None]:
        """Check the limits, then validate: without limits, a document could make validation slow."""
        context = self.execution_context
        await self._pause()
        context.pre_execution_errors = self._refusals(context.context.settings)
        yield

    async def on_execute(self) -> AsyncIterator[None]:
        """Wait until the answer's cost fits beside those being computed, but leave time to ask the systems."""
        context = self.execution_context.context
        await self._pause()
        async with context.large_answers.taken(self._cost, seconds=context.settings.request_seconds / 2):
            yield

    async def _pause(self) -> None:
        """Let other tasks run before the next part of a long document, each of which may take some 30 ms."""
        if len(self.execution_context.query or "") > SHORT_TEXT:
            await asyncio.sleep(0)

    def _refusals(self, settings: Settings) -> list[GraphQLError]:
        """The errors that keep the operation from being executed."""
        if over := first_excess(self._document.size, settings):
            return [_refusal(over)]
        context = self.execution_context
        schema = context.schema._schema  # noqa: SLF001  # graphql-core's own, which strawberry has no other name for
        if over := has_too_many_values(context.variables or {}):
            return [_refusal(over)]
        if mistakes := self._document.mistakes(schema):
            return mistakes
        # Of several operations the request has to name one (GraphQL, GetOperation); strawberry would take the first.
        name = context._provided_operation_name  # noqa: SLF001  # the public name has that default in it
        if name is None and self._document.has_several_operations():
            return [GraphQLError("The query contains several operations; name one in operationName.")]
        self._cost = self._document.cost(schema, name, context.variables or {})
        if self._cost > settings.max_cost:
            fitting = self._document.fitting_limits(schema, name, context.variables or {}, settings.max_cost)
            return [_refusal(costs_too_much(self._cost, fitting, settings))]
        context.context.requirements = self._document.requirements(schema, name, context.variables or {})
        context.context.shapes = self._document.shapes
        context.context.cost = self._cost
        context.context.may_be_given_up = context.operation_type is OperationType.QUERY
        return []
