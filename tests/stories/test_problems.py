"""What is wrong with a plan is told before anybody reviews it: by the document itself, and by the store."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from api.context import MOST_VALIDATED
from api.settings import Settings
from sandbox.samples import DRAFTS
from tests.serving import ADMIN, AUTHOR, STRANGER, Api, serving
from tests.stories.behind import Behind, edited
from tests.verbs import codes, perform, submitted
from tests.wiretap import failing, noting, tapped

PROBLEMS = "problems { severity path pointer label message source }"
SUBMIT = f"""mutation S($input: SubmitForApprovalInput!) {{ submitForApproval(input: $input) {{
  processId validated {PROBLEMS} userErrors {{ code message field }} }} }}"""
READ = f"query R($id: ID!) {{ draft(id: $id) {{ {PROBLEMS} }} }}"


@pytest.fixture(scope="module")
def asking(settings: Settings) -> Iterator[Api]:
    """An API that has plans validated, as by default."""
    with serving(settings.model_copy(update={"validate_plans": True, "aidbox_timeout": 60.0})) as api:
        yield api


def problems(api: Api, draft_id: str) -> list[dict[str, Any]]:
    found = api.ask(READ, AUTHOR, id=draft_id)["draft"]["problems"]
    assert isinstance(found, list)
    return found


def test_a_good_plan(asking: Api, behind: Behind) -> None:
    draft_id = behind.drafts.new()
    assert problems(asking, draft_id) == []
    payload = perform(asking, SUBMIT, AUTHOR, draftId=draft_id)
    assert (payload["validated"], payload["problems"], payload["userErrors"]) == (True, [], [])
    again = perform(asking, SUBMIT, AUTHOR, draftId=draft_id)
    assert (again["processId"], again["validated"]) == (payload["processId"], False)


@pytest.mark.parametrize(
    ("fields", "element"),
    [
        ({"copayment": 1}, "copayment"),
        ({"status": "live"}, "status"),
        ({"coverage": [{"type": {"text": "Medical"}, "benefit": [{}]}]}, "benefit"),
        ({"name": ["a list"]}, "name"),
        ({"period": {"start": "next year"}}, "start"),
        ({"period": {"start": "2027-12-31", "end": "2027-01-01"}}, "period"),
    ],
)
def test_what_the_store_says(asking: Api, behind: Behind, fields: dict[str, Any], element: str) -> None:
    draft_id = behind.drafts.new(plan=edited(**fields))
    found = [each for each in problems(asking, draft_id) if each["severity"] == "ERROR" and each["source"] == "STORE"]
    assert any(element in f"{each['path']} {each['message']}".lower() for each in found), found
    before = behind.picture(draft_id)
    payload = perform(asking, SUBMIT, AUTHOR, draftId=draft_id)
    assert (codes(payload), payload["processId"], payload["validated"]) == (["INVALID_PLAN"], None, True)
    assert payload["problems"] == problems(asking, draft_id)
    assert payload["userErrors"][0]["field"] == "draftId"
    assert behind.picture(draft_id) == before


def test_what_the_document_says_without_the_store(api: Api, behind: Behind) -> None:
    plan = json.loads(edited(ownedBy={"reference": "#nobody"}))
    del plan["coverage"][0]["type"]
    draft_id = behind.drafts.new(plan=json.dumps(plan))
    expected = [
        {
            "severity": "ERROR",
            "path": "ownedBy.reference",
            "pointer": "/ownedBy/reference",
            "label": "Owned by reference",
            "message": "The plan contains no resource with the id nobody.",
            "source": "PLAN_API",
        },
        {
            "severity": "ERROR",
            "path": "coverage[0].type",
            "pointer": "/coverage/0/type",
            "label": "Coverage 1 › type",
            "message": "type is required here (FHIR R4).",
            "source": "PLAN_API",
        },
    ]
    assert sorted(problems(api, draft_id), key=str) == sorted(expected, key=str)
    payload = perform(api, SUBMIT, AUTHOR, draftId=draft_id)
    assert (codes(payload), payload["validated"]) == (["INVALID_PLAN"], False)
    assert payload["userErrors"][0]["message"].endswith(" And 1 more errors; see problems.")


def test_the_sample_with_mistakes(api: Api, behind: Behind) -> None:
    (sample,) = [sample for sample in DRAFTS if sample.is_wrong]
    draft_id = behind.drafts.new(sample.name, sample.plan_data)
    assert [each["path"] for each in problems(api, draft_id)] == ["status", "ownedBy.reference"]


def test_a_profile_that_the_store_does_not_know_is_a_warning(
    asking: Api, behind: Behind, request: pytest.FixtureRequest
) -> None:
    profile = "http://example.org/fhir/StructureDefinition/a-profile-of-ours"
    draft_id = behind.drafts.new(plan=edited(meta={"profile": [profile]}))
    payload = perform(asking, SUBMIT, AUTHOR, draftId=draft_id)
    assert payload["userErrors"] == []
    named = [each["severity"] for each in payload["problems"] if profile in each["message"]]
    # The proxy that behaves as Aidbox knows no profiles, and says nothing of them.
    assert bool(named) is (request.config.getoption("--store") == "hapi")
    assert {each["severity"] for each in payload["problems"]} <= {"WARNING"}


@pytest.mark.parametrize("is_required", [False, True])
def test_a_store_that_cannot_be_asked(settings: Settings, behind: Behind, is_required: bool) -> None:  # noqa: FBT001  # a table's column
    draft_id = behind.drafts.new()
    before = behind.picture(draft_id)
    changed = settings.model_copy(update={"validate_plans": True, "require_validation": is_required})
    transports = tapped(failing(httpx.ConnectError), system="aidbox", call=r".*\$validate")
    with serving(changed, transports=transports) as api:
        body = api.answer(SUBMIT, AUTHOR, input={"draftId": draft_id})
    if is_required:
        (error,) = body["errors"]
        assert (error["extensions"]["code"], error["extensions"]["upstream"]) == ("UPSTREAM_UNREACHABLE", "aidbox")
        assert behind.picture(draft_id) == before
        return
    payload = body["data"]["submitForApproval"]
    assert (payload["validated"], payload["problems"], payload["userErrors"]) == (False, [], [])
    assert behind.drafts.row(draft_id)["camunda_process_id"] == payload["processId"]


def test_the_profile_of_the_setting_is_asked_for(settings: Settings, behind: Behind) -> None:
    profile = "http://hl7.org/fhir/StructureDefinition/InsurancePlan"
    asked: list[httpx.Request] = []
    changed = settings.model_copy(update={"validate_plans": True, "plan_profile": profile, "aidbox_timeout": 60.0})
    with serving(changed, transports=tapped(noting(asked), system="aidbox", call=r".*\$validate")) as api:
        payload = perform(api, SUBMIT, AUTHOR, draftId=behind.drafts.new())
    assert (payload["validated"], payload["userErrors"]) == (True, [])
    assert [request.url.params["profile"] for request in asked] == [profile]


def test_a_list_asks_for_a_few_only(api: Api, behind: Behind) -> None:
    ids = [behind.drafts.new() for _ in range(MOST_VALIDATED + 2)]
    query = f"query L($ids: [ID!]) {{ drafts(ids: $ids) {{ items {{ {PROBLEMS} }} }} }}"
    body = api.answer(query, AUTHOR, ids=ids)
    found = [each["problems"] for each in body["data"]["drafts"]["items"]]
    assert (found.count([]), found.count(None)) == (MOST_VALIDATED, 2)
    assert {error["extensions"]["code"] for error in body["errors"]} == {"INVALID"}


def test_nobody_else_is_told(asking: Api, behind: Behind) -> None:
    draft_id = behind.drafts.new(plan=edited(status="live"))
    assert asking.ask(READ, STRANGER, id=draft_id) == {"draft": None}
    assert codes(perform(asking, SUBMIT, STRANGER, draftId=draft_id)) == ["NOT_FOUND"]
    assert len(asking.ask(READ, ADMIN, id=draft_id)["draft"]["problems"]) >= 1


def test_many_with_their_problems(api: Api, behind: Behind) -> None:
    query = f"""mutation M($input: SubmitDraftsInput!) {{ submitDrafts(input: $input) {{
      results {{ processId {PROBLEMS} userErrors {{ code }} }} userErrors {{ code }} }} }}"""
    ids = [behind.drafts.new(plan=edited(status="live")), behind.drafts.new()]
    payload = perform(api, query, AUTHOR, submissions=[{"draftId": each} for each in ids])
    assert [(codes(each), len(each["problems"])) for each in payload["results"]] == [(["INVALID_PLAN"], 1), ([], 0)]
    assert submitted(api, ids[1], AUTHOR) == payload["results"][1]["processId"]
