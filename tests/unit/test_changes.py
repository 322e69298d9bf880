"""What a reviewer reads: paths, kinds, labels and values of differences, as tables of cases."""

import json
from decimal import Decimal
from typing import Any

import pytest

from api.schema.changes import ConflictSide, FieldChangeKind
from api.schema.history import AuditEventKind
from api.upstreams.camunda.process_variables import Verdict
from plandiff.changes import Kind, Terms, changes
from plandiff.labels import labels
from plandiff.matching import canonical
from plandiff.merge import Side, bounded, conflicts, merge
from plandiff.plan_document import PROCESS_TAG, InvalidPlan
from tests.serving import GOLD

Plan = dict[str, Any]
SUMMIT = "plan[identifier=SUM-GOLD-PPO-1500-2027-IN]"


def plan(**fields: object) -> Plan:
    """An InsurancePlan of these fields."""
    return {"resourceType": "InsurancePlan", "name": "P", **fields}


def gold() -> Plan:
    """The gold sample, digits kept."""
    document: Plan = json.loads(GOLD, parse_float=Decimal)
    return document


def cost(kind: str, amount: str, size: int | None = None) -> Plan:
    """A generalCost element."""
    element: Plan = {"type": {"text": kind}, "cost": {"value": Decimal(amount), "currency": "USD"}}
    return element if size is None else {**element, "groupSize": size}


def told(before: Plan | None, after: Plan | None) -> list[tuple[str, str, str, str]]:
    """Kind, path, and both values as text, so that 1500.00 and 1500.0 are two."""
    return [(each.kind.value, each.path, str(each.before), str(each.after)) for each in changes(before, after)]


def costs(*elements: Plan) -> Plan:
    """A plan with one inner plan of these costs."""
    return plan(plan=[{"generalCost": list(elements)}])


def label(code: str) -> Plan:
    """A Coding as tags and security labels are."""
    return {"system": "urn:a", "code": code}


def narrative(status: str, words: str) -> Plan:
    """A narrative of these words."""
    return {"status": status, "div": f"<div>{words}</div>"}


