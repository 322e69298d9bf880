"""The limits of documents, checked before anything is executed.

Each refusal is an OverLimit whose message has the limit and, where it is known, the number found.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from graphql_server.documents.answer_cost import Limited
from graphql_server.documents.document_size import DocumentSize
from graphql_server.refusals import OverLimit

LARGEST_NUMBER = 1_000_000
CHARACTERS_A_TOKEN = 20  # at most, on average: a text of a megabyte is one token too
MOST_VALUES = 10_000  # in variables


class DocumentLimits(msgspec.Struct, frozen=True):
    """The limits of a document and of the operations in it. `max_cost`: the most values that an answer may have.

    `introspection`: whether clients may read the schema.
    """

    max_tokens: int
    max_depth: int
    max_introspection_depth: int
    max_root_fields: int
    max_aliases: int
    max_directives: int
    max_selections: int
    max_cost: int
    introspection: bool


class Rule(NamedTuple):
    """A measure of DocumentSize, the field of DocumentLimits, the refusal's code, and words for what is counted."""

    measure: str
    limit: str
    code: str
    words: str


RULES = (
    Rule("depth", "max_depth", "QUERY_TOO_DEEP", "levels of fields"),
    Rule("introspection", "max_introspection_depth", "INTROSPECTION_TOO_DEEP", "levels of fields about the schema"),
    Rule("root_fields", "max_root_fields", "TOO_MANY_ROOT_FIELDS", "fields at its root"),
    Rule("aliases", "max_aliases", "TOO_MANY_ALIASES", "aliases"),
    Rule("directives", "max_directives", "TOO_MANY_DIRECTIVES", "directives"),
    Rule("selections", "max_selections", "QUERY_TOO_LARGE", "fields and fragments"),
)


def first_excess(size: DocumentSize, limits: DocumentLimits) -> OverLimit | None:
    """The refusal for the first limit that a document exceeds. Fragments count wherever they are spread."""
    for rule in RULES:
        found, limit = getattr(size, rule.measure), getattr(limits, rule.limit)
        if found > limit:
            return excess(rule.code, rule.words, found, limit)
    if size.reads_schema and not limits.introspection:
        return OverLimit("INTROSPECTION_OFF", "Introspection is switched off.")
    return None


def costs_too_much(cost: int, fitting: Sequence[Limited], limits: DocumentLimits) -> OverLimit:
    """The refusal of an operation whose answer could be too large, and what to lower."""
    over = excess("QUERY_TOO_COSTLY", "values that its answer could have", cost, limits.max_cost)
    ways = " or ".join(f"{each.name}(limit: {each.limit})" for each in fitting)
    advice = f"Ask for {ways}." if ways else "Ask for fewer fields or shorter lists."
    return OverLimit(over.code, f"{over.message} {advice}")


def too_many_tokens(limits: DocumentLimits) -> OverLimit:
    """The refusal of a document with too many tokens, which is not parsed to its end."""
    return OverLimit("TOO_MANY_TOKENS", f"The query has more than {limits.max_tokens} tokens, the limit.")


def too_repetitive() -> OverLimit:
    """The refusal of a document whose equal fields and fragments would take too long to compare with each other."""
    return OverLimit("QUERY_TOO_LARGE", "The query repeats the same fields or fragments too often; select each once.")


def too_deep_to_parse() -> OverLimit:
    """The refusal of a document that the parser rejects, as it does at 200 nested brackets."""
    return OverLimit("QUERY_TOO_DEEP", "The query is nested too deeply to be parsed.")


def excess(code: str, words: str, found: int, limit: int) -> OverLimit:
    """The refusal of a number that exceeds its limit."""
    message = str(found) if found <= LARGEST_NUMBER else f"more than {LARGEST_NUMBER}"
    return OverLimit(code, f"The query has {message} {words}; the limit is {limit}.")


def too_long(found: int, limits: DocumentLimits) -> OverLimit:
    """The refusal of a document that is too long to be parsed."""
    limit = limits.max_tokens * CHARACTERS_A_TOKEN
    return OverLimit("QUERY_TOO_LARGE", f"The query has {found} characters; the limit is {limit}. Use variables.")


def has_too_many_values(variables: Mapping[str, object]) -> OverLimit | None:
    """The refusal of variables with too many values."""
    found = 0
    waiting: list[object] = [variables]
    while waiting and found <= MOST_VALUES:
        part = waiting.pop()
        inner = part.values() if isinstance(part, Mapping) else part if isinstance(part, list) else ()
        found += len(inner)
        waiting += [each for each in inner if isinstance(each, list | dict)] if found <= MOST_VALUES else []
    if found <= MOST_VALUES:
        return None
    return OverLimit("QUERY_TOO_LARGE", f"The variables have more than {MOST_VALUES} values, the limit.")
