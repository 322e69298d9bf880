"""A model with a timer before publication: what is approved is SCHEDULED until the timer goes off."""

import httpx
import pytest

from api.settings import Settings
from doctor.setup import MODEL
from tests.calls.recording import Recording
from tests.serving import AUTHOR, REVIEWER, Api
from tests.stories.behind import Behind
from tests.verbs import COMPLETE, SUBMIT, open_task, perform, status, submitted

TIMER = """<bpmn:intermediateCatchEvent id="until-january" name="Until January">
  <bpmn:incoming>decision-to-publish-plan</bpmn:incoming><bpmn:outgoing>until-january-to-publish-plan</bpmn:outgoing>
  <bpmn:timerEventDefinition id="until-january-event">
    <bpmn:timeDuration xsi:type="bpmn:tFormalExpression">P30D</bpmn:timeDuration>
  </bpmn:timerEventDefinition>
</bpmn:intermediateCatchEvent>
<bpmn:sequenceFlow id="until-january-to-publish-plan" sourceRef="until-january" targetRef="publish-plan" />
"""


@pytest.fixture(scope="module")
def tenant(engine: httpx.Client) -> str:
    """A tenant whose model waits for thirty days before it publishes."""
    model, diagram, _ = MODEL.read_text("utf-8").partition("<bpmndi:BPMNDiagram")
    assert diagram
    flow = 'sourceRef="decision" targetRef="publish-plan"'
    waiting = model.replace(flow, 'sourceRef="decision" targetRef="until-january"').replace(
        "<bpmn:incoming>decision-to-publish-plan", "<bpmn:incoming>until-january-to-publish-plan"
    )
    place = "<bpmn:sequenceFlow"
    model = waiting.replace(place, TIMER + place, 1) + "</bpmn:definitions>"
    form = {"deployment-name": "scheduled", "tenant-id": "scheduled", "enable-duplicate-filtering": "true"}
    files = {MODEL.name: (MODEL.name, model.encode(), "application/xml")}
    engine.post("/deployment/create", data=form, files=files).raise_for_status()
    return "scheduled"


def test_it_is_scheduled_until_the_timer_goes_off(api: Api, behind: Behind, tenant: str) -> None:
    draft_id = behind.drafts.new()
    process_id = behind.start(draft_id, business_key=draft_id, submittedBy=AUTHOR.id, tenant=tenant)
    assert submitted(api, draft_id, AUTHOR) == process_id
    task_id = open_task(api, draft_id)
    payload = perform(api, COMPLETE, REVIEWER, taskId=task_id, approved=True)

    assert (payload["status"], payload["userErrors"], payload["plan"]) == ("SCHEDULED", [], None)
    told = status(api, draft_id)
    assert (told["state"], told["workflowActive"], told["currentActivity"]) == ("SCHEDULED", True, None)
    assert (told["draftStatus"], behind.versions(draft_id)) == ("SUBMITTED", [])
    assert perform(api, COMPLETE, REVIEWER, taskId=task_id, approved=True)["status"] == "SCHEDULED"

    (job,) = behind.engine.get("/job", params={"processInstanceId": process_id, "timers": "true"}).json()
    behind.engine.post(f"/job/{job['id']}/execute").raise_for_status()
    assert status(api, draft_id)["state"] == "PUBLISHING"
    assert perform(api, SUBMIT, AUTHOR, draftId=draft_id)["status"] == "APPROVED"
    assert status(api, draft_id)["state"] == "APPROVED"
    assert len(behind.versions(draft_id)) == 1


def test_of_many_the_engine_is_asked_once_and_only_where_it_matters(
    settings: Settings, api: Api, behind: Behind, tenant: str
) -> None:
    scheduled = [behind.drafts.new() for _ in range(3)]
    for draft_id in scheduled:
        behind.start(draft_id, business_key=draft_id, submittedBy=AUTHOR.id, tenant=tenant)
        submitted(api, draft_id, AUTHOR)
        perform(api, COMPLETE, REVIEWER, taskId=open_task(api, draft_id), approved=True)
    in_review = behind.drafts.new()
    submitted(api, in_review, AUTHOR)
    asked = "query A($ids: [ID!]!) { drafts(ids: $ids) { items { approval { %s } } } }"
    recording = Recording()
    with recording.before(settings) as watched:
        for ids, field, jobs in (
            ([*scheduled, in_review], "state", 1),
            ([in_review], "state", 0),
            (scheduled, "currentActivity", 0),
        ):
            recording.calls.clear()
            watched.ask(asked % field, AUTHOR, ids=ids)
            assert recording.counts().get("POST /job", 0) == jobs
        answer = watched.ask(asked % "state", AUTHOR, ids=[*scheduled, in_review])
    states = [item["approval"]["state"] for item in answer["drafts"]["items"]]
    assert states == ["SCHEDULED", "SCHEDULED", "SCHEDULED", "IN_REVIEW"]
