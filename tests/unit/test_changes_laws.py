"""Laws that differences and merges keep for any documents, searched by hypothesis."""

from copy import deepcopy
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from plandiff.changes import Change, Kind, changes, content
from plandiff.labels import ORDER, labels
from plandiff.matching import canonical, is_objects, keyed
from plandiff.merge import Side, conflicts, merge

Plan = dict[str, Any]

LAWS = settings(deadline=None, database=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])

words = some.sampled_from(["a", "b", "c"])
amounts = some.sampled_from([Decimal("1.0"), Decimal("1.00"), 1, 2, True])
plain = words | amounts
concepts = some.fixed_dictionaries({}, optional={"text": words, "coding": some.lists(
    some.fixed_dictionaries({"code": words}, optional={"system": words}), min_size=1, max_size=2)})  # fmt: skip
money = some.fixed_dictionaries({"value": amounts, "currency": words})
costs = some.fixed_dictionaries({"type": concepts, "cost": money}, optional={"groupSize": amounts, "id": words})
benefits = some.fixed_dictionaries({"type": concepts}, optional={"cost": some.lists(costs, max_size=4), "limit": plain})
plans = some.fixed_dictionaries(
    {"resourceType": some.just("InsurancePlan")},
    optional={
        "name": words,
        "alias": some.lists(words, max_size=2),
        "period": some.fixed_dictionaries({}, optional={"start": words, "end": words}),
        "type": some.lists(concepts, max_size=3),
        "plan": some.lists(benefits, max_size=4),
        "generalCost": some.lists(costs, max_size=5),
    },
)
recursive = some.recursive(plain | some.none(), lambda inner: some.lists(inner, max_size=3) | some.dictionaries(
    some.sampled_from(["type", "id", "x", "y z", "text"]), inner, max_size=3), max_leaves=25)  # fmt: skip
documents = plans | some.dictionaries(some.sampled_from(["type", "x", "text", "a.b"]), recursive, max_size=4)


@LAWS
@given(documents)
def test_nothing_differs_from_itself(document: Plan) -> None:
    assert changes(document, deepcopy(document)) == []
    assert conflicts(document, document, document) == []


@LAWS
@given(documents, documents)
def test_differences_lead_from_one_to_the_other(before: Plan, after: Plan) -> None:
    found = changes(before, after, at_most=10_000)
    was, will_be = content(before), content(after)
    assert (found == []) == (canonical(was) == canonical(will_be))
    made = _applied(was, will_be, found) or {}
    assert canonical(_in_any_order(made)) == canonical(_in_any_order(will_be))


@LAWS
@given(documents, documents)
def test_each_path_is_there_once(before: Plan, after: Plan) -> None:
    paths = [each.path for each in changes(before, after, at_most=10_000)]
    assert len(paths) == len(set(paths))


@LAWS
@given(documents, documents)
def test_there_and_back(before: Plan, after: Plan) -> None:
    turned = {Kind.ADDED: Kind.REMOVED, Kind.REMOVED: Kind.ADDED, Kind.CHANGED: Kind.CHANGED}
    there, back = (
        [each for each in found if each.steps[-1:] != (ORDER,)]
        for found in (changes(before, after), changes(after, before))
    )
    mirrored = {(turned[each.kind], canonical(each.after), canonical(each.before)) for each in there}
    assert mirrored == {(each.kind, canonical(each.before), canonical(each.after)) for each in back}


@LAWS
@given(documents, documents)
def test_the_changes_of_one_side_alone_are_what_it_says(base: Plan, mine: Plan) -> None:
    for merged in (merge(base, mine, base), merge(base, base, mine), merge(base, mine, mine)):
        assert merged.conflicts == []
        assert canonical(content(merged.document)) == canonical(content(mine))


