"""What an OperationOutcome says, in whatever form a store sends it."""

import json
import re
from pathlib import Path

import pytest

from fhir_answers.operation_outcome import LONGEST_TEXT, code, words


def issue(**parts: object) -> dict[str, object]:
    return {"severity": "error", "code": "invalid", **parts}


@pytest.mark.parametrize(
    ("issues", "said"),
    [
        ([issue(expression=["InsurancePlan.name"], diagnostics="The property must be an array")],
         "InsurancePlan.name: The property must be an array"),
        ([issue(expression="InsurancePlan.name", diagnostics="Wrong")], "InsurancePlan.name: Wrong"),
        ([issue(location=["InsurancePlan.plan[0]", "Line[1] Col[2]"], diagnostics="Wrong")],
         "InsurancePlan.plan[0], Line[1] Col[2]: Wrong"),
        ([issue(expression=["InsurancePlan.name"], location=["/f:InsurancePlan"], diagnostics="Wrong")],
         "InsurancePlan.name: Wrong"),
        ([issue(expression=["a.b"], diagnostics="a.b is wrong")], "a.b is wrong"),
        ([issue(diagnostics="One"), issue(diagnostics="Two", expression=["x"]), issue(diagnostics="One")],
         "One; x: Two"),
        ([issue(severity="warning", diagnostics="Odd"), issue(severity="fatal", diagnostics="Wrong")],
         "Wrong; Odd (warning)"),
        ([issue(severity="information", diagnostics="Known")], "Known (information)"),
        ([{"diagnostics": "No severity"}], "No severity"),
        ([issue(details={"text": "In words"}, expression=["x"])], "x: In words"),
        ([issue(details={"coding": [{"code": "MSG"}]})], "MSG"),
        ([issue(details={"coding": [{"code": "MSG", "display": "A message"}]})], "A message"),
        ([issue(details="not a concept")], "not a concept"),
        ([issue(expression=["x"])], "x: invalid"),
        ([issue(diagnostics={"path": ["name"], "reason": "wrong"}, expression=["x"])],
         'x: {"path":["name"],"reason":"wrong"}'),
        ([issue(diagnostics=["One", None, "Two"])], "One, Two"),
        ([issue(diagnostics=12.50)], "12.5"),
        ([issue(diagnostics=True, expression=7)], "7: true"),
        ([issue(diagnostics="", details={"text": None}, code=None)], ""),
        ([issue(diagnostics="x" * 501)], "x" * LONGEST_TEXT + "…"),
        (["odd", None, 1, issue(diagnostics="Wrong")], "Wrong"),
        ("odd", ""),
        (None, ""),
        ([], ""),
    ],
)  # fmt: skip
def test_words(issues: object, said: str) -> None:
    assert words(json.dumps({"resourceType": "OperationOutcome", "issue": issues}).encode()) == said


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null", b"7", b'"text"', b"{}", b"\xff", b"[" * 100_000])
def test_what_is_no_outcome_says_nothing(body: bytes) -> None:
    assert (words(body), code(body)) == ("", None)


def test_the_code_is_the_first_there_is() -> None:
    issues = [issue(code=None), issue(code="not-found"), issue(code="invalid")]
    assert code(json.dumps({"issue": issues}).encode()) == "not-found"


def test_the_example_of_the_package() -> None:
    page = Path(__file__).parents[2] / "fhir_answers" / "README.md"
    (code_of_page,) = re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    exec(compile(code_of_page, str(page), "exec"), {})  # noqa: S102  # our own page
