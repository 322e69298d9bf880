"""What of a plan a store did not keep: what counts as lost, and what stores may write in their own way."""

from decimal import Decimal
from typing import Any

import pytest

from plandiff.losses import PATHS_SHOWN, Loss, digest, explained, losses
from plandiff.plan_document import PROCESS_TAG
from tests.serving import GOLD
from tests.stories.behind import read

PLAN = {"resourceType": "InsurancePlan", "id": "plan", "name": "A plan"}
LABEL = {"system": "urn:labels", "code": "R", "display": "Restricted"}
NARRATIVE = {"status": "generated", "div": '<div a="1" b="2">x</div>'}


def dropped(*paths: str) -> list[Loss]:
    return [Loss(f"InsurancePlan.{path}", is_changed=False) for path in paths]


def changed(*paths: str) -> list[Loss]:
    return [Loss(f"InsurancePlan.{path}", is_changed=True) for path in paths]


@pytest.mark.parametrize(
    ("sent", "held"),
    [
        ({"a": 1, "b": {"c": 2, "d": 3}}, {"b": {"d": 3, "c": 2}, "a": 1}),
        ({"a": Decimal("1500.00")}, {"a": Decimal("1500.0")}),
        ({"a": Decimal("1500.00")}, {"a": 1500}),
        ({"a": Decimal("1E+3")}, {"a": 1000}),
        ({"a": None, "b": [], "c": {}, "d": "", "e": {"f": [None, {}]}}, {}),
        ({"a": ["x", None], "_a": [None, {"id": "1"}]}, {"a": ["x"], "_a": [{"id": "1"}]}),
        ({"a": 0, "b": False}, {"a": Decimal("0.0"), "b": False}),
        ({"text": NARRATIVE}, {"text": {"status": "generated", "div": '<div b="2" a="1">x</div>'}}),
        ({"text": NARRATIVE}, {"text": {"status": "additional", "div": "<div>anew</div>"}}),
        ({"contained": [{"id": "c", "text": NARRATIVE}]}, {"contained": [{"id": "c", "text": {"div": "<div/>"}}]}),
        ({"ownedBy": {"reference": "Organization/acme"}},
         {"ownedBy": {"reference": "https://store.example/fhir/Organization/acme"}}),
        ({"ownedBy": {"reference": "https://store.example/fhir/Organization/acme"}},
         {"ownedBy": {"reference": "Organization/acme"}}),
        ({"id": "another"}, {"id": "plan"}),
        ({"meta": {"versionId": "1", "lastUpdated": "2001", "source": "#a", "extension": [{"url": "x"}]}},
         {"meta": {"versionId": "2"}}),
        ({"meta": {"profile": ["p"], "tag": [LABEL], "security": [LABEL]}},
         {"meta": {"profile": ["q", "p"], "tag": [{**LABEL, "display": "Theirs"}, LABEL], "security": [LABEL]}}),
        ({}, {"status": "draft", "language": "en"}),
        ({"a": [{"b": 1}]}, {"a": [{"b": 1, "c": "by default"}]}),
    ],
)  # fmt: skip
def test_what_is_no_loss(sent: dict[str, Any], held: dict[str, Any]) -> None:
    assert list(losses({**PLAN, **sent}, {**PLAN, **held})) == []
    assert explained(losses({**PLAN, **sent}, {**PLAN, **held})) is None


