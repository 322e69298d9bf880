"""Processes of another model in the same engine: no id of theirs is shown or touched, as if they were not there."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from api.settings import Settings
from tests.serving import ADMIN, AUDITOR, AUTHOR, REVIEWER, Api, Someone, serving
from tests.stories.behind import Behind
from tests.verbs import (
    CLAIM,
    COMPLETE,
    REASSIGN,
    REQUEST_CHANGES,
    RETRY,
    STATUS,
    SUBMIT,
    UNCLAIM,
    WITHDRAW,
    perform,
    submitted,
)

KEY = "invoice-of-somebody-else"
MODEL = f"""<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" targetNamespace="urn:invoices"
  xmlns:camunda="http://camunda.org/schema/1.0/bpmn">
  <process id="{KEY}" isExecutable="true" camunda:historyTimeToLive="P1D">
    <startEvent id="begin" /><sequenceFlow id="a" sourceRef="begin" targetRef="both" />
    <parallelGateway id="both" />
    <sequenceFlow id="b" sourceRef="both" targetRef="review" /><sequenceFlow id="c" sourceRef="both" targetRef="pay" />
    <userTask id="review" camunda:candidateGroups="benefit-reviewers,benefit-admins" />
    <serviceTask id="pay" camunda:type="external" camunda:topic="publish-plan" />
  </process></definitions>"""
TASK = """query Task($id: ID!) { task(id: $id) { id processId decidable { allowed } draft { id } }
  _entities(representations: [{__typename: "Task", id: $id}]) { ... on Task { id name } } }"""
PENDING = "query Pending($by: ID) { pendingTasks(filter: {submittedBy: $by}) { totalCount items { id } } }"
DRAFT = """query Draft($id: ID!) { draft(id: $id) { basePlan { id } conflicts { path } history { kind }
  approval { state workflowActive currentActivity submittedBy { id } openTasks { id } decisions { comment } } } }"""
ON_TASKS: dict[str, tuple[str, dict[str, object]]] = {
    "approve": (COMPLETE, {"approved": True}),
    "reject": (COMPLETE, {"approved": False}),
    "request changes": (REQUEST_CHANGES, {"comment": "Look again"}),
    "claim": (CLAIM, {}),
    "unclaim": (UNCLAIM, {}),
    "reassign": (REASSIGN, {"userId": "another"}),
}
EVERYBODY = (REVIEWER, ADMIN, AUDITOR, AUTHOR)


@pytest.fixture(scope="module", params=[{}, {"dental": "dental-approval"}], ids=["one process", "several"])
def api(request: pytest.FixtureRequest, settings: Settings) -> Iterator[Api]:
    """An API with one process, and one whose drafts have several; the invoice's is none of them."""
    with serving(settings.model_copy(update={"draft_type": "$.type", "process_keys": request.param})) as api:
        yield api


@dataclass(frozen=True)
class Invoice:
    """A process of the other model, which has our variables, and its user task."""

    behind: Behind
    process_id: str
    task_id: str

    def picture(self) -> Any:
        """Everything that could be done to it."""
        engine = self.behind.engine
        history = engine.get(f"/history/process-instance/{self.process_id}").json()
        past = engine.get("/history/task", params={"taskId": self.task_id}).json()
        return history, past, self.behind.variables(self.process_id), self.behind.external_tasks(self.process_id)


@pytest.fixture(scope="module")
def _deployed(behind: Behind) -> None:
    form = {"deployment-name": KEY, "enable-duplicate-filtering": "true"}
    answer = behind.engine.post("/deployment/create", data=form, files={"invoice.bpmn": ("invoice.bpmn", MODEL)})
    assert answer.is_success, answer.text


@pytest.fixture
def invoice(behind: Behind, _deployed: None) -> Iterator[Invoice]:
    draft_id = behind.drafts.new()
    given = {"draftId": draft_id, "draftSource": "retool", "submittedBy": "clerk", "approved": True}
    body = {"businessKey": draft_id, "variables": {name: {"value": value} for name, value in given.items()}}
    answer = behind.engine.post(f"/process-definition/key/{KEY}/start", json=body)
    assert answer.is_success, answer.text
    process_id = str(answer.json()["id"])
    (task,) = behind.engine.get("/task", params={"processInstanceId": process_id}).json()
    yield Invoice(behind, process_id, task["id"])
    behind.engine.delete(f"/process-instance/{process_id}")


