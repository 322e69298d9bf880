"""Entries of a batch that the store refuses, inside an answer that is a success: never taken for "there is none"."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from api.settings import Settings
from tests.altering import Alteration, Json, altering
from tests.serving import ADMIN, AUTHOR, REVIEWER, Api, serving
from tests.stories.behind import Behind, edited, until
from tests.verbs import RETRY, WITHDRAW, approved, codes, perform, status, submitted

pytestmark = pytest.mark.slow

BATCH = "POST /fhir/?"
TASKS = """query Tasks($ids: [ID!]!) { drafts(ids: $ids, sort: [{by: NAME}]) { items { id
  basePlan { versionId } } } }"""
HISTORIES = """query Histories($ids: [ID!]!) { drafts(ids: $ids, sort: [{by: NAME}]) { items { id
  currentPlan { id history { versionId } } } } }"""
CREATE = """mutation Create($input: CreateDraftFromPlanInput!) { createDraftFromPlan(input: $input) {
  draft { id } userErrors { code } } }"""
REBASE = """mutation Rebase($input: RebaseDraftInput!) { rebaseDraft(input: $input) {
  draft { id } conflicts { path } userErrors { code } } }"""

SAID = "sent an answer that is not its own"
ENTRIES = {
    "401": ("UPSTREAM_DENIED", False),
    "403 Forbidden": ("UPSTREAM_DENIED", False),
    "422": ("UPSTREAM_FAILED", False),
    "429": ("UPSTREAM_BUSY", True),
    "500 Internal Server Error": ("UPSTREAM_FAILED", False),
    "502": ("UPSTREAM_UNREACHABLE", True),
    "503": ("UPSTREAM_BUSY", True),
    "504": ("UPSTREAM_TIMEOUT", True),
    "302": ("UPSTREAM_GARBLED", False),
}


def outcome(code: str) -> Json:
    return {"resourceType": "OperationOutcome", "issue": [{"severity": "fatal", "code": code, "diagnostics": "No"}]}


def refused(status_line: str) -> Json:
    return {"resource": outcome("forbidden"), "response": {"status": status_line}}


def entries(change: Callable[[list[Json]], list[Json]]) -> Callable[[Json], Json]:
    """An answer to a batch with other entries."""
    return lambda answer: {**answer, "entry": change(deepcopy(answer["entry"]))}


def one(place: int, entry: Json) -> Callable[[Json], Json]:
    return entries(lambda all_of_them: [*all_of_them[:place], entry, *all_of_them[place + 1 :]])


@pytest.fixture
def drafts_of_plans(api: Api, behind: Behind) -> tuple[list[str], list[str]]:
    """Three drafts in approval that edit a plan each, by name; and the plans' versions."""
    stored = [behind.stored_plan() for _ in range(3)]
    drafts = [
        behind.drafts.new(name=f"Draft {number}", aidbox_id=plan_id) for number, (plan_id, _) in enumerate(stored)
    ]
    for draft_id in drafts:
        submitted(api, draft_id, AUTHOR)
    return drafts, [version_id for _, version_id in stored]


def asked(settings: Settings, query: str, drafts: list[str], *alterations: Alteration) -> tuple[list[Any], list[Any]]:
    """What the query answers of the drafts, and where and how it failed."""
    uncached = settings.model_copy(update={"kept_versions_bytes": 0})
    with serving(uncached, transports=altering(*alterations)) as api:
        answer = api.answer(query, AUTHOR, ids=drafts)
    errors = [
        (each["path"], each["extensions"]["code"], each["extensions"]["retryable"]) for each in answer.get("errors", [])
    ]
    return answer["data"]["drafts"]["items"], errors


@pytest.mark.parametrize(("said", "code", "is_retryable"), [(said, *told) for said, told in ENTRIES.items()])
def test_one_version_of_many(
    settings: Settings,
    drafts_of_plans: tuple[list[str], list[str]],
    said: str,
    code: str,
    is_retryable: bool,  # noqa: FBT001  # a column of the table
) -> None:
    drafts, versions = drafts_of_plans
    items, errors = asked(settings, TASKS, drafts, Alteration(BATCH, answered=one(1, refused(said))))
    first, failed, last = (None if each["basePlan"] is None else each["basePlan"]["versionId"] for each in items)
    assert (first, failed, last) == (versions[0], None, versions[2])
    assert errors == [(["drafts", "items", 1, "basePlan"], code, is_retryable)]


