"""Documents parsed, with what is known of each: size, mistakes, cost, requirements; and a cache of them by text.

What depends on the text alone is computed once for a text; what depends on variables, once for a request.
"""

from collections.abc import Mapping
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
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from columnar.document_walk import Variables, fragments_of
from columnar.shape_cache import ShapeCache
from graphql_server.documents.answer_cost import CostRules, Limited, answer_cost, fitting_limits
from graphql_server.documents.document_limits import (
    CHARACTERS_A_TOKEN,
    DocumentLimits,
    too_deep_to_parse,
    too_long,
    too_many_tokens,
    too_repetitive,
)
from graphql_server.documents.document_size import document_size
from graphql_server.documents.field_requirements import Required, operation_requirements
from graphql_server.refusals import OverLimit

RULES = (*specified_rules, MaybeNullValidationRule, OneOfInputValidationRule)
MOST_ERRORS = 20
# Fields with one response name in one place are compared with each other, pair by pair, and so are fragments. This
# budget is some 17 ms of CPU; graphql-core's default, 500,000, is most of a second. 130 times the same field fit in.
overlapping_fields_can_be_merged.MAX_COMPLEXITY_BUDGET = 17_000
MOST_COSTS = 16  # cached for one document, with variables of at most so many bytes
LONGEST_VARIABLES = 100
CACHED_TEXT = 250_000  # characters of all cached documents; in memory a document takes some hundred times its text


class Document:
    """A parsed document, with its size, its mistakes, costs and requirements once they are computed.

    `length`: characters of its text, by which the cache is bounded.
    """

    def __init__(self, parsed: DocumentNode, rules: CostRules, *, length: int = 0) -> None:
        self.parsed = parsed
        self._rules = rules
        self.length = length
        self.size = document_size(parsed)
        self.fragments = fragments_of(parsed)
        self.shapes = ShapeCache()
        self._mistakes: list[GraphQLError] | None = None
        self._costs: dict[tuple[str | None, bytes], int] = {}
        self._requirements: dict[str | None, Required] = {}

    def mistakes(self, schema: GraphQLSchema) -> list[GraphQLError]:
        """The mistakes that validation finds. Only for documents within their limits."""
        if self._mistakes is None:
            found = validate(schema, self.parsed, RULES, max_errors=MOST_ERRORS)
            self._mistakes = [refusal(too_repetitive()) if is_out_of_budget(error) else error for error in found]
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
        cost = answer_cost(schema, self._rules, operation, self.fragments, values)
        self._keep_cost(with_variables if values.were_read else alone, cost)
        return cost

    def fitting_limits(
        self, schema: GraphQLSchema, operation_name: str | None, variables: Mapping[str, Any], most: int
    ) -> list[Limited]:
        """What limits of an operation that costs too much could be lowered to. Only for a refusal."""
        operation = get_operation_ast(self.parsed, operation_name)
        if operation is None:
            return []
        values = Variables(operation, variables)
        return fitting_limits(schema, self._rules, operation, self.fragments, values, most=most)

    def _keep_cost(self, key: tuple[str | None, bytes], cost: int) -> None:
        if len(key[1]) > LONGEST_VARIABLES:
            return
        if len(self._costs) >= MOST_COSTS:
            self._costs.clear()
        self._costs[key] = cost

    def requirements(self, schema: GraphQLSchema, operation_name: str | None, variables: Mapping[str, Any]) -> Required:
        """The requirements of an operation of this valid document; computed again only where variables matter."""
        if operation_name in self._requirements:
            return self._requirements[operation_name]
        operation = get_operation_ast(self.parsed, operation_name)
        if operation is None:
            return None
        values = Variables(operation, variables)
        requirements = operation_requirements(schema, operation, self.fragments, values)
        if not values.were_read:
            self._requirements[operation_name] = requirements
        return requirements

    def has_several_operations(self) -> bool:
        """Whether a request has to name the operation it means."""
        return sum(isinstance(each, OperationDefinitionNode) for each in self.parsed.definitions) > 1


class Documents:
    """The documents of one schema, with a cache of those that were used last."""

    def __init__(self, rules: CostRules) -> None:
        self._rules = rules
        self._cache: LRUCache[tuple[str, int], Document] = LRUCache(CACHED_TEXT, getsizeof=lambda found: found.length)

    def of(self, text: str, limits: DocumentLimits) -> Document:
        """The document of a text. Raises GraphQLError when it cannot be parsed, is too long, or has too many tokens."""
        if len(text) > limits.max_tokens * CHARACTERS_A_TOKEN:
            raise refusal(too_long(len(text), limits))
        key = (text, limits.max_tokens)
        found = self._cache.get(key)
        if found is None:
            found = Document(_parsed(text, limits), self._rules, length=len(text))
            if found.length <= CACHED_TEXT // 10:  # one text must not evict nearly all others
                self._cache[key] = found
        return found

    def mistake_in(self, text: str, schema: GraphQLSchema) -> str | None:
        """The first mistake that keeps a text from being executed, or None; without limits, for texts of our own."""
        try:
            mistakes = Document(parse(text), self._rules).mistakes(schema)
        except GraphQLError as error:
            return error.message
        return mistakes[0].message if mistakes else None


def _parsed(text: str, limits: DocumentLimits) -> DocumentNode:
    try:
        return parse(text, max_tokens=limits.max_tokens)
    except GraphQLSyntaxError as error:
        if "tokens. Parsing aborted" in error.message:
            raise refusal(too_many_tokens(limits)) from error
        if "nested too deeply" in error.message:
            raise refusal(too_deep_to_parse()) from error
        raise


def is_out_of_budget(error: GraphQLError) -> bool:
    """Whether validation stopped comparing fields, and not because of too many mistakes."""
    return isinstance(error, ValidationAbortedError) and "Too many" not in error.message


def refusal(over: OverLimit) -> GraphQLError:
    """A refusal as the error of an operation."""
    return GraphQLError(over.message, original_error=over)
