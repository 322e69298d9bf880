"""Ids that come from process variables: what FHIR does not allow as an id never becomes a part of a URL."""

import re
from collections.abc import Iterator

import httpx
import pytest

from api.settings import Settings
from tests.serving import ADMIN, AUTHOR, Api, serving
from tests.stories.behind import Behind
from tests.verbs import RETRY, SUBMIT, approved, perform, status
from tests.wiretap import noting, tapped

FHIR_ID = r"[A-Za-z0-9.-]{1,64}"
PLANS, RECORDS = rf"/InsurancePlan/{FHIR_ID}(/_history(/{FHIR_ID})?)?", rf"/Provenance/{FHIR_ID}"
KNOWN = re.compile(rf"/fhir(/|/metadata|/(InsurancePlan|Provenance)/_search|{PLANS}|{RECORDS})?")


@pytest.fixture
def seen() -> list[httpx.Request]:
    """What reached the store, by `watched`."""
    return []


@pytest.fixture
def watched(settings: Settings, seen: list[httpx.Request]) -> Iterator[Api]:
    with serving(settings, transports=tapped(noting(seen), system="aidbox")) as api:
        yield api


@pytest.mark.parametrize(
    "plan_id",
    [
        "../Organization/Acme",
        "..",
        ".",
        "a/_history/1",
        "a?_format=xml",
        "a#b",
        "a b",
        "ä",
        "a,b",
        "x" * 65,
        "%2e%2e",
        "a\nb",
    ],
)
def test_a_process_started_by_hand_with_an_id_that_is_none(
    watched: Api, seen: list[httpx.Request], behind: Behind, plan_id: str
) -> None:
    draft_id = behind.drafts.new()
    process_id = behind.start(draft_id, business_key=draft_id, aidboxPlanId=plan_id, draftSource="retool")
    perform(watched, SUBMIT, AUTHOR, draftId=draft_id)
    assert behind.drafts.row(draft_id)["camunda_process_id"] == process_id
    assert approved(watched, draft_id)["status"] == "PUBLISH_FAILED"
    problem = f"{plan_id!r} can not be a plan's id: FHIR allows 1 to 64 letters, digits, - and ."
    assert status(watched, draft_id)["problem"] == problem
    perform(watched, RETRY, ADMIN, draftId=draft_id)
    assert status(watched, draft_id)["state"] == "PUBLISH_FAILED"
    assert behind.drafts.row(draft_id)["status"] == "submitted"
    assert [str(each.url) for each in seen if not KNOWN.fullmatch(each.url.raw_path.decode())] == []
    assert [each.method for each in seen if each.method == "PUT"] == []
