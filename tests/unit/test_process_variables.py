"""The process variables: what is read of an engine's answer, what it means together, and what may be written."""

import ast
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import msgspec
import pytest

import api
from api.errors import Refused
from api.upstreams.camunda.process_variables import (
    CHANGE_VARIABLES,
    NO_VARIABLES,
    VARIABLES,
    Decision,
    Outcome,
    ProcessVariables,
    Scalar,
    Verdict,
    condition,
    decisions_in,
    names,
    typed,
    written,
)
from api.upstreams.retool.draft_ids import as_key
from authentication.identity import usable_id

CODE = Path(api.__file__).parent
HOME = CODE / "upstreams" / "camunda" / "process_variables.py"
# These are also words of statuses, inputs, log records and reports: only a look-up of them is one of a variable.
PLAIN_WORDS = {"approved", "comment", "reason"}


@pytest.mark.parametrize("value", [None, True, 3, 1.5, "", "x" * 2000, "€" * 2000, "😀" * 1000])
def test_what_fits(value: Scalar) -> None:
    assert typed({"any": value})["any"]["value"] == value


@pytest.mark.parametrize(("value", "excess"), [("x" * 2001, 1), ("😀" * 1001, 2), ("\ud800" * 2001, 1)])
def test_what_does_not(value: str, excess: int) -> None:
    with pytest.raises(
        Refused, match=f"^Process variable any is {excess} characters too long for the engine; shorten it"
    ):
        typed({"first": "short", "any": value})


@pytest.mark.parametrize(
    ("longest", "too_long"), [("x" * 255, "x" * 256), ("😀" * 127, "😀" * 128), ("é" * 255, "é" * 256)]
)
def test_ids_fit_columns_of_255(longest: str, too_long: str) -> None:
    assert (usable_id(longest), usable_id(too_long)) == (longest, None)
    assert (as_key(longest, "text"), as_key(too_long, "text")) == (longest, None)


@pytest.mark.parametrize("name", [name for name in VARIABLES if name not in names("publish_at")])
@pytest.mark.parametrize("value", [None, "", " \t", "None", "a text", 7, True])
def test_what_is_read_is_a_text_or_none(name: str, value: Scalar) -> None:
    """Flags are read where they are flags: "true" decides nothing."""
    read = msgspec.to_builtins(ProcessVariables.read({name: value}))
    is_flag = name in names("approved", "changes_requested", "conflict_detected", "decided_by_rule")
    as_text = None if value is None or not str(value).strip() else str(value)
    assert read[name] == ((value if value is True else None) if is_flag else as_text)
    assert {other for other, found in read.items() if found is not None} <= {name}


@pytest.mark.parametrize(
    ("stored", "instant"),
    [
        ("2026-11-23T14:04:14.133+0000", datetime(2026, 11, 23, 14, 4, 14, 133000, UTC)),
        ("2027-01-01T05:30:00.000+0530", datetime(2027, 1, 1, tzinfo=UTC)),
        ("2027-01-01T00:00:00Z", datetime(2027, 1, 1, tzinfo=UTC)),
        ("2027-01-01T00:00:00", None),
        ("2027-01-01", None),
        ("next month", None),
        ("", None),
        (1798761600000, None),
        (True, None),
        (None, None),
    ],
)
def test_what_is_read_is_an_instant_or_none(stored: Scalar, instant: datetime | None) -> None:
    assert ProcessVariables.read({"publishAt": stored}) == ProcessVariables(publish_at=instant)


@pytest.mark.parametrize(
    ("instant", "stored"),
    [
        (datetime(2027, 1, 1, tzinfo=timezone(timedelta(hours=-5))), "2027-01-01T05:00:00.000+0000"),
        (datetime(2027, 1, 1, 0, 0, 0, 999999, UTC), "2027-01-01T00:00:00.999+0000"),
        (datetime(33, 4, 3, tzinfo=UTC), "0033-04-03T00:00:00.000+0000"),
    ],
)
def test_an_instant_is_written_in_the_form_that_the_engine_reads(instant: datetime, stored: str) -> None:
    assert typed(written(publish_at=instant)) == {"publishAt": {"value": stored, "type": "Date"}}
    assert condition("publish_at", instant, "lt") == {"name": "publishAt", "operator": "lt", "value": stored}


def test_variables_of_other_models_are_no_concern_of_ours() -> None:
    assert ProcessVariables.read({"amount": 7, "draft_id": "D", "decision_t": "{}"}) == NO_VARIABLES


