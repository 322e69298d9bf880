"""Plans as documents: what can be read, what is refused, what is sent to the store, and what counts as the same."""

import hashlib
import json
import uuid
from decimal import Decimal
from typing import Any

import pytest

from plandiff import plan_document
from plandiff.matching import canonical
from plandiff.plan_document import PROCESS_TAG, InvalidPlan
from tests.serving import GOLD

PLAN = {"resourceType": "InsurancePlan", "name": "A plan"}
OURS = {"system": PROCESS_TAG, "code": "process"}
OTHER = {"system": "urn:other", "code": "kept"}


def parsed(text: str | bytes, max_bytes: int = 100_000) -> dict[str, Any]:
    return plan_document.parse(text, max_bytes=max_bytes)


def nested(levels: int) -> str:
    """A plan of so many levels, its own object the first."""
    return '{"resourceType":"InsurancePlan","x":' + "[" * (levels - 1) + "]" * (levels - 1) + "}"


def test_decimals_are_read_digit_by_digit() -> None:
    plan = parsed('{"resourceType":"InsurancePlan","a":1500.00,"b":0.10,"c":1500,"d":-0.0}')
    assert [repr(plan[key]) for key in "abcd"] == [
        "Decimal('1500.00')",
        "Decimal('0.10')",
        "1500",
        "Decimal('-0.0')",
    ]


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "{", "nul", "null", "1", '"InsurancePlan"', "[]", "{}", '{"resourceType":null}'),
        *('{"resourceType":"insuranceplan"}', '{"resourceType":["InsurancePlan"]}', '{"resourceType":"Patient"}'),
        '{"resourceType":"InsurancePlan","x":NaN}',
        '{"resourceType":"InsurancePlan"} {}',
        '{"resourceType":"InsurancePlan","x":"\\ud800"}',
        nested(65),
        nested(100_000),
    ],
    ids=lambda text: str(text)[:40],
)
def test_what_is_no_plan(text: str) -> None:
    with pytest.raises(InvalidPlan):
        parsed(text, max_bytes=1_000_000)


def test_the_deepest_plan() -> None:
    assert parsed(nested(64))["resourceType"] == "InsurancePlan"


def test_bytes_are_counted_not_characters() -> None:
    text = json.dumps({**PLAN, "alias": "€€"}, ensure_ascii=False)
    size = len(text.encode())
    assert size == len(text) + 4
    assert parsed(text, max_bytes=size)["alias"] == "€€"
    for too_big in (text, text.encode()):
        with pytest.raises(InvalidPlan, match=f"has {size} bytes; at most {size - 1} can be"):
            parsed(too_big, max_bytes=size - 1)


@pytest.mark.parametrize(
    ("plan", "is_fit"),
    [
        ({"name": "A plan"}, True),
        ({"identifier": [{"value": "1"}]}, True),
        ({"name": "", "identifier": []}, False),
        ({}, False),
        *(({"name": "A plan", "status": status}, True) for status in ("draft", "active", "retired", "unknown", None)),
        *(({"name": "A plan", "status": odd}, False) for odd in ("approved", "Active", "", 1)),
        ({"name": "A plan", "status": ["active"]}, False),
    ],
)
def test_rules_that_stores_differ_on(plan: dict[str, Any], is_fit: bool) -> None:  # noqa: FBT001  # a column of the table
    assert (list(plan_document.broken_rules(plan)) == []) is is_fit


@pytest.mark.parametrize(
    ("draft_id", "plan_id"),
    [
        (str(uuid.UUID(int=7)), str(uuid.UUID(int=7))),
        ("3F6C2A54-6D0C-4D6E-9F0B-2F6F6F2F9A01", "3f6c2a54-6d0c-4d6e-9f0b-2f6f6f2f9a01"),
        ("42", "plan-42"),
        ("summit.gold-1", "plan-summit.gold-1"),
        ("x" * 59, "plan-" + "x" * 59),
        *((odd, f"plan-{hashlib.sha256(odd.encode()).hexdigest()[:40]}") for odd in ("x" * 60, "a_b", "a b", "ü", "")),
    ],
)
def test_the_id_of_a_new_plan(draft_id: str, plan_id: str) -> None:
    if draft_id:
        assert plan_document.plan_id_for(draft_id) == plan_id
    assert len(plan_document.plan_id_for(draft_id)) <= 64


@pytest.mark.parametrize(
    ("meta", "sent"),
    [
        (None, {"tag": [OURS]}),
        ({}, {"tag": [OURS]}),
        ("odd", {"tag": [OURS]}),
        ({"versionId": "9", "lastUpdated": "2001"}, {"tag": [OURS]}),
        ({"profile": ["p"], "source": "s"}, {"profile": ["p"], "source": "s", "tag": [OURS]}),
        ({"tag": None}, {"tag": [OURS]}),
        ({"tag": [OTHER]}, {"tag": [OTHER, OURS]}),
        ({"tag": [OTHER, {"system": PROCESS_TAG, "code": "an older one"}]}, {"tag": [OTHER, OURS]}),
    ],
)
def test_what_is_sent(meta: object, sent: dict[str, Any]) -> None:
    plan = {**PLAN, "id": "its-own", "meta": meta}
    before = json.dumps(plan)
    assert plan_document.tagged_resource(plan, "plan", "process") == {**PLAN, "id": "plan", "meta": sent}
    assert json.dumps(plan) == before


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
        ({"a": {"x": 1, "y": 2}}, {"a": {"y": 2, "x": 1}}, True),
        ({"a": Decimal("1500.00")}, {"a": Decimal("1500.00")}, True),
        ({"a": Decimal("1500.00")}, {"a": Decimal("1500.0")}, False),
        ({"a": Decimal("1500.0")}, {"a": 1500}, False),
        ({"a": 1}, {"a": "1"}, False),
        ({"a": 1}, {"a": True}, False),
        ({"a": [1, 2]}, {"a": [2, 1]}, False),
        ({"a": None}, {}, False),
        ({"a": 1, "meta": {"versionId": "1"}}, {"a": 1, "meta": {"versionId": "2"}}, True),
    ],
)
def test_the_same_content(one: dict[str, Any], other: dict[str, Any], is_same: bool) -> None:  # noqa: FBT001  # a column of the table
    assert plan_document.same_content(one, other) is is_same
    assert plan_document.same_content(other, one) is is_same


