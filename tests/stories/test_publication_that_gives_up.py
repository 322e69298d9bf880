"""Plans the store refuses: an incident with the store's words, and how it goes on once the cause is mended."""

import re
import uuid

import httpx
import pytest

from api.settings import Settings
from doctor.setup import MODEL
from sandbox.samples import ENCODER
from tests.serving import ADMIN, AUDITOR, AUTHOR, REVIEWER, STRANGER, Api, Someone, serving
from tests.stories.behind import FHIR_JSON, PROCESS_TAG, Behind, edited, exactly, read, until
from tests.verbs import RETRY, SUBMIT, WITHDRAW, approved, codes, perform, status, submitted
from tests.wiretap import failing, meanwhile, tapped

pytestmark = pytest.mark.slow

SUBMITTER = Someone("submitter")
HISTORY = "query H($id: ID!) { draft(id: $id) { history { kind by { id } } } }"


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
    assert "copayment" in told["problem"]
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
    assert "InsurancePlan.ownedBy" in status(api, stopped)["problem"]
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


@pytest.mark.parametrize("who", [AUTHOR, ADMIN, SUBMITTER], ids=lambda who: who.id)
def test_what_has_stopped_can_be_withdrawn_mended_and_submitted_again(
    api: Api, behind: Behind, owner: str, who: Someone
) -> None:
    """By its author, by an administrator, and by who submitted it."""
    draft_id = behind.drafts.new(plan=edited(ownedBy={"reference": f"Organization/{owner}"}))
    process_id = perform(api, SUBMIT, ADMIN, draftId=draft_id, userId=SUBMITTER.id)["processId"]
    assert approved(api, draft_id)["status"] == "PUBLISH_FAILED"
    payload = perform(api, WITHDRAW, who, draftId=draft_id)

    assert payload == {"draft": {"id": draft_id, "status": "WITHDRAWN"}, "userErrors": []}
    told = status(api, draft_id)
    assert (told["state"], told["workflowActive"], told["problem"]) == ("WITHDRAWN", False, None)
    assert (behind.end_of(process_id), behind.incidents(process_id), behind.versions(draft_id)) == (
        ["withdrawn"],
        [],
        [],
    )
    events = api.ask(HISTORY, AUDITOR, id=draft_id)["draft"]["history"]
    assert [(event["kind"], event["by"]["id"]) for event in events] == [
        ("WITHDRAWN", who.id),
        ("APPROVED", REVIEWER.id),
        ("SUBMITTED", SUBMITTER.id),
    ]
    assert perform(api, WITHDRAW, who, draftId=draft_id) == payload
    behind.drafts.edit(draft_id, plan=edited(name="Mended"))
    submitted(api, draft_id, AUTHOR)
    assert approved(api, draft_id)["status"] == "APPROVED"
    assert [version["name"] for version in behind.versions(draft_id)] == ["Mended"]


@pytest.mark.parametrize(
    ("who", "code"),
    [(STRANGER, "NOT_FOUND"), (REVIEWER, "FORBIDDEN"), (AUDITOR, "FORBIDDEN")],
    ids=str,
)
def test_what_has_stopped_is_withdrawn_by_nobody_else(
    api: Api, behind: Behind, stopped: str, who: Someone, code: str
) -> None:
    before = behind.picture(stopped)
    assert codes(perform(api, WITHDRAW, who, draftId=stopped)) == [code]
    assert behind.picture(stopped) == before


def test_submitted_again_as_it_is_it_is_the_same_approval(api: Api, behind: Behind, stopped: str) -> None:
    before = behind.picture(stopped)
    again = perform(api, SUBMIT, AUTHOR, draftId=stopped)
    assert (again["processId"], again["status"]) == (before["row"]["camunda_process_id"], "SUBMITTED")
    assert behind.picture(stopped) == before


def test_what_is_in_the_store_already_is_not_called_withdrawn(
    api: Api, behind: Behind, stopped: str, owner: str
) -> None:
    """A try wrote it and did not get to say so; the message names who finishes it, and how."""
    process_id = behind.drafts.row(stopped)["camunda_process_id"]
    _found_owner(behind, owner)
    plan = read(behind.drafts.row(stopped)["plan_data"])
    version = behind.put(stopped, plan, meta={"tag": [{"system": PROCESS_TAG, "code": process_id}]})
    before = behind.picture(stopped)
    payload = perform(api, WITHDRAW, AUTHOR, draftId=stopped)

    message = (
        f"The plan is published already, as version {version}, though the draft does not say so yet; an administrator "
        "can finish it with retryPublication."
    )
    assert payload["userErrors"] == [{"code": "ALREADY_DECIDED", "message": message, "field": "draftId"}]
    assert behind.picture(stopped) == before
    assert perform(api, RETRY, ADMIN, draftId=stopped)["draft"]["status"] == "APPROVED"
    assert [each["meta"]["versionId"] for each in behind.versions(stopped)] == [version]