@pytest.mark.parametrize("is_closed", [False, True], ids=["open", "closed"])
@pytest.mark.parametrize("who", EVERYBODY, ids=lambda who: who.id)
def test_a_task_is_not_shown(api: Api, invoice: Invoice, who: Someone, is_closed: bool) -> None:  # noqa: FBT001  # a parameter of cases
    if is_closed:
        invoice.behind.complete(invoice.task_id)
    assert api.ask(TASK, who, id=invoice.task_id) == api.ask(TASK, who, id=str(uuid.uuid4()))
    assert api.ask(PENDING, who, by="clerk") == {"pendingTasks": {"totalCount": 0, "items": []}}


@pytest.mark.parametrize("is_closed", [False, True], ids=["open", "closed"])
@pytest.mark.parametrize("is_held", [False, True], ids=["free", "held"])
@pytest.mark.parametrize("verb", ON_TASKS)
def test_a_task_is_not_touched(api: Api, invoice: Invoice, verb: str, is_held: bool, is_closed: bool) -> None:  # noqa: FBT001  # as above
    engine = invoice.behind.engine
    if is_held:
        assert engine.post(f"/task/{invoice.task_id}/claim", json={"userId": REVIEWER.id}).is_success
    if is_closed:
        invoice.behind.complete(invoice.task_id)
    before, (operation, fields) = invoice.picture(), ON_TASKS[verb]
    for who in (REVIEWER, ADMIN):
        payload = perform(api, operation, who, taskId=invoice.task_id, **fields)
        unknown = perform(api, operation, who, taskId=str(uuid.uuid4()), **fields)
        assert (payload, [error["code"] for error in payload["userErrors"]]) == (unknown, ["NOT_FOUND"])
    assert invoice.picture() == before


def test_a_row_that_names_it_is_in_no_approval(api: Api, invoice: Invoice) -> None:
    """Somebody wrote its id there."""
    drafts, before = invoice.behind.drafts, invoice.picture()
    draft_id = drafts.new(aidbox_id="some-plan")
    drafts.connection.execute(
        "UPDATE benefit_plan_drafts SET status = 'submitted', camunda_process_id = %s WHERE id = %s",
        [invoice.process_id, draft_id],
    )
    row = drafts.row(draft_id)
    none: dict[str, object] = {
        "workflowActive": False,
        "currentActivity": None,
        "submittedBy": None,
        "openTasks": [],
        "decisions": [],
    }
    told: dict[str, object] = {
        "basePlan": None,
        "conflicts": [],
        "history": [],
        "approval": {"state": "NOT_SUBMITTED", **none},
    }
    for who in (AUTHOR, AUDITOR):
        assert api.ask(DRAFT, who, id=draft_id) == {"draft": told}
    assert api.ask(STATUS, REVIEWER, draftId=draft_id) == {"approvalStatus": None}
    assert perform(api, RETRY, ADMIN, draftId=draft_id)["userErrors"][0]["code"] == "NOT_SUBMITTED"
    assert drafts.row(draft_id) == row
    assert perform(api, WITHDRAW, AUTHOR, draftId=draft_id)["userErrors"] == []
    assert drafts.row(draft_id)["status"] == "withdrawn"
    assert invoice.picture() == before


def test_a_business_key_is_not_enough(api: Api, invoice: Invoice) -> None:
    """A submission of the draft neither adopts the other process nor carries out what it waits for."""
    before, draft_id = invoice.picture(), invoice.behind.variables(invoice.process_id)["draftId"]
    process_id = submitted(api, draft_id, AUTHOR)
    assert perform(api, SUBMIT, AUTHOR, draftId=draft_id)["processId"] == process_id
    assert process_id != invoice.process_id
    assert invoice.picture() == before
