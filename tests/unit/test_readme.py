"""The README against the code: every setting, code, variable and command it names is there, and the other way round."""

import re
from pathlib import Path

import pytest
from graphql import parse, validate

from api import settings
from api.errors import OVERLOADED, Misconfigured, UpstreamFailed, UserErrorCode
from api.schema import schema, schema_text
from api.upstreams.engine import VARIABLES

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "README.md").read_text("utf-8")


def all_kinds(root: type[UpstreamFailed]) -> list[type[UpstreamFailed]]:
    """The class and everything below it."""
    return [root, *(kind for child in root.__subclasses__() for kind in all_kinds(child))]


def test_the_settings_table_is_what_the_code_has() -> None:
    block = README.partition("<!-- settings -->\n")[2].partition("<!-- /settings -->")[0]
    assert block == settings.table(), "run `plan-api settings` and put its output between the two comments"


def test_every_user_error_code_has_its_row() -> None:
    section = README.partition("| `userErrors` code |")[2].partition("\n\n")[0]
    assert re.findall(r"^\| `(\w+)`", section, re.MULTILINE) == [code.value for code in UserErrorCode]


def test_every_failure_code_has_its_row() -> None:
    section = README.partition("| `errors` code |")[2].partition("\n\n")[0]
    named = set(re.findall(r"`([A-Z_]+)`", section))
    ours = {kind.code for kind in all_kinds(UpstreamFailed)} | {Misconfigured.code}
    assert named == ours | _codes_of_refusals()


def _codes_of_refusals() -> set[str]:
    """The codes that transport and schema give of their own."""
    files = [*(ROOT / "api" / "transport").glob("*.py"), *(ROOT / "api" / "schema").glob("*.py")]
    words = {word for file in files for word in re.findall(r'"([A-Z]+(?:_[A-Z]+)+)"', file.read_text("utf-8"))}
    return (words | {"UNAUTHENTICATED", OVERLOADED}) - _values_of_enums()


def _values_of_enums() -> set[str]:
    return {name for kind in schema._schema.type_map.values() for name in getattr(kind, "values", {})}


def test_every_process_variable_is_explained() -> None:
    section = README.partition("| process variable |")[2].partition("\n\n")[0]
    assert set(VARIABLES) <= set(re.findall(r"`(\w+)`", section))


@pytest.mark.parametrize("query", re.findall(r"```graphql\n(.*?)```", README, re.DOTALL))
def test_every_query_fits_the_schema(query: str) -> None:
    assert validate(schema._schema, parse(query)) == []


def test_the_committed_schema_is_the_servers() -> None:
    assert (ROOT / "schema.graphql").read_text("utf-8") == schema_text(), "run `make schema`"


def test_every_file_the_readme_names_is_there() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_every_test_the_readme_names_is_there() -> None:
    named = re.findall(r"\[`(test_\w+)`\]\((tests/[\w/]+\.py)\)", README)
    assert len(named) > 20
    assert [name for name, file in named if f"def {name}(" not in (ROOT / file).read_text("utf-8")] == []


def test_every_make_target_it_names_is_there() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert set(re.findall(r"(?:`|^)make ([a-z]+)", README, re.MULTILINE)) <= targets
