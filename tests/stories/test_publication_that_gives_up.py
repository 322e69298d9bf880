"""Plans the store refuses: an incident with the store's words, and how it goes on once the cause is mended."""

import uuid

import pytest

from api.sandbox.samples import ENCODER
from api.settings import Settings
from tests.serving import ADMIN, AUTHOR, Api, meanwhile, serving
from tests.stories.behind import FHIR_JSON, Behind, edited, exactly, read, until
from tests.verbs import RETRY, SUBMIT, WITHDRAW, approved, codes, perform, status, submitted


@pytest.fixture
def owner() -> str:
    """The id of an organization that the store does not have."""
    return str(uuid.uuid4())


@pytest.fixture
def stopped(api: Api, behind: Behind, owner: str) -> str:
    """A draft whose publication gave up, since the store lacks what it refers to."""
    draft_id = behind.drafts.new(plan=edited(ownedBy={"reference": f"Organization/{owner}"}))
    submitted(api, draft_id, AUTHOR)
    assert approved(api, draft_id)["status"] == "PUBLISH_FAILED"
    return draft_id


def _found_owner(behind: Behind, owner: str) -> None:
    organization = {"resourceType": "Organization", "id": owner, "name": "Found at last"}
    answer = behind.store.put(f"/Organization/{owner}", content=ENCODER.encode(organization), headers=FHIR_JSON)
    assert answer.status_code == 201


def test_an_unknown_element_is_told_in_the_stores_words(api: Api, behind: Behind) -> None:
    draft_id = behind.drafts.new(plan=edited(copayment=1))
    process_id = submitted(api, draft_id, AUTHOR)
    payload = approved(api, draft_id)

    assert (payload["status"], payload["userErrors"], payload["plan"]) == ("PUBLISH_FAILED", [], None)
    told = status(api, draft_id)
    assert (told["draftStatus"], told["state"], told["workflowActive"]) == ("SUBMITTED", "PUBLISH_FAILED", True)
    assert told["currentActivity"] == "publish-plan"
    assert "Unknown element 'copayment'" in told["problem"]
    (incident,) = behind.incidents(process_id)
    assert (incident["incidentType"], incident["activityId"]) == ("failedExternalTask", "publish-plan")
    assert "copayment" in incident["incidentMessage"]
    assert (behind.versions(draft_id), behind.drafts.row(draft_id)["status"]) == ([], "submitted")


def test_retried_with_the_cause_still_there_it_stops_again(api: Api, behind: Behind, stopped: str) -> None:
    before, told = behind.picture(stopped), status(api, stopped)
    payload = perform(api, RETRY, ADMIN, draftId=stopped)

    assert payload == {"draft": {"id": stopped, "status": "SUBMITTED"}, "userErrors": []}
    assert behind.picture(stopped) == before
    assert status(api, stopped) == told
    assert len(behind.incidents(before["row"]["camunda_process_id"])) == 1


def test_retried_with_the_cause_mended_it_is_published(api: Api, behind: Behind, stopped: str, owner: str) -> None:
    process_id = behind.drafts.row(stopped)["camunda_process_id"]
    assert f"Organization/{owner}" in status(api, stopped)["problem"]
    _found_owner(behind, owner)
    payload = perform(api, RETRY, ADMIN, draftId=stopped)

    assert payload == {"draft": {"id": stopped, "status": "APPROVED"}, "userErrors": []}
    told = status(api, stopped)
    assert (told["state"], told["problem"], told["workflowActive"]) == ("APPROVED", None, False)
    (version,) = behind.versions(stopped)
    assert exactly(version) == exactly(read(behind.drafts.row(stopped)["plan_data"]))
    assert (behind.incidents(process_id), behind.end_of(process_id)) == ([], ["approved"])
    assert perform(api, RETRY, ADMIN, draftId=stopped) == payload


