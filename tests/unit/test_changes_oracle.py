"""Differences and merges beside RFC 6902 patches, made by a library that knows nothing of FHIR."""

import re
from copy import deepcopy
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonpatch
from hypothesis import given
from jsonpointer import resolve_pointer

from plandiff.changes import Kind, changes, content
from plandiff.labels import ORDER
from plandiff.merge import merge
from tests.unit.test_changes_laws import LAWS, Plan, documents

README = Path(__file__).parents[2] / "plandiff" / "README.md"


def spelled(value: Any) -> Any:
    """Each leaf as a text that says its type and digits: the library takes 1, 1.0 and true for the same."""
    match value:
        case dict():
            return {name: spelled(part) for name, part in value.items()}
        case list():
            return [spelled(part) for part in value]
        case Decimal() | int():
            return f"{type(value).__name__} {value}"
        case _:
            return value


def spelled_content(plan: Plan | None) -> Any:
    """What counts of a plan, spelled."""
    return spelled(content(plan))


@LAWS
@given(documents, documents)
def test_there_are_changes_where_there_is_a_patch(before: Plan, after: Plan) -> None:
    patch = jsonpatch.make_patch(spelled_content(before), spelled_content(after))
    assert bool(changes(before, after)) is bool(patch.patch)


@LAWS
@given(documents, documents)
def test_merged_onto_the_base_is_the_patched_base(base: Plan, mine: Plan) -> None:
    one, other = spelled_content(base), spelled_content(mine)
    patched = jsonpatch.make_patch(one, other).apply(one)
    merged = merge(base, mine, deepcopy(base))
    assert merged.conflicts == []
    assert spelled_content(merged.document) == patched


@LAWS
@given(documents, documents, documents)
def test_edits_of_different_fields_are_both_patches(base: Plan, mine: Plan, theirs: Plan) -> None:
    """The library has no merge; where the sides change different fields, one patch after the other is one."""
    fields = sorted({*base, *mine, *theirs} - {"resourceType", "id", "meta", "text"})
    for_me, for_them = set(fields[::2]), set(fields[1::2])
    sides = [_edited(base, *each) for each in ((mine, for_me), (theirs, for_them))]
    whole = spelled_content(base)
    for side in sides:
        whole = jsonpatch.make_patch(spelled_content(base), spelled_content(side)).apply(whole)
    merged = merge(base, *sides)
    assert merged.conflicts == []
    assert spelled_content(merged.document) == whole


@LAWS
@given(documents, documents)
def test_a_pointer_leads_to_the_value(before: Plan, after: Plan) -> None:
    """In the document as it was written, with the empty parts that do not count."""
    for each in changes(before, after, at_most=10_000):
        if each.steps[0] == "meta" or ORDER in each.steps:
            continue
        document, value = (before, each.before) if each.kind is Kind.REMOVED else (after, each.after)
        found = resolve_pointer(document, each.pointer)
        assert spelled_content({"x": found}) == spelled_content({"x": value})


@LAWS
@given(documents, documents, documents)
def test_a_conflicts_pointer_leads_to_the_value(base: Plan, mine: Plan, theirs: Plan) -> None:
    """In my document as it was written, in theirs where it is gone from mine."""
    for each in merge(base, mine, theirs).conflicts:
        if each.steps[0] == "meta" or ORDER in each.steps:
            continue
        document, value = (theirs, each.theirs) if each.mine is None else (mine, each.mine)
        assert spelled_content({"x": resolve_pointer(document, each.pointer)}) == spelled_content({"x": value})


def test_the_readmes_example() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    exec(compile(code, str(README), "exec"), {})  # noqa: S102  # our own page


def _edited(base: Plan, other: Plan, names: set[str]) -> Plan:
    """The base with these fields as another document has them."""
    return {
        name: deepcopy((other if name in names else base)[name])
        for name in dict.fromkeys([*base, *other])
        if name in (other if name in names else base)
    }
