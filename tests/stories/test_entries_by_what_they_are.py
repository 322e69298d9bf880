"""Entries of searches and histories are read by what they are: what a store says beside its plans, and deletions."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from api.settings import Settings
from tests.altering import Alteration, Json, altering
from tests.serving import AUTHOR, serving
from tests.stories.behind import Behind

SEARCH, BATCH = "(POST|GET) /fhir/InsurancePlan(/_search)?", "POST /fhir/?"
REMARK = {
    "resourceType": "OperationOutcome",
    "issue": [{"severity": "warning", "code": "not-supported", "diagnostics": "Ignored a parameter"}],
}
HEADERS = "{ id name }"
WHOLE = "{ id name resource }"
PLANS = "query Plans($ids: [ID!]!) {{ drafts(ids: $ids, sort: [{{by: NAME}}]) {{ items {{ currentPlan {0} }} }} }}"
HISTORY = "query History($id: ID!) {{ plan(id: $id) {{ history {0} }} }}"


def beside(*entries: Json) -> Callable[[Json], Json]:
    """A search's answer with more entries than plans."""
    return lambda answer: {**answer, "entry": [*entries[:1], *answer.get("entry", []), *entries[1:]]}


def plans(settings: Settings, behind: Behind, selection: str, alteration: Alteration) -> tuple[Any, Any, list[str]]:
    """The current plans of two drafts, which plans they are, and the codes of errors."""
    stored = [behind.stored_plan()[0] for _ in range(2)]
    ids = [behind.drafts.new(name=f"Draft {number}", aidbox_id=plan_id) for number, plan_id in enumerate(stored)]
    with serving(settings, transports=altering(alteration)) as api:
        answer = api.answer(PLANS.format(selection), AUTHOR, ids=ids)
    found = [each["currentPlan"] for each in answer["data"]["drafts"]["items"]]
    return found, stored, [each["extensions"]["code"] for each in answer.get("errors", [])]


@pytest.mark.parametrize("selection", [HEADERS, WHOLE])
@pytest.mark.parametrize(
    "entries",
    [
        [{"resource": REMARK, "search": {"mode": "outcome"}}],
        [{"resource": REMARK, "search": {"mode": "match"}}, {"resource": REMARK}],
        [{"resource": {**REMARK, "id": "an-id", "meta": {"versionId": "1"}}}],
        [{"search": {"mode": "outcome"}}],
        [{"resource": None}],
    ],
)
def test_what_a_search_says_beside_the_plans_is_left_out(
    settings: Settings, behind: Behind, selection: str, entries: list[Json]
) -> None:
    found, stored, errors = plans(settings, behind, selection, Alteration(SEARCH, answered=beside(*entries)))
    assert ([each["id"] for each in found], errors) == (stored, [])


@pytest.mark.parametrize("selection", [HEADERS, WHOLE])
@pytest.mark.parametrize("resource", [{"resourceType": "Patient", "id": "x", "meta": {}}, {"id": "x"}, "text", 7, []])
def test_what_is_no_plan_is_refused(settings: Settings, behind: Behind, selection: str, resource: object) -> None:
    entry = {"resource": resource, "search": {"mode": "match"}}
    found, _, errors = plans(settings, behind, selection, Alteration(SEARCH, answered=beside(entry)))
    assert (found, errors) == ([None, None], ["UPSTREAM_GARBLED"] * 2)


def _of_history(change: Callable[[list[Json]], list[Json]]) -> Callable[[Json], Json]:
    def changed(answer: Json) -> Json:
        made = deepcopy(answer)
        page = made["entry"][0]["resource"]
        page["entry"] = change(page["entry"])
        return made

    return changed


def _with_deletion(entries: list[Json]) -> list[Json]:
    """The newest as a deletion, with the resource that was deleted and no response."""
    deleted = {**entries[0]["resource"], "meta": {**entries[0]["resource"]["meta"], "versionId": "77"}}
    return [{"resource": deleted, "request": {"method": "DELETE", "url": "InsurancePlan"}}, *entries]


def _without_response(entries: list[Json]) -> list[Json]:
    return [{name: entry[name] for name in entry if name != "response"} for entry in entries]


@pytest.mark.parametrize("selection", ["{ versionId name }", "{ versionId name resource }"])
@pytest.mark.parametrize(
    "change",
    [
        _with_deletion,
        _without_response,
        lambda entries: [{"resource": REMARK}, *entries],
        lambda entries: [*entries, {"request": {"method": "DELETE", "url": "InsurancePlan/x"}}],
    ],
)
def test_a_history_lists_versions_alone(
    settings: Settings, behind: Behind, selection: str, change: Callable[[list[Json]], list[Json]]
) -> None:
    plan_id, first = behind.stored_plan()
    second = behind.put(plan_id, name="Second")
    with serving(settings, transports=altering(Alteration(BATCH, answered=_of_history(change)))) as api:
        history = api.ask(HISTORY.format(selection), AUTHOR, id=plan_id)["plan"]["history"]
    assert [(each["versionId"], each["name"]) for each in history] == [
        (second, "Second"),
        (first, "Summit Gold PPO 1500"),
    ]


def test_a_deletion_and_what_came_after(settings: Settings, behind: Behind) -> None:
    """As the real store tells it."""
    plan_id, first = behind.stored_plan()
    behind.store.delete(f"/InsurancePlan/{plan_id}").raise_for_status()
    again = behind.put(plan_id, name="Again")
    with serving(settings) as api:
        history = api.ask(HISTORY.format("{ versionId }"), AUTHOR, id=plan_id)["plan"]["history"]
    assert [each["versionId"] for each in history] == [again, first]