@pytest.mark.parametrize("said", ["403", "422", "503 Service Unavailable"])
def test_one_history_of_many(settings: Settings, drafts_of_plans: tuple[list[str], list[str]], said: str) -> None:
    drafts, versions = drafts_of_plans
    items, errors = asked(settings, HISTORIES, drafts, Alteration(BATCH, answered=one(1, refused(said))))
    assert [each["currentPlan"]["history"] for each in items] == [
        [{"versionId": versions[0]}],
        None,
        [{"versionId": versions[2]}],
    ]
    code, is_retryable = next(told for line, told in ENTRIES.items() if line[:3] == said[:3])
    assert errors == [(["drafts", "items", 1, "currentPlan", "history"], code, is_retryable)]


@pytest.mark.parametrize("said", ["404 Not Found", "410"])
def test_only_an_explicit_none_is_none(
    settings: Settings, drafts_of_plans: tuple[list[str], list[str]], said: str
) -> None:
    items, errors = asked(settings, TASKS, drafts_of_plans[0], Alteration(BATCH, answered=one(1, refused(said))))
    assert ([each["basePlan"] is None for each in items], errors) == ([False, True, False], [])


def _without_response(all_of_them: list[Json]) -> list[Json]:
    return [{"resource": each["resource"]} for each in all_of_them]


def test_entries_without_a_status_are_what_they_have(
    settings: Settings, drafts_of_plans: tuple[list[str], list[str]]
) -> None:
    drafts, versions = drafts_of_plans
    items, errors = asked(settings, TASKS, drafts, Alteration(BATCH, answered=entries(_without_response)))
    assert ([each["basePlan"]["versionId"] for each in items], errors) == (versions, [])


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        ({"resource": outcome("forbidden")}, "UPSTREAM_DENIED"),
        ({"resource": outcome("throttled")}, "UPSTREAM_BUSY"),
        ({"resource": outcome("exception")}, "UPSTREAM_FAILED"),
        ({"resource": {"resourceType": "OperationOutcome"}}, "UPSTREAM_FAILED"),
        ({"resource": outcome("not-found")}, None),
        ({"resource": outcome("deleted")}, None),
        ({}, "UPSTREAM_GARBLED"),
        ({"resource": None}, "UPSTREAM_GARBLED"),
        ({"response": {"status": "200 OK"}}, "UPSTREAM_GARBLED"),
        ({"response": {"status": "fine"}}, "UPSTREAM_GARBLED"),
        ({"response": {"status": 403}}, "UPSTREAM_DENIED"),
        ({"resource": outcome("informational"), "response": {"status": "200"}}, "UPSTREAM_GARBLED"),
        ({"resource": {"resourceType": "Patient", "id": "x"}, "response": {"status": "200"}}, "UPSTREAM_GARBLED"),
    ],
)
def test_odd_entries(
    settings: Settings, drafts_of_plans: tuple[list[str], list[str]], entry: Json, code: str | None
) -> None:
    items, errors = asked(settings, TASKS, drafts_of_plans[0], Alteration(BATCH, answered=one(1, entry)))
    assert [each["basePlan"] is None for each in items] == [False, True, False]
    assert [(path, told) for path, told, _ in errors] == (
        [] if code is None else [(["drafts", "items", 1, "basePlan"], code)]
    )


@pytest.mark.parametrize(
    "change",
    [
        entries(lambda all_of_them: all_of_them[:-1]),
        entries(lambda all_of_them: [*all_of_them, all_of_them[0]]),
        entries(lambda all_of_them: all_of_them[::-1]),
        entries(lambda all_of_them: [all_of_them[1], refused("404"), all_of_them[2]]),
        lambda answer: {**answer, "resourceType": "OperationOutcome"},
    ],
    ids=["one missing", "one too many", "in another order", "one in place of another", "no Bundle"],
)
@pytest.mark.parametrize("query", [TASKS, HISTORIES])
def test_answers_that_can_not_be_told_apart_are_none(
    settings: Settings, drafts_of_plans: tuple[list[str], list[str]], query: str, change: Callable[[Json], Json]
) -> None:
    items, errors = asked(settings, query, drafts_of_plans[0], Alteration(BATCH, answered=change))
    assert len(items) == 3
    assert [code for _, code, _ in errors] == ["UPSTREAM_GARBLED"] * 3


