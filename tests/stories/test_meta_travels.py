"""What a plan's `meta` says of the plan itself goes with a draft made of it, and comes back with its publication."""

import httpx
import pytest

from api.settings import Settings
from tests.altering import Alteration, altering
from tests.serving import AUTHOR, Api, serving
from tests.stories.behind import PROCESS_TAG, Behind, Resource, edited, read
from tests.verbs import approved, perform, submitted

PROFILE = "http://hl7.org/fhir/us/davinci-pdex-plan-net/StructureDefinition/plannet-InsurancePlan"
SECURITY = [
    {"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R", "display": "restricted"}
]
TAG = {"system": "urn:of-the-team", "code": "2027", "display": "Year of 2027"}
EXTENSION = {"url": "urn:of-the-team:note", "valueString": "kept"}
META = {"profile": [PROFILE], "security": SECURITY, "tag": [TAG], "extension": [EXTENSION]}
CREATE = """mutation Create($input: CreateDraftFromPlanInput!) { createDraftFromPlan(input: $input) {
  draft { id planData } userErrors { code } } }"""
PLAN = "PUT /fhir/InsurancePlan/.*|POST /fhir/InsurancePlan"  # a first version is a POST in some stores


def made(api: Api, plan_id: str, **fields: object) -> tuple[str, Resource]:
    """A draft made of a plan: its id, and its plan."""
    payload = perform(api, CREATE, AUTHOR, planId=plan_id, **fields)
    assert payload["userErrors"] == []
    return payload["draft"]["id"], payload["draft"]["planData"]


def test_a_draft_of_a_plan_has_its_profile_labels_and_tags(api: Api, behind: Behind) -> None:
    plan_id, _ = behind.stored_plan(read(edited(meta=META)))
    draft_id, plan = made(api, plan_id)
    assert plan["meta"] == META
    assert read(behind.drafts.row(draft_id)["plan_data"])["meta"] == plan["meta"]


def test_a_draft_of_a_plan_without_any_has_no_meta(api: Api, behind: Behind) -> None:
    plan_id, _ = behind.stored_plan()
    assert "meta" not in made(api, plan_id)[1]


def test_an_extension_of_meta_alone_is_published(api: Api, behind: Behind) -> None:
    plan_id, base = behind.stored_plan()
    draft_id = behind.drafts.new(plan=edited(id=plan_id, meta={"extension": [EXTENSION]}), aidbox_id=plan_id)
    submitted(api, draft_id, AUTHOR)
    assert approved(api, draft_id)["plan"]["versionId"] != base
    assert EXTENSION in behind.plan(plan_id)["meta"]["extension"]


@pytest.mark.parametrize("of_version", [False, True])
def test_what_was_edited_is_published_with_it(
    settings: Settings,
    behind: Behind,
    of_version: bool,  # noqa: FBT001  # a column of the table
) -> None:
    """Our own marks of earlier publications stay behind; all else is sent, whatever a store would carry over."""
    sent: dict[str, Resource] = {}

    def noted(resource: Resource) -> Resource:
        (process_id,) = (tag["code"] for tag in resource["meta"]["tag"] if tag["system"] == PROCESS_TAG)
        sent[process_id] = resource["meta"]
        return resource

    first_id = behind.drafts.new(plan=edited(meta={**META, "versionId": "7", "source": "urn:of-the-author"}))
    with serving(settings, transports=altering(Alteration(PLAN, sent=noted))) as api:
        first = submitted(api, first_id, AUTHOR)
        published = approved(api, first_id)["plan"]
        chosen = {"versionId": published["versionId"]} if of_version else {}
        draft_id, plan = made(api, published["id"], **chosen)
        behind.drafts.edit(draft_id, plan=edited(name="Edited", meta=plan["meta"]))
        second = submitted(api, draft_id, AUTHOR)
        assert approved(api, draft_id)["status"] == "APPROVED"

    assert list(sent) == [first, second]
    for meta in sent.values():
        assert [tag for tag in meta["tag"] if tag["system"] != PROCESS_TAG] == [TAG]
        assert (meta["profile"], meta["security"], meta["extension"]) == ([PROFILE], SECURITY, [EXTENSION])
        assert {"versionId", "lastUpdated"}.isdisjoint(meta)
    assert "source" not in sent[second]
    stored = behind.plan(published["id"])["meta"]
    assert (stored["profile"], stored["security"]) == ([PROFILE], SECURITY)
    assert TAG["code"] in [tag["code"] for tag in stored["tag"]]


def test_a_label_that_is_taken_away_is_published_too(api: Api, behind: Behind, store: httpx.Client) -> None:
    """HAPI carries labels over whatever is sent; the write must be made all the same."""
    plan_id, base = behind.stored_plan(read(edited(meta={"profile": [PROFILE], "security": SECURITY})))
    draft_id = behind.drafts.new(plan=edited(id=plan_id, meta={"profile": [PROFILE]}), aidbox_id=plan_id)
    submitted(api, draft_id, AUTHOR)
    payload = approved(api, draft_id)
    assert payload["status"] == "APPROVED"
    assert payload["plan"]["versionId"] != base
    assert store.get(f"/InsurancePlan/{plan_id}").json()["meta"]["profile"] == [PROFILE]


@pytest.mark.parametrize("mark", ["profile", "security", "tag"])
def test_a_mark_that_the_store_drops_is_named(settings: Settings, behind: Behind, mark: str) -> None:
    def without(resource: Resource) -> Resource:
        meta = {name: value for name, value in resource["meta"].items() if name != mark or mark == "tag"}
        ours = [tag for tag in meta["tag"] if tag["system"] == PROCESS_TAG]
        return {**resource, "meta": {**meta, **({"tag": ours} if mark == "tag" else {})}}

    draft_id = behind.drafts.new(plan=edited(meta={name: META[name] for name in ("profile", "security", "tag")}))
    with serving(settings, transports=altering(Alteration(PLAN, sent=without))) as api:
        process_id = submitted(api, draft_id, AUTHOR)
        assert approved(api, draft_id)["status"] == "PUBLISH_FAILED"
    (incident,) = behind.incidents(process_id)
    assert f"it dropped InsurancePlan.meta.{mark}[0]. Check" in incident["incidentMessage"]