@LAWS
@given(documents, documents, documents)
def test_a_merge_is_the_same_from_both_sides(base: Plan, one: Plan, other: Plan) -> None:
    ours, theirs = merge(base, one, other), merge(base, other, one)
    assert ours.paths == theirs.paths
    if not ours.paths:
        assert canonical(content(ours.document)) == canonical(content(theirs.document))
    for side, opposite in ((Side.MINE, Side.THEIRS), (Side.THEIRS, Side.MINE)):
        here, there = (merge(base, one, other, otherwise=side), merge(base, other, one, otherwise=opposite))
        assert here.conflicts == there.conflicts == []
        assert canonical(content(here.document)) == canonical(content(there.document))


@LAWS
@given(documents, documents, documents)
def test_a_conflict_is_a_field_that_both_changed_otherwise(base: Plan, mine: Plan, theirs: Plan) -> None:
    for each in conflicts(base, mine, theirs):
        three = [canonical(value) for value in (each.base, each.mine, each.theirs)]
        assert len(set(three)) == 3 or each.path.endswith("[order]")
        assert three[1] != three[2]


@LAWS
@given(documents, documents, documents)
def test_documents_are_left_as_they_are(base: Plan, mine: Plan, theirs: Plan) -> None:
    before = [canonical(each) for each in (base, mine, theirs)]
    merge(base, mine, theirs, otherwise=Side.MINE)
    changes(base, mine)
    assert [canonical(each) for each in (base, mine, theirs)] == before


def _applied(before: Any, after: Any, found: list[Change]) -> Any:
    """`before` with the changes made in it. `after` gives the keys of elements, nothing else."""
    ways: dict[Any, list[Change]] = {}
    for each in found:
        if not each.steps:
            return each.after
        ways.setdefault(each.steps[0], []).append(Change(each.steps[1:], each.kind, each.before, each.after))
    ways.pop(ORDER, None)
    in_list = is_objects(before) or is_objects(after)
    parts, others = keyed([before or [], after or []]) if in_list else [dict(each or {}) for each in (before, after)]
    for step, inner in ways.items():
        parts[step] = _applied(parts.get(step), others.get(step), inner)
    kept = {step: value for step, value in parts.items() if value is not None}
    return (list(kept.values()) if in_list else kept) or None


def _in_any_order(value: Any, *, at_top: bool = True) -> Any:
    """The value with its lists of elements sorted."""
    if isinstance(value, dict):
        return {
            name: inner if at_top and name == "text" else _in_any_order(inner, at_top=False)
            for name, inner in value.items()
        }
    if is_objects(value):
        return sorted((_in_any_order(each, at_top=False) for each in value), key=canonical)
    return value


alike = some.lists(benefits.map(lambda each: {**each, "type": {"text": "a"}}), max_size=5).map(
    lambda plan: {"plan": plan}
)


@LAWS
@given(alike, alike, alike)
def test_alike_elements_keep_the_laws(base: Plan, mine: Plan, theirs: Plan) -> None:
    made = _applied(content(base), content(mine), changes(base, mine, at_most=10_000)) or {}
    assert canonical(_in_any_order(made)) == canonical(_in_any_order(content(mine)))
    for side, opposite in ((Side.MINE, Side.THEIRS), (Side.THEIRS, Side.MINE)):
        merged, turned = (merge(base, mine, theirs, otherwise=side), merge(base, theirs, mine, otherwise=opposite))
        assert merged.conflicts == []
        assert merged.paths == turned.paths
        assert canonical(content(merged.document)) == canonical(content(turned.document))
        if canonical(content(base)) == canonical(content(theirs)):
            assert canonical(content(merged.document)) == canonical(content(mine))


@LAWS
@given(alike, some.integers(0, 4))
def test_of_alike_elements_one_is_removed_or_put_in(document: Plan, place: int) -> None:
    shorter = deepcopy(document)
    if place < len(shorter["plan"]):
        del shorter["plan"][place]
    assert {each.kind for each in changes(document, shorter)} <= {Kind.REMOVED}
    assert {each.kind for each in changes(shorter, document)} <= {Kind.ADDED}


@LAWS
@given(documents, documents)
def test_each_label_is_there_once(before: Plan, after: Plan) -> None:
    called = labels([each.steps for each in changes(before, after, at_most=10_000)])
    assert len(called) == len(set(called))
