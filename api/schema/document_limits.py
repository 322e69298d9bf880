"""What a document may ask, compared before anything is executed; each limit is a setting with the same name.

Called by documents.py. Each refusal is an OverLimit that says the limit and what was found.
"""

from collections.abc import Mapping
from typing import NamedTuple

from api.errors import OverLimit
from api.schema.document_size import DocumentSize
from api.settings import Settings

LARGEST_TOLD = 1_000_000
CHARACTERS_A_TOKEN = 20  # at most, on average: a text of a megabyte is one token too
MOST_VALUES = 10_000  # in variables


class Rule(NamedTuple):
    """A measure of DocumentSize, the setting that limits it, the refusal's code, and words for what is counted."""

    measure: str
    setting: str
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


def first_excess(size: DocumentSize, settings: Settings) -> OverLimit | None:
    """The first limit the document is over, if there is one. Fragments count wherever they are spread."""
    for rule in RULES:
        found, limit = getattr(size, rule.measure), getattr(settings, rule.setting)
        if found > limit:
            return excess(rule.code, rule.words, found, limit)
    if size.reads_schema and not settings.introspection:
        return OverLimit("INTROSPECTION_OFF", "This service does not describe its schema to clients.")
    return None


def costs_too_much(cost: int, settings: Settings) -> OverLimit | None:
    """The refusal of an answer that could get too large."""
    if cost <= settings.max_cost:
        return None
    return excess("QUERY_TOO_COSTLY", "values in its answer, or room for as many", cost, settings.max_cost)


def too_many_tokens(settings: Settings) -> OverLimit:
    """The refusal of a text that was not read to its end."""
    return OverLimit("TOO_MANY_TOKENS", f"The query has more than {settings.max_tokens} words and signs, the limit.")


def too_much_alike() -> OverLimit:
    """The refusal of a document whose fields and fragments are too many times the same to be compared."""
    return OverLimit("QUERY_TOO_LARGE", "The query has the same fields or fragments too often; ask for each once.")


def too_deep_to_read() -> OverLimit:
    """The refusal of a text the parser gives up on, which it does at 200 brackets in one another."""
    return OverLimit("QUERY_TOO_DEEP", "The query is nested too deeply to be read.")


def excess(code: str, words: str, found: int, limit: int) -> OverLimit:
    """One refusal."""
    message = str(found) if found <= LARGEST_TOLD else f"more than {LARGEST_TOLD}"
    return OverLimit(code, f"The query has {message} {words}; the limit is {limit}.")


def too_long(found: int, settings: Settings) -> OverLimit:
    """The refusal of a text that is not read at all."""
    limit = settings.max_tokens * CHARACTERS_A_TOKEN
    return OverLimit("QUERY_TOO_LARGE", f"The query has {found} characters; the limit is {limit}. Use variables.")


def has_too_many_values(variables: Mapping[str, object]) -> OverLimit | None:
    """The refusal of variables that would take long to look through."""
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
