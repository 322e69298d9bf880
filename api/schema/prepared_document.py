"""Documents made ready before execution: parsed, measured, validated, and kept for the next request with the same text.

`Ready` is the schema's one extension. What depends on the text alone is done once a text; what depends on variables
or settings each time.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import msgspec
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

from api.bounded_cache import BoundedCache
from api.errors import OverLimit
from api.requirements import EVERYTHING, Requirements
from api.schema.answer_cost import answer_cost
from api.schema.document_limits import (
    CHARACTERS_A_TOKEN,
    costs_too_much,
    first_excess,
    has_too_many_values,
    too_deep_to_read,
    too_long,
    too_many_tokens,
    too_much_alike,
)
from api.schema.document_size import document_size
from api.schema.requires import operation_requirements
from api.settings import Settings
from columnar.document_walk import Variables, fragments_of
from columnar.shape_cache import ShapeCache

RULES = (*specified_rules, MaybeNullValidationRule, OneOfInputValidationRule)
MOST_ERRORS = 20
# Fields with one name in one place are compared with each other, pair by pair, and so are fragments: some 30 ms of CPU
# are this much of graphql-core's budget, whose own 500,000 are most of a second. 140 times the same field fit in.
overlapping_fields_can_be_merged.MAX_COMPLEXITY_BUDGET = 20_000
SHORT_TEXT = 2_000  # characters
MOST_COSTS = 16  # kept of one document, with variables that take so many bytes
LONGEST_VARIABLES = 100
KEPT_TEXT = 250_000  # characters of all kept documents; in memory a document takes some hundred times its text


class Document:
    """A parsed text and what was found out about it so far."""

    def __init__(self, parsed: DocumentNode) -> None:
        self.parsed = parsed
        self.size = document_size(parsed)
        self.fragments = fragments_of(parsed)
        self.shapes = ShapeCache()
        self._mistakes: list[GraphQLError] | None = None
        self._costs: dict[tuple[str | None, bytes], int] = {}
        self._requirements: dict[str | None, Requirements] = {}

    def mistakes(self, schema: GraphQLSchema) -> list[GraphQLError]:
        """What validation finds. To be asked only of documents within their limits."""
        if self._mistakes is None:
            found = validate(schema, self.parsed, RULES, max_errors=MOST_ERRORS)
            self._mistakes = [_refusal(too_much_alike()) if is_out_of_budget(error) else error for error in found]
        return self._mistakes

    def cost(self, schema: GraphQLSchema, operation_name: str | None, variables: Mapping[str, Any]) -> int:
        """What an operation of this valid document can cost; counted again only where variables change it."""
        alone, asked = (operation_name, b""), (operation_name, msgspec.json.encode(variables))
        if (known := self._costs.get(alone, self._costs.get(asked))) is not None:
            return known
        operation = get_operation_ast(self.parsed, operation_name)
        if operation is None:
            return 0
        values = Variables(operation, variables)
        cost = answer_cost(schema, operation, self.fragments, values)
        self._keep_cost(asked if values.were_read else alone, cost)
        return cost

    def _keep_cost(self, key: tuple[str | None, bytes], cost: int) -> None:
        if len(key[1]) > LONGEST_VARIABLES:
            return
        if len(self._costs) >= MOST_COSTS:
            self._costs.clear()
        self._costs[key] = cost

    def requirements(
        self, schema: GraphQLSchema, operation_name: str | None, variables: Mapping[str, Any]
    ) -> Requirements:
        """What an operation of this valid document reads; looked through again only where variables change it."""
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
        """Whether a request has to say which one it means."""
        return sum(isinstance(each, OperationDefinitionNode) for each in self.parsed.definitions) > 1


_kept: BoundedCache[tuple[str, int], Document] = BoundedCache(KEPT_TEXT)


def document(text: str, settings: Settings) -> Document:
    """The document of a text. Raises GraphQLError for what can not be parsed, is too long, or has too many tokens."""
    if len(text) > settings.max_tokens * CHARACTERS_A_TOKEN:
        raise _refusal(too_long(len(text), settings))
    key = (text, settings.max_tokens)
    found = _kept.get(key)
    if found is None:
        found = Document(_parsed(text, settings))
        _kept.put(key, found, len(text))
    return found


def _parsed(text: str, settings: Settings) -> DocumentNode:
    try:
        return parse(text, max_tokens=settings.max_tokens)
    except GraphQLSyntaxError as error:
        if "tokens. Parsing aborted" in error.message:
            raise _refusal(too_many_tokens(settings)) from error
        if "nested too deeply" in error.message:
            raise _refusal(too_deep_to_read()) from error
        raise


def is_out_of_budget(error: GraphQLError) -> bool:
    """Whether validation gave up comparing fields, rather than listing further mistakes."""
    return isinstance(error, ValidationAbortedError) and "Too many" not in error.message


def _refusal(over: OverLimit) -> GraphQLError:
    return GraphQLError(over.message, original_error=over)


class Ready(SchemaExtension):
    """Takes the place of strawberry's own parsing and validation, whose caches miss when limits are rules."""

    _document: Document
    _cost = 0

    def on_parse(self) -> Iterator[None]:
        """Find the document or parse it."""
        context = self.execution_context
        if context.query:
            self._document = document(context.query, context.context.settings)
            context.graphql_document = self._document.parsed
        yield

    async def on_validate(self) -> AsyncIterator[None]:
        """Limits first: validation itself can be made slow."""
        context = self.execution_context
        await self._pause()
        context.pre_execution_errors = self._refusals(context.context.settings)
        yield

    async def on_execute(self) -> AsyncIterator[None]:
        """Once there is room for it, while there is time left to ask the systems."""
        context = self.execution_context.context
        await self._pause()
        async with context.large_answers.taken(self._cost, seconds=context.settings.request_seconds / 2):
            yield

    async def _pause(self) -> None:
        """Others have a turn before a long document's next part, each of which may take some 30 ms."""
        if len(self.execution_context.query or "") > SHORT_TEXT:
            await asyncio.sleep(0)

    def _refusals(self, settings: Settings) -> list[GraphQLError]:
        """Why this is not executed, if it is not."""
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
            return [GraphQLError("operationName must say which of the operations is meant.")]
        self._cost = self._document.cost(schema, name, context.variables or {})
        if over := costs_too_much(self._cost, settings):
            return [_refusal(over)]
        context.context.requirements = self._document.requirements(schema, name, context.variables or {})
        context.context.shapes = self._document.shapes
        context.context.cost = self._cost
        context.context.may_be_given_up = context.operation_type is OperationType.QUERY
        return []