def test_a_version_to_edit_that_is_refused_is_no_missing_one(api: Api, settings: Settings, behind: Behind) -> None:
    plan_id, base = behind.stored_plan()
    with serving(settings, transports=altering(Alteration(BATCH, answered=one(0, refused("403"))))) as refusing:
        answer = refusing.answer(CREATE, AUTHOR, input={"planId": plan_id, "versionId": base})
    assert answer["data"] == {"createDraftFromPlan": None}
    assert [each["extensions"]["code"] for each in answer["errors"]] == ["UPSTREAM_DENIED"]
    gone = perform(api, CREATE, AUTHOR, planId=plan_id, versionId="987654321")
    assert (gone["draft"], codes(gone)) == (None, ["NOT_FOUND"])


def test_a_base_that_is_refused_is_no_conflict_of_everything(api: Api, settings: Settings, behind: Behind) -> None:
    plan_id, _ = behind.stored_plan()
    draft_id = behind.drafts.new(plan=edited(name="Mine"), aidbox_id=plan_id)
    submitted(api, draft_id, AUTHOR)
    perform(api, WITHDRAW, AUTHOR, draftId=draft_id)
    behind.put(plan_id, name="Theirs")
    revision = api.ask("query R($id: ID!) { draft(id: $id) { revision } }", AUTHOR, id=draft_id)["draft"]["revision"]
    before = behind.drafts.row(draft_id)
    with serving(settings, transports=altering(Alteration(BATCH, answered=one(0, refused("500"))))) as refusing:
        answer = refusing.answer(REBASE, AUTHOR, input={"draftId": draft_id, "revision": revision, "otherwise": "MINE"})
    assert answer["data"] == {"rebaseDraft": None}
    assert [each["extensions"]["code"] for each in answer["errors"]] == ["UPSTREAM_FAILED"]
    assert behind.drafts.row(draft_id) == before


def _without_the_newest(all_of_them: list[Json]) -> list[Json]:
    (history,) = all_of_them
    history["resource"]["entry"] = history["resource"]["entry"][1:]
    return all_of_them


@pytest.mark.parametrize(
    "history",
    [
        *(one(0, refused(said)) for said in ("403", "422", "429", "500", "503")),
        one(0, {}),
        entries(lambda _all_of_them: []),
        entries(_without_the_newest),
        one(0, {"response": {"status": "404"}}),
    ],
)
def test_an_own_write_that_can_not_be_looked_for_is_no_conflict(
    settings: Settings, behind: Behind, history: Callable[[Json], Json]
) -> None:
    """The plan is written, the answer lost, and the next tries are refused the plan's history."""
    plan_id, base = behind.stored_plan()
    draft_id = behind.drafts.new(plan=edited(name="Edited"), aidbox_id=plan_id)
    loss = Alteration(f"PUT /fhir/InsurancePlan/{plan_id}", is_lost=True)
    refusal = Alteration(BATCH, answered=history)
    working = settings.model_copy(update={"worker": True, "worker_poll_seconds": 0.05, "publish_retries": 1})
    with serving(working, transports=altering(loss, refusal)) as api:
        process_id = submitted(api, draft_id, AUTHOR)
        assert approved(api, draft_id, REVIEWER)["status"] in ("PUBLISHING", "PUBLISH_FAILED")
        until(lambda: bool(status(api, draft_id)["state"] == "PUBLISH_FAILED"))
        assert behind.active(draft_id) == [process_id]
        refusal.is_on = False
        assert codes(perform(api, RETRY, ADMIN, draftId=draft_id)) == []
        until(lambda: behind.end_of(process_id) == ["approved"])
    newest, *others = [version["meta"]["versionId"] for version in behind.versions(plan_id)]
    assert (behind.variables(process_id)["publishedVersion"], others) == (newest, [base])
