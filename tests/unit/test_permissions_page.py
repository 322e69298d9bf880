"""docs/permissions.md against the schema, the codes and the settings; its tables are tried by tests/matrix."""

import re
from pathlib import Path

from api.errors import UserErrorCode
from api.schema import schema
from api.settings import Settings
from tests.matrix.asking import FOR_OTHERS, MANY
from tests.matrix.page import PAGE, STATES, table
from tests.matrix.world import ROLES

ROOT = Path(__file__).parent.parent.parent
WITHOUT_STATE = {"createDraftFromPlan"}


def _mutations(names: set[str]) -> set[str]:
    return {name.partition(" ")[0] for name in names}


def test_every_mutation_has_its_row_and_its_column() -> None:
    ours = set(schema._schema.mutation_type.fields) - set(MANY)  # type: ignore[union-attr]  # there is one
    assert _mutations(set(table("may"))) == ours
    assert all(_mutations(set(row)) == ours - WITHOUT_STATE for row in table("when").values())
    assert set(next(iter(table("when").values()))) == set(table("may")) - WITHOUT_STATE


def test_every_mutation_of_many_stands_with_the_one_it_repeats() -> None:
    assert all(f"`{many}` is `{single}`" in PAGE for many, (single, _) in MANY.items())


def test_every_role_is_explained_and_has_its_column() -> None:
    explained = PAGE.partition("| role |")[2].partition("\n\n")[0]
    assert tuple(re.findall(r"^\| ([a-z ]+) \|", explained, re.MULTILINE)) == ROLES
    assert all(tuple(row) == ROLES for row in table("knows").values())
    assert all(tuple(row) == ("owner", *ROLES[1:]) for row in table("may").values())
    assert tuple(table("when")) == STATES


def test_who_may_be_named_is_what_the_inputs_have() -> None:
    inputs = {name: kind for name, kind in schema._schema.type_map.items() if name.endswith("Input")}
    named = {name for name, kind in inputs.items() if "userId" in getattr(kind, "fields", {})} - {"ReassignTaskInput"}
    verbs = _mutations(set(FOR_OTHERS)) | set(MANY)
    assert {f"{verb[0].upper()}{verb[1:]}Input" for verb in verbs} == named


def test_every_code_and_setting_it_names_is_there() -> None:
    words = set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+)", PAGE))
    assert words <= {code.value for code in UserErrorCode} | {name.upper() for name in Settings.model_fields}


def test_every_file_it_names_is_there() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", PAGE)
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []
    assert len(links) == 2