def test_while_somebody_tries_it_again_it_is_not_withdrawn(
    api: Api, settings: Settings, behind: Behind, stopped: str, owner: str
) -> None:
    """It is put back and taken up by a worker whose lock has ended, just before the withdrawal takes its lock."""
    process_id = behind.drafts.row(stopped)["camunda_process_id"]
    (task,) = behind.external_tasks(process_id)
    _found_owner(behind, owner)

    def put_back() -> None:
        behind.engine.put(f"/external-task/{task['id']}/retries", json={"retries": 9}).raise_for_status()

    moves = meanwhile("camunda", f"POST /engine-rest/external-task/{task['id']}/lock", put_back)
    with serving(settings, transports=moves) as slow:
        payload = perform(slow, WITHDRAW, AUTHOR, draftId=stopped)
    assert [(error["code"], error["message"]) for error in payload["userErrors"]] == [
        ("ALREADY_DECIDED", "The plan is approved and being published; it can be withdrawn if publication gives up.")
    ]
    (task,) = behind.external_tasks(process_id)
    assert (task["retries"], task["workerId"]) == (9, None)
    assert perform(api, RETRY, ADMIN, draftId=stopped)["draft"]["status"] == "APPROVED"


def test_a_publication_taken_over_meanwhile_is_not_left(
    api: Api, settings: Settings, behind: Behind, stopped: str, owner: str
) -> None:
    """The store was asked and has nothing; then the task is put back and published, before the process leaves."""
    process_id = behind.drafts.row(stopped)["camunda_process_id"]
    _found_owner(behind, owner)
    (task,) = behind.external_tasks(process_id)

    def publish() -> None:
        assert perform(api, RETRY, ADMIN, draftId=stopped)["draft"]["status"] == "APPROVED"

    moves = meanwhile("camunda", f"POST /engine-rest/external-task/{task['id']}/bpmnError", publish)
    with serving(settings, transports=moves) as slow:
        payload = perform(slow, WITHDRAW, AUTHOR, draftId=stopped)
    assert codes(payload) == ["ALREADY_DECIDED"]
    assert (behind.drafts.row(stopped)["status"], behind.end_of(process_id)) == ("approved", ["approved"])


def test_what_gave_up_a_moment_ago_is_withdrawn_once_nothing_can_arrive_any_more(
    settings: Settings, behind: Behind
) -> None:
    """The store was away: a write may still be on its way, so the engine holds the task for a while."""
    draft_id = behind.drafts.new()
    hasty = settings.model_copy(update={"publish_retries": 0, "settle_seconds": 1, "breaker_failures": 0})
    unanswered = tapped(failing(httpx.ReadTimeout), system="aidbox", call="PUT .*")
    with serving(hasty, transports=unanswered) as away:
        process_id = submitted(away, draft_id, AUTHOR)
        assert approved(away, draft_id)["status"] == "PUBLISH_FAILED"
        before = behind.picture(draft_id)
        answer = away.answer(WITHDRAW, AUTHOR, input={"draftId": draft_id})
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["UPSTREAM_BUSY"]
        assert behind.picture(draft_id) == before
        (task,) = behind.external_tasks(process_id)
        behind.engine.post(f"/external-task/{task['id']}/unlock").raise_for_status()  # as time would
        assert perform(away, WITHDRAW, AUTHOR, draftId=draft_id)["draft"]["status"] == "WITHDRAWN"
    assert (behind.end_of(process_id), behind.versions(draft_id)) == (["withdrawn"], [])


def test_a_process_of_an_older_model_can_be_left_too(api: Api, behind: Behind, owner: str) -> None:
    """It does not catch the error, and ends at no end event; the draft is returned all the same."""
    _deploy_older(behind)
    draft_id = behind.drafts.new(plan=edited(ownedBy={"reference": f"Organization/{owner}"}))
    process_id = behind.start(draft_id, business_key=draft_id, submittedBy=AUTHOR.id, tenant="older")
    assert submitted(api, draft_id, AUTHOR) == process_id
    assert approved(api, draft_id)["status"] == "PUBLISH_FAILED"
    payload = perform(api, WITHDRAW, AUTHOR, draftId=draft_id)

    assert payload == {"draft": {"id": draft_id, "status": "WITHDRAWN"}, "userErrors": []}
    assert (behind.end_of(process_id), behind.active(draft_id), behind.incidents(process_id)) == ([], [], [])
    assert status(api, draft_id)["state"] == "WITHDRAWN"
    events = api.ask(HISTORY, AUDITOR, id=draft_id)["draft"]["history"]
    assert [event["kind"] for event in events] == ["WITHDRAWN", "APPROVED", "SUBMITTED"]
    behind.drafts.edit(draft_id, plan=edited(name="Mended"))
    submitted(api, draft_id, AUTHOR)
    assert approved(api, draft_id)["status"] == "APPROVED"


def _deploy_older(behind: Behind) -> None:
    """Our model as it was before a publication that gave up could be left, for a tenant of its own."""
    model = re.sub(
        r'<bpmn:boundaryEvent id="publication-withdrawn".*?</bpmn:boundaryEvent>'
        r'|<bpmn:sequenceFlow id="publication-withdrawn[^>]*>|<bpmn:incoming>publication-withdrawn[^<]*</bpmn:incoming>'
        r"|<bpmndi:BPMNDiagram.*</bpmndi:BPMNDiagram>",
        "",
        MODEL.read_text("utf-8"),
        flags=re.DOTALL,
    )
    assert 'attachedToRef="publish-plan"' in model
    assert "publication-withdrawn-to" not in model
    form = {"deployment-name": "older", "tenant-id": "older", "enable-duplicate-filtering": "true"}
    files = {MODEL.name: (MODEL.name, model.encode(), "application/xml")}
    behind.engine.post("/deployment/create", data=form, files=files).raise_for_status()


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