FIELDS: list[tuple[str, Plan, Plan, list[tuple[str, str, str, str]]]] = [
    ("nothing", plan(), plan(), []),
    ("a text", plan(), plan(name="Q"), [("CHANGED", "name", "P", "Q")]),
    ("a new field", plan(), plan(status="draft"), [("ADDED", "status", "None", "draft")]),
    ("a field gone", plan(status="draft"), plan(), [("REMOVED", "status", "draft", "None")]),
    ("null and empty are not there", plan(), plan(status=None, alias=[], period={}, contact=[{}]), []),
    (
        "meta, id and the kind of resource do not count",
        plan(id="a", meta={"versionId": "1"}),
        plan(id="b", meta={"versionId": "2", "source": "#x", "lastUpdated": "2027-01-01T00:00:00Z"}),
        [],
    ),
    (
        "tags of ours do not count",
        plan(meta={"tag": [{"system": PROCESS_TAG, "code": "1"}]}),
        plan(meta={"tag": [{"system": PROCESS_TAG, "code": "2"}]}),
        [],
    ),
    (
        "profiles, security labels and other tags count, in any order",
        plan(meta={"profile": ["b", "a"], "security": [label("N"), label("PHI")], "tag": [label("x"), label("y")]}),
        plan(meta={"profile": ["a", "c"], "security": [label("PHI")], "tag": [label("y"), label("x"), label("z")]}),
        [
            ("CHANGED", "meta.profile", "['a', 'b']", "['a', 'c']"),
            ("REMOVED", "meta.security[system=urn:a,code=N]", str(label("N")), "None"),
            ("ADDED", "meta.tag[system=urn:a,code=z]", "None", str(label("z"))),
        ],
    ),
    ("all of them gone", plan(meta={"profile": ["a"], "security": [label("N")]}), plan(meta={"versionId": "1"}), [
        ("REMOVED", "meta.profile", "['a']", "None"),
        ("REMOVED", "meta.security[system=urn:a]", str(label("N")), "None"),
    ]),
    *((f"a narrative that is {status}", plan(text=narrative(status, "a")), plan(text=narrative(status, "b")), [])
      for status in ("generated", "extensions", "empty")),
    ("a generated narrative given or gone", plan(text=narrative("generated", "a")), plan(), []),
    ("a narrative that a person wrote is one thing",
     plan(text=narrative("additional", "a")), plan(text=narrative("additional", "b")),
     [("CHANGED", "text", str(narrative("additional", "a")), str(narrative("additional", "b")))]),
    ("one that a person wrote in place of a generated one",
     plan(text=narrative("generated", "a")), plan(text=narrative("additional", "a")),
     [("ADDED", "text", "None", str(narrative("additional", "a")))]),
    (
        "digits",
        costs(cost("deductible", "1500.00")),
        costs(cost("deductible", "1500.0")),
        [("CHANGED", "plan[0].generalCost[type=deductible].cost.value", "1500.00", "1500.0")],
    ),
    ("1 is not true", plan(x=1), plan(x=True), [("CHANGED", "x", "1", "True")]),
    ("1 is not 1.0", plan(x=1), plan(x=Decimal("1.0")), [("CHANGED", "x", "1", "1.0")]),
    ("key order", plan(period={"start": "1", "end": "2"}), plan(period={"end": "2", "start": "1"}), []),
    ("plain lists are one value", plan(alias=["a"]), plan(alias=["b", "a"]), [
        ("CHANGED", "alias", "['a']", "['b', 'a']"),
    ]),
    ("another kind of value", plan(x="a"), plan(x={"y": "a"}), [("CHANGED", "x", "a", "{'y': 'a'}")]),
    ("a list and a value", plan(x=[{"y": 1}]), plan(x=2), [("CHANGED", "x", "[{'y': 1}]", "2")]),
    ("odd names", plan(**{"a.b": 1, "c d": {"e": 1}}), plan(**{"c d": {"e": 2}}), [
        ("REMOVED", '["a.b"]', "1", "None"), ("CHANGED", '["c d"].e', "1", "2"),
    ]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("before", "after", "expected"), [each[1:] for each in FIELDS], ids=[each[0] for each in FIELDS]
)
def test_fields(before: Plan, after: Plan, expected: list[tuple[str, str, str, str]]) -> None:
    assert told(before, after) == expected


FAMILY, SINGLE = cost("deductible", "3000.00", 2), cost("deductible", "1500.00", 1)
COPAY, LIMIT = cost("copay", "25.00"), cost("limit", "5000.00", 1)
SINGLE_NOW, FAMILY_NOW = cost("deductible", "1600.00", 1), cost("deductible", "3100.00", 2)
CHANGED_SINGLE = ("CHANGED", "plan[0].generalCost[type=deductible,groupSize=1].cost.value", "1500.00", "1600.00")

ELEMENTS: list[tuple[str, Plan, Plan, list[tuple[str, str, str, str]]]] = [
    ("by type and group size", costs(SINGLE, FAMILY), costs(SINGLE_NOW, FAMILY), [CHANGED_SINGLE]),
    ("one put before it", costs(SINGLE, FAMILY), costs(COPAY, SINGLE_NOW, FAMILY), [
        CHANGED_SINGLE, ("ADDED", "plan[0].generalCost[type=copay]", "None", str(COPAY)),
    ]),
    ("one taken away before it", costs(COPAY, SINGLE, FAMILY), costs(SINGLE_NOW, FAMILY), [
        ("REMOVED", "plan[0].generalCost[type=copay]", str(COPAY), "None"), CHANGED_SINGLE,
    ]),
    ("one moved", costs(SINGLE, FAMILY, COPAY), costs(COPAY, SINGLE_NOW, FAMILY), [
        CHANGED_SINGLE,
        (
            "CHANGED", "plan[0].generalCost[order]",
            "['type=deductible,groupSize=1', 'type=deductible,groupSize=2', 'type=copay']",
            "['type=copay', 'type=deductible,groupSize=1', 'type=deductible,groupSize=2']",
        ),
    ]),
    ("group size changes, where it does not tell apart", costs(LIMIT), costs({**LIMIT, "groupSize": 2}), [
        ("CHANGED", "plan[0].generalCost[type=limit].groupSize", "1", "2"),
    ]),
    ("by coding code before the text", plan(coverage=[{"type": {"coding": [{"code": "med"}], "text": "Medical"}}]),
     plan(coverage=[{"type": {"coding": [{"code": "med"}], "text": "Medicine"}}]), [
        ("CHANGED", "coverage[type=med].type.text", "Medical", "Medicine"),
    ]),
    ("by the text where codes are alike",
     plan(coverage=[{"type": {"coding": [{"code": "x"}], "text": text}, "n": 1} for text in "ab"]),
     plan(coverage=[{"type": {"coding": [{"code": "x"}], "text": text}, "n": 1 + (text == "b")} for text in "ba"]), [
        ("CHANGED", "coverage[type=x,type.text=b].n", "1", "2"),
        ("CHANGED", "coverage[order]", "['type=x,type.text=a', 'type=x,type.text=b']",
         "['type=x,type.text=b', 'type=x,type.text=a']"),
    ]),
    ("identifiers by their system",
     plan(identifier=[{"system": "urn:a", "value": "1"}, {"system": "urn:b", "value": "2"}]),
     plan(identifier=[{"system": "urn:b", "value": "3"}, {"system": "urn:a", "value": "1"}]), [
        ("CHANGED", "identifier[system=urn:b].value", "2", "3"),
        ("CHANGED", "identifier[order]", "['system=urn:a', 'system=urn:b']", "['system=urn:b', 'system=urn:a']"),
    ]),
    ("element ids first", plan(plan=[{"id": "a", "type": {"text": "x"}}, {"id": "b", "type": {"text": "x"}}]),
     plan(plan=[{"id": "b", "type": {"text": "y"}}]), [
        ("REMOVED", "plan[id=a]", "{'id': 'a', 'type': {'text': 'x'}}", "None"),
        ("CHANGED", "plan[id=b].type.text", "x", "y"),
    ]),
    ("an id given later does not make another element", plan(plan=[{"type": {"text": "x"}}]),
     plan(plan=[{"id": "a", "type": {"text": "x"}}]), [("ADDED", "plan[type=x].id", "None", "a")]),
    ("one that nothing identifies", plan(type=[{"text": "PPO"}]), plan(type=[{"text": "HMO"}]),
     [("CHANGED", "type[0].text", "PPO", "HMO")]),
    ("by number where nothing tells apart", plan(x=[{"n": {"m": 1}}, {"n": {"m": 2}}]),
     plan(x=[{"n": {"m": 1}}, {"n": {"m": 3}}]), [("CHANGED", "x[1].n.m", "2", "3")]),
    ("equal ones before number", plan(x=[{"n": {"m": 1}}, {"n": {"m": 2}}]), plan(x=[{"n": {"m": 2}}]),
     [("REMOVED", "x[0]", "{'n': {'m': 1}}", "None")]),
    ("alike in all that identifies", costs(COPAY, COPAY), costs(COPAY, cost("copay", "30.00")),
     [("CHANGED", "plan[0].generalCost[type=copay,2].cost.value", "25.00", "30.00")]),
    ("odd values", plan(coverage=[{"type": {"text": 'a,b="c"]'}, "n": 1}]),
     plan(coverage=[{"type": {"text": 'a,b="c"]'}}]), [("REMOVED", 'coverage[type="a,b=\\"c\\"]"].n', "1", "None")]),
    ("long values", plan(coverage=[{"type": {"text": "x" * 90}, "n": 1}]),
     plan(coverage=[{"type": {"text": "x" * 90}}]), [
        ("REMOVED", f"coverage[type={'x' * 80}…efdfd9ee].n", "1", "None"),
    ]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("before", "after", "expected"), [each[1:] for each in ELEMENTS], ids=[each[0] for each in ELEMENTS]
)
def test_elements(before: Plan, after: Plan, expected: list[tuple[str, str, str, str]]) -> None:
    assert told(before, after) == expected


def test_a_new_plan_is_told_by_its_parts() -> None:
    found = changes(None, gold())
    called = zip(found, labels([each.steps for each in found]), strict=True)
    assert [(each.kind.value, each.path, label) for each, label in called] == [
        (
            "ADDED",
            "identifier[system=https://example.org/fhir/identifier/benefit-plan-draft]",
            "Identifier benefit-plan-draft",
        ),
        ("ADDED", "identifier[system=https://example.org/fhir/identifier/plan-code]", "Identifier plan-code"),
        ("ADDED", "status", "Status"),
        ("ADDED", "type[0]", "Type 1"),
        ("ADDED", "name", "Name"),
        ("ADDED", "alias", "Alias"),
        ("ADDED", "period", "Period"),
        ("ADDED", "ownedBy", "Owned by"),
        ("ADDED", "administeredBy", "Administered by"),
        ("ADDED", "coverageArea[0]", "Coverage area 1"),
        ("ADDED", "contact[purpose=PATINF]", "Contact Patient"),
        ("ADDED", "coverage[type=Medical]", "Coverage Medical"),
        ("ADDED", "coverage[type=Prescription drug]", "Coverage Prescription drug"),
        (
            "ADDED",
            f"{SUMMIT}.identifier[system=https://example.org/fhir/identifier/plan-code]",
            "Plan SUM-GOLD-PPO-1500-2027-IN › identifier plan-code",
        ),
        ("ADDED", f"{SUMMIT}.type", "Plan SUM-GOLD-PPO-1500-2027-IN › type"),
        *(
            ("ADDED", f"{SUMMIT}.generalCost[type={key}]", f"Plan SUM-GOLD-PPO-1500-2027-IN › general cost {words}")
            for key, words in (
                ("deductible,groupSize=1", "deductible, group size 1"),
                ("deductible,groupSize=2", "deductible, group size 2"),
                ("out-of-pocket-maximum", "out-of-pocket-maximum"),
                ("monthly-premium", "monthly-premium"),
            )
        ),
        (
            "ADDED",
            f"{SUMMIT}.specificCost[category=Office visits].category",
            "Plan SUM-GOLD-PPO-1500-2027-IN › specific cost Office visits › category",
        ),
        (
            "ADDED",
            f"{SUMMIT}.specificCost[category=Office visits].benefit[type=Primary care visit].type",
            "Plan SUM-GOLD-PPO-1500-2027-IN › specific cost Office visits › benefit Primary care visit › type",
        ),
        *(
            (
                "ADDED",
                f"{SUMMIT}.specificCost[category=Office visits].benefit[type=Primary care visit].cost[type={kind}]",
                f"Specific cost Office visits › benefit Primary care visit › cost {kind}",
            )
            for kind in ("copay", "coinsurance")
        ),
        (
            "ADDED",
            f"{SUMMIT}.specificCost[category=Prescription drugs]",
            "Plan SUM-GOLD-PPO-1500-2027-IN › specific cost Prescription drugs",
        ),
    ]


def test_what_is_too_much_is_counted() -> None:
    many = plan(**{f"field{number}": number for number in range(600)})
    found = changes(plan(), many)
    assert len(found) == 501
    assert (found[499].path, found[499].after) == ("field499", 499)
    assert (found[500].path, found[500].left_out) == ("…", 100)
    left = conflicts(plan(), many, {**many, **{f"field{number}": -1 for number in range(600)}})
    assert len(left) == 600
    assert [each.path for each in bounded(left)[499:]] == ["field499", "…"]
    assert bounded(left)[500].left_out == 100


def test_what_is_too_deep_is_refused() -> None:
    deep: object = "bottom"
    for _ in range(100_000):
        deep = {"a": deep}
    with pytest.raises(InvalidPlan, match="nested deeper than 64 levels"):
        changes(plan(), plan(x=deep))
    with pytest.raises(InvalidPlan, match="nested deeper than 64 levels"):
        merge(plan(), plan(x=deep), plan(name="Q"))
    while isinstance(deep, dict):  # taken apart by hand: its own end would recurse
        deep = deep.popitem()[1]


def test_huge_lists_of_alike_elements_are_matched() -> None:
    elements = [{"n": {"m": number}} for number in range(5000)]
    turned = changes(plan(x=elements), plan(x=elements[::-1]))
    assert [each.path for each in turned] == ["x[order]"]


Expected = tuple[list[tuple[str, str, str, str]], Plan | None]

THREE: list[tuple[str, Plan, Plan, Plan, Expected]] = [
    ("different fields", plan(), plan(status="draft"), plan(name="Q"), ([], plan(name="Q", status="draft"))),
    ("the same change", plan(), plan(name="Q"), plan(name="Q"), ([], plan(name="Q"))),
    ("the same field", plan(), plan(name="Q"), plan(name="R"), ([("name", "P", "Q", "R")], None)),
    ("changed here, gone there", plan(status="a"), plan(status="b"), plan(), ([("status", "a", "b", "None")], None)),
    ("the same amount, other digits", costs(SINGLE), costs(SINGLE_NOW), costs(cost("deductible", "1600.0", 1)), (
        [("plan[0].generalCost[type=deductible].cost.value", "1500.00", "1600.00", "1600.0")], None,
    )),
    ("elements in both", costs(SINGLE, FAMILY), costs(SINGLE_NOW, FAMILY), costs(SINGLE, FAMILY_NOW),
     ([], costs(SINGLE_NOW, FAMILY_NOW))),
    ("both add one", costs(SINGLE), costs(SINGLE, COPAY), costs(LIMIT, SINGLE), ([], costs(LIMIT, SINGLE, COPAY))),
    ("one edits what the other takes away", costs(SINGLE, COPAY), costs(COPAY), costs(SINGLE_NOW, COPAY), (
        [("plan[0].generalCost[type=deductible]", str(SINGLE), "None", str(SINGLE_NOW))], None,
    )),
    ("one moves, the other edits", costs(SINGLE, FAMILY), costs(FAMILY, SINGLE), costs(SINGLE_NOW, FAMILY),
     ([], costs(FAMILY, SINGLE_NOW))),
    ("both move, each otherwise", costs(SINGLE, FAMILY, COPAY), costs(FAMILY, SINGLE, COPAY),
     costs(COPAY, SINGLE, FAMILY), (
        [(
            "plan[0].generalCost[order]",
            "['type=deductible,groupSize=1', 'type=deductible,groupSize=2', 'type=copay']",
            "['type=deductible,groupSize=2', 'type=deductible,groupSize=1', 'type=copay']",
            "['type=copay', 'type=deductible,groupSize=1', 'type=deductible,groupSize=2']",
        )], None,
    )),
    ("an amount here, its currency there", plan(x={"y": {"value": 1, "currency": "USD"}}),
     plan(x={"y": {"value": 2, "currency": "USD"}}), plan(x={"y": {"value": 1, "currency": "EUR"}}), (
        [("x.y", "{'value': 1, 'currency': 'USD'}", "{'value': 2, 'currency': 'USD'}",
          "{'value': 1, 'currency': 'EUR'}")], None,
    )),
    ("one amount, both", plan(x={"y": {"value": 1, "currency": "USD"}}), plan(x={"y": {"value": 2, "currency": "USD"}}),
     plan(x={"y": {"value": 3, "currency": "USD"}}), ([("x.y.value", "1", "2", "3")], None)),
    ("a concept's code here, its text there", plan(x={"coding": [{"code": "a"}], "text": "A"}),
     plan(x={"coding": [{"code": "b"}], "text": "A"}), plan(x={"coding": [{"code": "a"}], "text": "B"}), (
        [("x", "{'coding': [{'code': 'a'}], 'text': 'A'}", "{'coding': [{'code': 'b'}], 'text': 'A'}",
          "{'coding': [{'code': 'a'}], 'text': 'B'}")], None,
    )),
    ("id and meta are mine", plan(id="a"), plan(id="a", meta={"x": 1}, status="draft"), plan(id="b", name="Q"), (
        [], plan(id="a", meta={"x": 1}, name="Q", status="draft"),
    )),
    ("a new part of one side", plan(), plan(period={"start": "1"}), plan(name="Q"),
     ([], plan(name="Q", period={"start": "1"}))),
    ("both take it away", plan(status="a"), plan(), plan(name="Q"), ([], plan(name="Q"))),
]  # fmt: skip


@pytest.mark.parametrize(
    ("base", "mine", "theirs", "expected"), [each[1:] for each in THREE], ids=[each[0] for each in THREE]
)
def test_three_versions(base: Plan, mine: Plan, theirs: Plan, expected: Expected) -> None:
    left, document = expected
    found = conflicts(base, mine, theirs)
    assert [(each.path, str(each.base), str(each.mine), str(each.theirs)) for each in found] == left
    if document is not None:
        assert canonical(merge(base, mine, theirs).document) == canonical(document)
    for side, chosen in ((Side.MINE, 2), (Side.THEIRS, 3)):
        decided = merge(base, mine, theirs, {path: side for path, *_ in left})
        assert decided.conflicts == []
        after = conflicts(base, decided.document, theirs if side is Side.MINE else mine)
        assert [each.path for each in after] == [path for path, *_ in left]
        assert [(each[0], each[chosen]) for each in left] == [(each.path, str(each.mine)) for each in after]
        assert merge(base, mine, theirs, otherwise=side).document == decided.document


def test_choices_decide_each_for_itself() -> None:
    base, mine, theirs = plan(a=1, b=1, c=1), plan(a=2, b=2, c=2), plan(a=3, b=3, c=3)
    merged = merge(base, mine, theirs, {"a": Side.MINE, "b": Side.THEIRS})
    assert merged.document == plan(a=2, b=3, c=3)
    assert [each.path for each in merged.conflicts] == ["c"]
    assert merged.paths == {"a", "b", "c"}
    rest = merge(base, mine, theirs, {"a": Side.THEIRS}, otherwise=Side.MINE)
    assert rest.document == plan(a=3, b=2, c=2)


def test_without_a_base_each_difference_is_a_conflict() -> None:
    found = conflicts(None, plan(a=1, b=1), plan(a=1, b=2, c=3))
    assert [(each.path, each.base, each.mine, each.theirs) for each in found] == [("b", None, 1, 2)]
    assert merge(None, plan(a=1), plan(c=3)).document == plan(a=1, c=3)


def test_the_enums_are_those_of_the_layers_below() -> None:
    assert {kind.name for kind in FieldChangeKind} == {kind.name for kind in Kind}
    assert {side.name for side in ConflictSide} == {side.name for side in Side}
    assert {verdict.name for verdict in Verdict} <= {kind.name for kind in AuditEventKind}


def test_of_two_sides_neither_numbers_its_elements_first() -> None:
    base, one, other = (plan(x=[{"n": {"m": number}} for number in numbers]) for numbers in ((1,), (2, 3), (3,)))
    assert merge(base, one, other).paths == merge(base, other, one).paths


def test_what_is_a_conflict_of_order_does_not_depend_on_how_others_are_decided() -> None:
    first, second, third = ({"id": name, "x": 1, "y": 1} for name in "abc")
    base = plan(e=[first, second, third])
    one = plan(e=[second, {"id": "a", "x": 2}, third])
    other = plan(e=[third, second, {"id": "a", "y": 1}])
    assert merge(base, one, other).paths == merge(base, other, one).paths


def test_of_a_store_that_rewrites_numbers_equal_amounts_are_equal() -> None:
    before, after, rewrites = (
        costs(SINGLE, FAMILY),
        costs(cost("deductible", "1500.0", 1), FAMILY_NOW),
        Terms(keeps_digits=False),
    )
    path = "plan[0].generalCost[type=deductible,groupSize=2].cost.value"
    assert [(each.path, str(each.before), str(each.after)) for each in changes(before, after, terms=rewrites)] == [
        (path, "3000.00", "3100.00")
    ]
    theirs = costs(cost("deductible", "1500", 1), cost("deductible", "3200", 2))
    assert [each.path for each in conflicts(before, after, theirs, terms=rewrites)] == [path]
