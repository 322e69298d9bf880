"""Real plans through their whole life: submitted, approved, published, edited, merged, with every field and digit."""

import json
import re
from copy import deepcopy
from decimal import Decimal

import httpx
import pytest

from plandiff.matching import canonical
from tests.changes.conftest import CHANGES, CREATE, REBASE, Store, read_row, text
from tests.real import INDIA, NAMES, SAMPLES, Plan, sample
from tests.real.test_changes import edits
from tests.serving import AUTHOR, REVIEWER, Api, Drafts
from tests.verbs import COMPLETE, SUBMIT, WITHDRAW, open_task, perform, status, submitted

NAMELESS = "aerospace-space-tourism"
SUNRISE = "aidbox-sunrise"
REFERENCE = re.compile(r'"reference"\s*:\s*"([A-Z]\w+)/([^"]+)"')
CODING = {"system": "http://terminology.hl7.org/CodeSystem/endpoint-connection-type", "code": "hl7-fhir-rest"}
TARGETS: dict[str, Plan] = {
    "Endpoint": {"status": "active", "connectionType": CODING, "payloadType": [{"text": "any"}], "address": "urn:a"},
}
ANY_TARGET: Plan = {"name": "What a plan refers to"}


@pytest.fixture
def plans(store: httpx.Client) -> Store:
    return Store(store)


def with_targets(store: httpx.Client, name: str) -> None:
    """Put what a sample refers to into the store, where it is not there."""
    for kind, target_id in sorted(set(REFERENCE.findall((SAMPLES / f"{name}.json").read_text()))):
        if store.get(f"/{kind}/{target_id}").status_code == 404:
            resource = {"resourceType": kind, "id": target_id, **TARGETS.get(kind, ANY_TARGET)}
            assert store.put(f"/{kind}/{target_id}", json=resource).is_success


def ready(store: httpx.Client, name: str) -> Plan:
    """A sample that this store can take: what it refers to is there."""
    with_targets(store, name)
    if name != INDIA:
        return sample(name)
    # Its references are to other entries of the Bundle it was found in.
    made = store.post("/Organization", json={**ANY_TARGET, "resourceType": "Organization"}).json()["id"]
    return read(re.sub(r"urn:uuid:[0-9a-f-]{36}", f"Organization/{made}", text(sample(name))))


def read(written: str) -> Plan:
    """A plan, digits kept."""
    plan: Plan = json.loads(written, parse_float=Decimal)
    return plan


def said(plan: Plan) -> bytes:
    """All that a plan says, to the digit, but for its id and what the store and publication write into `meta`.

    Of a generated narrative only that it is there: HAPI puts the attributes of its tags into another order.
    """
    meta, narrative = plan.get("meta", {}), plan.get("text", {})
    profiles = {"profile": meta["profile"]} if meta.get("profile") else {}
    generated = {"text": "generated"} if narrative.get("status") == "generated" else {}
    rest = {name: value for name, value in plan.items() if name not in ("id", "meta")}
    return canonical({**rest, **profiles, **generated})


def approve(api: Api, draft_id: str) -> str:
    """Submit and approve a draft; what came of it."""
    submitted(api, draft_id, AUTHOR)
    payload = perform(api, COMPLETE, REVIEWER, taskId=open_task(api, draft_id), approved=True)
    assert payload["userErrors"] == []
    return str(payload["status"])


@pytest.mark.parametrize("name", [each for each in NAMES if each != NAMELESS])
def test_the_life_of_a_plan(api: Api, drafts: Drafts, plans: Store, store: httpx.Client, name: str) -> None:
    plan = ready(store, name)
    draft_id = drafts.new(plan=text(plan))
    assert approve(api, draft_id) == "APPROVED"
    plan_id = str(drafts.row(draft_id)["aidbox_id"])
    assert said(plans.read(plan_id)) == said(plan)
    assert api.ask(CHANGES, AUTHOR, id=draft_id)["draft"]["changes"] == []

    mine, *others = edits(plan)
    created = perform(api, CREATE, AUTHOR, planId=plan_id)["draft"]
    edited = read_row(drafts, created["id"])
    assert said(edited) == said(plan)
    mine(edited)
    drafts.edit(created["id"], plan=text(edited))
    submitted(api, created["id"], AUTHOR)
    theirs = plans.read(plan_id)
    for edit in others:
        edit(theirs)
    plans.put({**theirs, "meta": {"profile": theirs["meta"].get("profile", [])}}, plan_id)
    payload = perform(api, COMPLETE, REVIEWER, taskId=open_task(api, created["id"]), approved=True)
    assert payload["status"] == "CONFLICT"

    query = "query R($id: ID!) { draft(id: $id) { revision conflicts { path } } }"
    draft = api.ask(query, AUTHOR, id=created["id"])["draft"]
    assert draft["conflicts"] == []
    rebased = perform(api, REBASE, AUTHOR, draftId=created["id"], revision=draft["revision"])
    assert (rebased["conflicts"], rebased["userErrors"]) == ([], [])
    assert approve(api, created["id"]) == "APPROVED"
    both = deepcopy(plan)
    for edit in (mine, *others):
        edit(both)
    assert said(plans.read(plan_id)) == said(both)


def test_a_plan_without_name_and_identifier_is_refused_before_anything_happens(api: Api, drafts: Drafts) -> None:
    draft_id = drafts.new(plan=text(sample(NAMELESS)))
    payload = perform(api, SUBMIT, AUTHOR, draftId=draft_id)
    assert payload["userErrors"] == [
        {
            "code": "INVALID_PLAN",
            "message": "Name: The plan needs an identifier or a name (FHIR R4 InsurancePlan, rule ipn-1).",
            "field": "draftId",
        }
    ]
    assert drafts.row(draft_id)["camunda_process_id"] is None


def test_a_reference_within_a_bundle_is_refused_before_anything_happens(api: Api, drafts: Drafts) -> None:
    draft_id = drafts.new(plan=text(sample(INDIA)))
    payload = perform(api, SUBMIT, AUTHOR, draftId=draft_id)
    (error,) = payload["userErrors"]
    assert (error["code"], "urn:uuid" in error["message"]) == ("INVALID_PLAN", True)
    assert drafts.row(draft_id)["camunda_process_id"] is None


def test_a_reference_to_nothing_is_named_and_can_be_mended(
    api: Api, drafts: Drafts, plans: Store, store: httpx.Client
) -> None:
    name, told = SUNRISE, ["InsurancePlan.", "Organization/nobody"]
    broken = re.sub("Organization/[a-z-]+", "Organization/nobody", text(sample(name)))
    draft_id = drafts.new(plan=broken)
    assert approve(api, draft_id) == "PUBLISH_FAILED"
    problem = status(api, draft_id)["problem"]
    assert [part for part in told if part not in problem] == []
    assert perform(api, WITHDRAW, AUTHOR, draftId=draft_id)["userErrors"] == []
    mended = ready(store, name)
    drafts.edit(draft_id, plan=text(mended))
    assert approve(api, draft_id) == "APPROVED"
    assert said(plans.read(str(drafts.row(draft_id)["aidbox_id"]))) == said(mended)