@pytest.mark.parametrize(
    ("sent", "held", "lost"),
    [
        ({"kopay": 1}, {}, dropped("kopay")),
        ({"plan": [{"cost": {"value": 1, "kode": "x"}}]}, {"plan": [{"cost": {"value": 1}}]},
         dropped("plan[0].cost.kode")),
        ({"a": {"b": {"c": 1}}}, {}, dropped("a")),
        ({"name": ["A plan"]}, {}, changed("name")),
        ({"a": "12"}, {"a": 12}, changed("a")),
        ({"a": 1}, {"a": True}, changed("a")),
        ({"a": Decimal("1500.01")}, {"a": 1500}, changed("a")),
        ({"a": 12345678901234567890}, {"a": 12345678901234567000}, changed("a")),
        ({"a": "x "}, {"a": "x"}, changed("a")),
        ({"a": [{"b": 1}]}, {"a": {"b": 1}}, changed("a")),
        ({"a": [1, 2, 3]}, {"a": [1, 3]}, dropped("a[1]")),
        ({"a": [1, 1, 2]}, {"a": [1, 2]}, dropped("a[1]")),
        ({"a": [1, 2]}, {"a": [2, 1]}, changed("a[0]", "a[1]")),
        ({"a": [1]}, {"a": [1, 2]}, changed("a")),
        ({"a": [{"b": 1, "c": 2}, {"b": 3}]}, {"a": [{"b": 3}]}, dropped("a[0]")),
        ({"text": NARRATIVE}, {}, dropped("text")),
        ({"text": NARRATIVE}, {"text": {"status": "generated"}}, dropped("text.div")),
        ({"ownedBy": {"reference": "Organization/acme"}}, {"ownedBy": {"reference": "Organization/other"}},
         changed("ownedBy.reference")),
        ({"ownedBy": {"reference": "Organization/acme"}}, {"ownedBy": {"reference": "https://x/notOrganization/acme"}},
         changed("ownedBy.reference")),
        ({"a": "b"}, {"a": "https://x/b"}, changed("a")),
        ({"meta": {"profile": ["p", "q"]}}, {"meta": {"profile": ["q"]}}, dropped("meta.profile[0]")),
        ({"meta": {"security": [LABEL]}}, {"meta": {"tag": [LABEL]}}, dropped("meta.security[0]")),
        ({"meta": {"tag": [{"system": PROCESS_TAG, "code": "1"}]}}, {}, dropped("meta.tag[0]")),
        ({"x" * 500: 1}, {}, dropped("x" * 80)),
    ],
)  # fmt: skip
def test_what_is_lost(sent: dict[str, Any], held: dict[str, Any], lost: list[Loss]) -> None:
    assert list(losses({**PLAN, **sent}, {**PLAN, **held})) == lost


def test_what_people_read() -> None:
    sent = {**PLAN, "name": ["A plan"], "kopay": 1, "limit": 2, "plan": [{"kost": 1, "type": 2}]}
    held = {**PLAN, "plan": [{"type": 2}]}
    assert explained(losses(sent, held)) == (
        "The store did not keep the plan as it was approved: it dropped InsurancePlan.kopay, InsurancePlan.limit,"
        " InsurancePlan.plan[0].kost and changed InsurancePlan.name. Check how these fields are written: withdraw the"
        " draft to correct it, or have the store accept them and retry the publication"
    )
    many = explained(losses({**PLAN, **{f"field{n:02}": n + 1 for n in range(PATHS_SHOWN + 1)}}, PLAN))
    assert many is not None
    assert "InsurancePlan.field11 and more. Check" in many
    assert "field12" not in many


class Counted(str):
    """A text that counts how often one like it was compared."""

    __slots__ = ()
    comparisons = 0
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        Counted.comparisons += 1
        return str.__eq__(self, other)


@pytest.mark.parametrize("lost", [1, 2])
def test_a_long_list_is_compared_in_linear_time(lost: int) -> None:
    """One of so many elements is lost, or every second one."""
    length = 2_000
    sent = {**PLAN, "a": [Counted(n) for n in range(length)]}
    held = {**PLAN, "a": [str(n) for n in range(length) if (n % 2 if lost > 1 else n)]}
    Counted.comparisons = 0
    said = explained(losses(sent, held))
    assert said is not None
    assert "it dropped InsurancePlan.a[0]" in said
    assert ("and more" in said) is (lost > 1)
    assert Counted.comparisons < (PATHS_SHOWN + 10) * length


@pytest.mark.parametrize(
    ("changes", "is_same"),
    [
        ({}, True),
        ({"id": "another", "meta": {"versionId": "2"}}, True),
        ({"text": {"status": "generated", "div": "<div/>"}}, True),
        ({"extension": []}, True),
        ({"name": "Another"}, False),
        ({"kopay": 1}, False),
    ],
)
def test_the_digest_is_of_what_a_plan_says(changes: dict[str, Any], is_same: bool) -> None:  # noqa: FBT001  # a column of the table
    plan = {**read(GOLD), "extension": None}
    assert (digest({**plan, **changes}) == digest(plan)) is is_same
    assert digest(read(GOLD.replace("1500.00", "1500.0"))) == digest(plan)
    assert digest(read(GOLD.replace("1500.00", "1500.01"))) != digest(plan)
