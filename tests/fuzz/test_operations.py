"""Valid operations by schemathesis, a root field at a time, with ids that are there among those that are not."""

import re
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from graphql import NameNode, ObjectFieldNode, ObjectValueNode, StringValueNode
from hypothesis import strategies as st
from schemathesis.core.result import Ok

from tests.fuzz.conftest import Try, check
from tests.serving import Api, Someone

SDL = Path(__file__).parent.parent.parent / "schema.graphql"
SCHEMA = schemathesis.graphql.from_path(SDL)
FIELDS = {each.ok().label: each.ok() for each in SCHEMA.get_all_operations() if isinstance(each, Ok)}
EVERYTHING = Someone("author", ("benefit-reviewers", "benefit-admins"))
NAMES = "id|ids|draftId|taskId|planId|versionId|userId|createdBy|submittedBy|aidboxId"
ID = re.compile(rf'\b({NAMES}): ("(?:[^"\\]|\\.)*"|\d+)')


def representation(key: tuple[str, str]) -> ObjectValueNode:
    """An entity of this type and id."""
    values = zip(("__typename", "id", "versionId"), (*key, "1"), strict=True)
    fields = (ObjectFieldNode(name=NameNode(value=name), value=StringValueNode(value=value)) for name, value in values)
    return ObjectValueNode(fields=tuple(fields))


KINDS = st.sampled_from(["Draft", "Task", "PlanVersion", "Nobody"])
schemathesis.graphql.scalar("DateTime", st.datetimes().map(lambda at: StringValueNode(value=f"{at.isoformat()}Z")))
schemathesis.graphql.scalar("JSON", st.text(max_size=20).map(lambda text: StringValueNode(value=text)))
schemathesis.graphql.scalar("_Any", st.tuples(KINDS, st.text(max_size=10)).map(representation))


@pytest.mark.parametrize("label", FIELDS)
def test_a_valid_operation_has_an_answer(fuzzed: Api, known: list[str], attempt: Try[Any], label: str) -> None:
    @st.composite
    def operations(draw: st.DrawFn) -> str:
        text = str(draw(FIELDS[label].as_strategy()).body)
        ids = st.sampled_from(known)
        return ID.sub(lambda found: f'{found[1]}: "{draw(ids)}"' if draw(st.booleans()) else found[0], text)

    attempt(operations(), lambda text: check(fuzzed.post(text, EVERYTHING)))