def test_retried_in_cockpit_it_is_published(behind: Behind, settings: Settings, stopped: str, owner: str) -> None:
    """Cockpit's button sets the task's retries, and a worker does the rest."""
    process_id = behind.drafts.row(stopped)["camunda_process_id"]
    _found_owner(behind, owner)
    (task,) = behind.external_tasks(process_id)
    behind.engine.put(f"/external-task/{task['id']}/retries", json={"retries": 1}).raise_for_status()
    with serving(settings.model_copy(update={"worker": True, "worker_poll_seconds": 0.05})):
        until(lambda: bool(behind.drafts.row(stopped)["status"] == "approved"))
        until(lambda: behind.end_of(process_id) == ["approved"])

    assert behind.incidents(process_id) == []
    assert len(behind.versions(stopped)) == 1


def test_a_draft_edited_meanwhile_is_in_conflict(api: Api, behind: Behind, stopped: str) -> None:
    """What was approved can not be published, what is written now was not approved: it is submitted anew."""
    behind.drafts.edit(stopped, plan=edited(name="Mended"))
    payload = perform(api, RETRY, ADMIN, draftId=stopped)

    assert payload == {"draft": {"id": stopped, "status": "CONFLICT"}, "userErrors": []}
    assert status(api, stopped)["state"] == "CONFLICT"
    submitted(api, stopped, AUTHOR)
    assert approved(api, stopped)["status"] == "APPROVED"
    assert [version["name"] for version in behind.versions(stopped)] == ["Mended"]


def test_what_has_stopped_can_not_be_withdrawn_and_stays_submitted(api: Api, behind: Behind, stopped: str) -> None:
    before = behind.picture(stopped)
    assert codes(perform(api, WITHDRAW, AUTHOR, draftId=stopped)) == ["ALREADY_DECIDED"]
    again = perform(api, SUBMIT, AUTHOR, draftId=stopped)
    assert (again["processId"], again["status"]) == (before["row"]["camunda_process_id"], "SUBMITTED")
    assert behind.picture(stopped) == before


def test_a_publication_finished_by_somebody_else_is_not_written_twice(
    api: Api, settings: Settings, behind: Behind
) -> None:
    """The lock ends while the write is under way; another request takes the task over and finishes it."""
    plan_id, base = behind.stored_plan()
    draft_id = behind.drafts.new(plan=edited(name="Edited"), aidbox_id=plan_id)
    process_id = submitted(api, draft_id, AUTHOR)
    other: list[str] = []

    def take_over() -> None:
        (task,) = behind.external_tasks(process_id)
        assert behind.engine.post(f"/external-task/{task['id']}/unlock").is_success
        other.append(perform(api, SUBMIT, AUTHOR, draftId=draft_id)["status"])

    moves = meanwhile("aidbox", f"PUT /fhir/InsurancePlan/{plan_id}", take_over)
    with serving(settings, transports=moves) as slow:
        payload = approved(slow, draft_id)

    assert other == ["APPROVED"]
    assert (payload["status"], payload["userErrors"]) == ("APPROVED", [])
    newest, *others = [version["meta"]["versionId"] for version in behind.versions(plan_id)]
    assert (payload["plan"], others) == ({"id": plan_id, "versionId": newest}, [base])
    assert behind.variables(process_id)["publishedVersion"] == newest
    assert behind.end_of(process_id) == ["approved"]


def test_a_write_that_was_not_reported_is_known_again(api: Api, settings: Settings, behind: Behind) -> None:
    """The plan is written, then moves on outside, and only then does the task come to be reported."""
    plan_id, _ = behind.stored_plan()
    draft_id = behind.drafts.new(plan=edited(name="Edited"), aidbox_id=plan_id)
    process_id = submitted(api, draft_id, AUTHOR)
    published: list[str] = []

    def lose_the_lock() -> None:
        (task,) = behind.external_tasks(process_id)
        published.append(behind.plan(plan_id)["meta"]["versionId"])
        behind.put(plan_id, name="Outside")
        assert behind.engine.post(f"/external-task/{task['id']}/unlock").is_success

    moves = meanwhile("camunda", r"POST /engine-rest/external-task/[^/]+/complete", lose_the_lock)
    with serving(settings, transports=moves) as slow:
        payload = approved(slow, draft_id)

    assert (payload["status"], payload["userErrors"]) == ("APPROVED", [])
    assert behind.variables(process_id)["publishedVersion"] == published[0]
    assert [version["name"] for version in behind.versions(plan_id)][:2] == ["Outside", "Edited"]
    assert behind.drafts.row(draft_id)["status"] == "approved"
