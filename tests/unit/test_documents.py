"""Documents are parsed once for a text, in a bounded cache; and the example of graphql_server/README.md."""

import subprocess
import sys
from pathlib import Path

import pytest
from graphql import GraphQLError

from graphql_server.documents.answer_cost import CostRules
from graphql_server.documents.document import CACHED_TEXT, Documents
from graphql_server.documents.document_limits import DocumentLimits

README = Path(__file__).parents[2] / "graphql_server" / "README.md"
WITHOUT_THE_SERVICE = """
import sys
others = {"api", "authentication", "doctor", "plandiff", "resilience", "sandbox"}
assert not others & set(sys.modules), sorted(sys.modules)
"""


def limits(*, max_tokens: int = 50_000) -> DocumentLimits:
    return DocumentLimits(
        max_tokens=max_tokens,
        max_depth=5,
        max_introspection_depth=5,
        max_root_fields=5,
        max_aliases=5,
        max_directives=5,
        max_selections=5,
        max_cost=5,
        introspection=True,
    )


def text_of(length: int, name: str = "a") -> str:
    return f"{{ {name} }}".ljust(length)


def test_a_text_is_parsed_once() -> None:
    documents = Documents(CostRules(10))
    first = documents.of("{ a }", limits())
    assert documents.of("{ a }", limits()) is first
    assert documents.of("{ b }", limits()) is not first
    assert documents.of("{ a }", limits(max_tokens=100)) is not first
    assert Documents(CostRules(10)).of("{ a }", limits()) is not first


@pytest.mark.parametrize(("length", "is_cached"), [(CACHED_TEXT // 10, True), (CACHED_TEXT // 10 + 1, False)])
def test_one_text_does_not_evict_nearly_all_others(length: int, *, is_cached: bool) -> None:
    documents, text = Documents(CostRules(10)), text_of(length)
    assert (documents.of(text, limits()) is documents.of(text, limits())) is is_cached


def test_the_cache_is_bounded_and_the_oldest_goes() -> None:
    documents, texts = Documents(CostRules(10)), [text_of(CACHED_TEXT // 10, f"a{number}") for number in range(11)]
    found = [documents.of(text, limits()) for text in texts[:10]]
    assert documents.of(texts[0], limits()) is found[0]
    documents.of(texts[10], limits())
    assert documents.of(texts[0], limits()) is found[0]
    assert documents.of(texts[1], limits()) is not found[1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x" * 2001, "The query has 2001 characters; the limit is 2000. Use variables."),
        ("{" + " a" * 100 + "}", "The query has more than 100 tokens, the limit."),
        ("{", "Syntax Error: Expected Name, found <EOF>."),
    ],
)
def test_what_is_no_document(text: str, message: str) -> None:
    with pytest.raises(GraphQLError) as refusal:
        Documents(CostRules(10)).of(text, limits(max_tokens=100))
    assert refusal.value.message == message


def test_the_example_prints_what_the_page_says_without_the_service() -> None:
    _, example, _, printed, *_ = README.read_text(encoding="utf-8").split("```")
    code = example.removeprefix("python\n") + WITHOUT_THE_SERVICE
    run = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)  # noqa: S603  # our own page
    assert run.returncode == 0, run.stderr
    assert run.stdout == printed.lstrip("\n")
