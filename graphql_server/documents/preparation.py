"""Preparation of operations before execution: parsing, limits, validation, cost, requirements, admission.

`Preparation` is the one extension of a schema.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple, Protocol

from graphql import GraphQLError
from strawberry.extensions import SchemaExtension
from strawberry.types.graphql import OperationType

from columnar.shape_cache import ShapeCache
from graphql_server.documents.document import Document, Documents, refusal
from graphql_server.documents.document_limits import (
    DocumentLimits,
    costs_too_much,
    first_excess,
    has_too_many_values,
)
from graphql_server.documents.field_requirements import Required

SHORT_TEXT = 2_000  # characters


class Prepared(NamedTuple):
    """What is known of an operation before it is executed.

    `cost`: of its answer. `required`: what its fields require. `shapes`: for the executor, cached with the document.
    """

    cost: int
    required: Required
    shapes: ShapeCache
    is_query: bool


class PreparedContext(Protocol):
    """What the extension needs of the context of a request."""

    @property
    def document_limits(self) -> DocumentLimits:
        """The limits of documents."""

    def prepare(self, prepared: Prepared) -> None:
        """Take what is known of the operation, which is about to be executed."""

    def answer_slots(self, cost: int) -> AbstractAsyncContextManager[None]:
        """Slots for an answer of this cost, held while it is computed. Raises OverLimit when there are none."""


class Preparation(SchemaExtension):
    """Parsing and validation in place of strawberry's own, whose caches miss when limits are validation rules.

    A schema has it as `extensions=[partial(Preparation, Documents(rules))]`; its contexts are each a PreparedContext.
    """

    _document: Document
    _cost = 0

    def __init__(self, documents: Documents) -> None:
        super().__init__()
        self._documents = documents

    def on_parse(self) -> Iterator[None]:
        """Take the document from the cache, or parse it."""
        context = self.execution_context
        if context.query:
            self._document = self._documents.of(context.query, context.context.document_limits)
            context.graphql_document = self._document.parsed
        yield

    async def on_validate(self) -> AsyncIterator[None]:
        """Check the limits, then validate: without limits, a document could make validation slow."""
        context = self.execution_context
        await self._pause()
        context.pre_execution_errors = self._refusals(context.context.document_limits)
        yield

    async def on_execute(self) -> AsyncIterator[None]:
        """Wait until the answer's cost fits beside those being computed."""
        await self._pause()
        async with self.execution_context.context.answer_slots(self._cost):
            yield

    async def _pause(self) -> None:
        """Let other tasks run before the next part of a long document, each of which may take some 30 ms."""
        if len(self.execution_context.query or "") > SHORT_TEXT:
            await asyncio.sleep(0)

    def _refusals(self, limits: DocumentLimits) -> list[GraphQLError]:
        """The errors that keep the operation from being executed."""
        if over := first_excess(self._document.size, limits):
            return [refusal(over)]
        context = self.execution_context
        schema = context.schema._schema  # noqa: SLF001  # graphql-core's own, which strawberry has no other name for
        if over := has_too_many_values(context.variables or {}):
            return [refusal(over)]
        if mistakes := self._document.mistakes(schema):
            return mistakes
        # Of several operations the request has to name one (GraphQL, GetOperation); strawberry would take the first.
        name = context._provided_operation_name  # noqa: SLF001  # the public name has that default in it
        if name is None and self._document.has_several_operations():
            return [GraphQLError("The query contains several operations; name one in operationName.")]
        self._cost = self._document.cost(schema, name, context.variables or {})
        if self._cost > limits.max_cost:
            fitting = self._document.fitting_limits(schema, name, context.variables or {}, limits.max_cost)
            return [refusal(costs_too_much(self._cost, fitting, limits))]
        required = self._document.requirements(schema, name, context.variables or {})
        is_query = context.operation_type is OperationType.QUERY
        context.context.prepare(Prepared(self._cost, required, self._document.shapes, is_query=is_query))
        return []