def test_what_is_written_is_read_again() -> None:
    given = written(draft_id="D", base_version=None, approved=False, comment="Why?")
    assert given == {"draftId": "D", "baseVersion": None, "approved": False, "comment": "Why?"}
    assert ProcessVariables.read(given) == ProcessVariables(draft_id="D", approved=False, comment="Why?")
    assert {name: value["value"] for name, value in typed(given).items()} == given


@pytest.mark.parametrize("wrong", ["draftId", "draft", ""])
def test_a_field_that_is_none_is_noticed_at_once(wrong: str) -> None:
    for act in (lambda: names(wrong), lambda: condition(wrong, "x"), lambda: written(**{wrong: "x"})):
        with pytest.raises(KeyError):
            act()


@pytest.mark.parametrize(
    ("variables", "decided", "unpublished"),
    [
        ({}, None, Outcome.WITHDRAWN),
        ({"approved": None}, None, Outcome.WITHDRAWN),
        ({"approved": "true"}, None, Outcome.WITHDRAWN),
        ({"approved": True}, Outcome.APPROVED, Outcome.WITHDRAWN),
        ({"approved": True, "changesRequested": True}, Outcome.APPROVED, Outcome.WITHDRAWN),
        ({"approved": False}, Outcome.REJECTED, Outcome.REJECTED),
        ({"approved": False, "changesRequested": True}, Outcome.RETURNED, Outcome.RETURNED),
        ({"approved": False, "changesRequested": False, "conflictDetected": False}, *[Outcome.REJECTED] * 2),
        ({"approved": True, "conflictDetected": True}, Outcome.CONFLICT, Outcome.CONFLICT),
        ({"changesRequested": True, "conflictDetected": True}, Outcome.CONFLICT, Outcome.CONFLICT),
        ({"conflictDetected": "true", "approved": False}, Outcome.REJECTED, Outcome.REJECTED),
    ],
)
@pytest.mark.parametrize("recorded", [None, "superseded", "withdrawn", "a word of another model", "None"])
def test_how_an_approval_ended_has_one_reading(
    variables: dict[str, Scalar], decided: Outcome | None, unpublished: Outcome, recorded: str | None
) -> None:
    """What the process recorded, else what its reviewers decided."""
    read = ProcessVariables.read({**variables, "approvalOutcome": recorded})
    known = Outcome(recorded) if recorded in ("superseded", "withdrawn") else None
    assert (read.decided_outcome, read.unpublished_outcome) == (decided, unpublished)
    assert (read.recorded_outcome, read.outcome) == (known, known or decided)


@pytest.mark.parametrize(
    ("plan_id", "version_id", "base"),
    [("P", "1", ("P", "1")), ("P", None, None), (None, "1", None), (None, None, None)],
)
def test_a_base_is_a_plan_and_its_version(
    plan_id: str | None, version_id: str | None, base: tuple[str, str] | None
) -> None:
    assert ProcessVariables(aidbox_plan_id=plan_id, base_version=version_id).base == base


def test_decisions_are_read_oldest_first_and_nothing_else_is_one() -> None:
    def decision(day: int) -> Decision:
        return Decision(Verdict.REJECTED, Verdict.REJECTED, "ann", datetime(2027, 1, day, tzinfo=UTC), "review")

    stored: dict[str, Scalar] = {f"decision_{day}": msgspec.json.encode(decision(day)).decode() for day in (3, 1, 2)}
    stored |= {"decision_a": "no JSON", "decision_b": "{}", "decision_c": None, "decision_d": 7}
    assert list(decisions_in(stored).items()) == [(str(day), decision(day)) for day in (1, 2, 3)]


def _look_ups(tree: ast.AST) -> Iterator[str]:
    """The strings by which something is looked up: `x["a"]` and `x.get("a")`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
            yield str(node.slice.value)
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "get"
            and node.args
        ):
            yield from (str(each.value) for each in node.args[:1] if isinstance(each, ast.Constant))


def _strings(tree: ast.AST) -> Iterator[str]:
    """All strings, but the fields of inputs that refusals name: some are called as a variable is."""
    fields = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.keyword) and node.arg == "field"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in fields:
            yield node.value


@pytest.mark.parametrize("file", [file for file in CODE.rglob("*.py") if file != HOME], ids=str)
def test_their_names_stand_nowhere_else(file: Path) -> None:
    tree = ast.parse(file.read_text("utf-8"))
    assert set(_strings(tree)) & ({*VARIABLES, *CHANGE_VARIABLES, "decision_", "decider"} - PLAIN_WORDS) == set()
    assert set(_look_ups(tree)) & {*VARIABLES, *CHANGE_VARIABLES} == set()