@pytest.mark.parametrize(
    ("meta", "kept"),
    [
        (None, None),
        ({}, None),
        ("odd", None),
        ({"versionId": "9", "lastUpdated": "2001", "source": "#s"}, None),
        ({"tag": [OURS, {**OURS, "display": "a digest"}]}, None),
        ({"tag": "odd", "profile": None, "security": []}, None),
        ({"tag": [OURS, OTHER], "versionId": "9"}, {"tag": [OTHER]}),
        ({"profile": ["p"], "security": [OTHER]}, {"profile": ["p"], "security": [OTHER]}),
        *(
            ({"extension": [{"url": url}, {"url": "urn:of-the-team"}]}, {"extension": [{"url": "urn:of-the-team"}]})
            for url in (
                "https://fhir.example.com/StructureDefinition/created-at",
                "https://a/ex/createdAt",
                "createdAt",
            )
        ),
        ({"extension": [{"url": "urn:not-created-at"}]}, {"extension": [{"url": "urn:not-created-at"}]}),
        ({"extension": [{"url": 7}, None]}, {"extension": [{"url": 7}, None]}),
    ],
)
def test_what_of_meta_goes_into_a_draft(meta: object, kept: object) -> None:
    document = {**PLAN, "meta": meta, "status": "draft"}
    expected = {**PLAN, "status": "draft"} | ({} if kept is None else {"meta": kept})
    assert plan_document.editable(document) == expected


AMOUNT = Decimal("1500.00")


@pytest.mark.parametrize(
    ("other", "is_same"),
    [
        (Decimal("1500.0"), True),
        (1500, True),
        (Decimal("1.5E+3"), True),
        (Decimal("1500.01"), False),
        ("1500.00", False),
    ],
)
def test_amounts_at_a_store_that_rewrites_numbers(other: object, is_same: bool) -> None:  # noqa: FBT001  # a column of the table
    one, changed = {"cost": [{"value": AMOUNT}]}, {"cost": [{"value": other}]}
    assert plan_document.same_content(one, changed, keeps_digits=False) is is_same
    assert plan_document.is_held({**PLAN, **one}, {**PLAN, **changed}, keeps_digits=False) is is_same
    assert plan_document.is_held({**PLAN, **one}, {**PLAN, **changed}) is False


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        (Decimal("-0.0"), 0, True),
        (True, 1, False),
        (False, 0, False),
        (Decimal(f"{'1' * 60}.10"), Decimal(f"{'1' * 60}.1"), True),
        (Decimal(f"{'1' * 60}.1"), Decimal(f"{'1' * 60}.2"), False),
        (12345678901234567890, 12345678901234567000, False),
        ({"b": 1, "a": [Decimal("2.0")]}, {"a": [2], "b": Decimal("1.000")}, True),
    ],
)
def test_what_counts_as_equal_where_digits_are_not_kept(one: object, other: object, is_same: bool) -> None:  # noqa: FBT001  # a column of the table
    assert (canonical(one, keeps_digits=False) == canonical(other, keeps_digits=False)) is is_same


@pytest.mark.parametrize(
    ("meta", "held", "is_held"),
    [
        ({}, {}, True),
        (None, {"versionId": "1", "source": "#x"}, True),
        ({"tag": [OURS]}, {}, True),
        ({"tag": [OURS]}, {"tag": [{"system": PROCESS_TAG, "code": "an older one"}]}, True),
        ({"tag": [OTHER, OURS]}, {"tag": [OTHER]}, True),
        ({"tag": [OTHER]}, {}, False),
        ({"profile": ["p"]}, {"profile": ["p", "q"]}, True),
        ({"profile": ["p"]}, {"profile": ["q"]}, False),
        ({"profile": ["p"]}, None, False),
        ({"security": [OTHER]}, {"tag": [OTHER]}, False),
    ],
)
def test_what_a_store_says_already(meta: object, held: object, is_held: bool) -> None:  # noqa: FBT001  # a column of the table
    assert plan_document.is_held({**PLAN, "meta": meta}, {**PLAN, "meta": held}) is is_held
    assert plan_document.is_held({**PLAN, "meta": meta}, {**PLAN, "name": "Another", "meta": held}) is False


def test_a_plan_survives_being_read_and_sent() -> None:
    plan = parsed(GOLD)
    again = plan_document.read(json.dumps(plan, default=float).encode())
    assert plan_document.same_content(plan_document.tagged_resource(plan, plan["id"], "process"), plan)
    assert not plan_document.same_content(again, plan)
