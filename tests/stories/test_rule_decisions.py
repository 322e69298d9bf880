"""A model that publishes by a rule, without a person: refused, unless a setting allows it; then it is on record.

The model is under a tenant's name, so that the usual one stays what new submissions get.
"""

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from api.coordination.process.publish import NOT_DECIDED
from api.settings import Settings
from doctor.setup import MODEL
from tests.serving import ADMIN, AUTHOR, GOLD, REVIEWER, Api, serving
from tests.stories.behind import Behind, exactly, read
from tests.verbs import RETRY, WITHDRAW, perform, status, submitted

REVIEW = 'sourceRef="register-submission" targetRef="notify-submitted" />'
RULE = 'sourceRef="register-submission" targetRef="decision" />'
APPROVING = """<bpmn:extensionElements>
      <camunda:executionListener expression="${execution.setVariable('approved', true)}" event="end" />
    </bpmn:extensionElements>
    <bpmn:incoming>submitted-to-register-submission"""
HISTORY = "query H($id: ID!) { draft(id: $id) { history { kind by { id } reason } } }"


@pytest.fixture(scope="module")
def tenant(behind: Behind) -> Iterator[str]:
    """A tenant whose model goes from its registration straight to the decision, which it approves itself."""
    name = f"by-rule-{uuid.uuid4().hex[:8]}"
    ours = MODEL.read_text("utf-8")
    assert REVIEW in ours
    text = ours.replace(REVIEW, RULE)
    text = text.replace("<bpmn:incoming>submitted-to-register-submission", APPROVING)
    assert text.count("setVariable('approved', true)") == 1
    files = {"by-rule.bpmn": ("by-rule.bpmn", text.encode(), "application/xml")}
    deployed = behind.engine.post("/deployment/create", data={"deployment-name": name, "tenant-id": name}, files=files)
    deployed.raise_for_status()
    yield name
    behind.engine.delete(f"/deployment/{deployed.json()['id']}", params={"cascade": "true"}).raise_for_status()


@pytest.fixture
def draft_id(api: Api, behind: Behind, tenant: str) -> str:
    """A submitted draft whose process has published by itself, or tried to."""
    draft_id = behind.drafts.new()
    behind.start(draft_id, business_key=draft_id, submittedBy=AUTHOR.id, tenant=tenant)
    submitted(api, draft_id, AUTHOR)
    return draft_id


@pytest.fixture(scope="module")
def allowing(settings: Settings) -> Iterator[Api]:
    with serving(settings.model_copy(update={"allow_rule_decisions": True})) as allowing:
        yield allowing


def history(api: Api, draft_id: str) -> list[tuple[str, object, object]]:
    events = api.ask(HISTORY, ADMIN, id=draft_id)["draft"]["history"]
    return [(each["kind"], each["by"], each["reason"]) for each in events]


def test_what_nobody_approved_is_not_published(api: Api, behind: Behind, draft_id: str) -> None:
    told = status(api, draft_id)
    assert (told["state"], told["problem"], told["openTasks"]) == ("PUBLISH_FAILED", NOT_DECIDED, [])
    assert behind.versions(draft_id) == []
    perform(api, RETRY, ADMIN, draftId=draft_id)
    assert (status(api, draft_id)["state"], behind.versions(draft_id)) == ("PUBLISH_FAILED", [])


def test_its_author_can_withdraw_it(api: Api, behind: Behind, draft_id: str) -> None:
    assert perform(api, WITHDRAW, AUTHOR, draftId=draft_id)["draft"]["status"] == "WITHDRAWN"
    assert (behind.active(draft_id), behind.versions(draft_id)) == ([], [])


def test_where_a_setting_allows_it_a_retry_publishes(allowing: Api, behind: Behind, draft_id: str) -> None:
    assert perform(allowing, RETRY, ADMIN, draftId=draft_id)["draft"]["status"] == "APPROVED"
    assert exactly(behind.plan(draft_id)) == exactly(read(GOLD))


def test_where_a_setting_allows_it_it_is_on_record(allowing: Api, behind: Behind, tenant: str) -> None:
    draft_id = behind.drafts.new()
    process_id = behind.start(draft_id, business_key=draft_id, submittedBy=AUTHOR.id, tenant=tenant)
    submitted(allowing, draft_id, AUTHOR)
    assert status(allowing, draft_id)["state"] == "APPROVED"
    assert behind.variables(process_id)["decidedByRule"] is True
    assert history(allowing, draft_id) == [
        ("PUBLISHED", None, None),
        ("APPROVED", None, "By a rule of the process model; no person decided"),
        ("SUBMITTED", {"id": "author"}, None),
    ]


Completed = Callable[[Api, Behind, str], Any]


@pytest.mark.parametrize("elsewhere", [False, True], ids=["here", "in Tasklist"])
def test_what_a_person_approved_is_not_by_rule(allowing: Api, behind: Behind, *, elsewhere: bool) -> None:
    draft_id = behind.drafts.new()
    process_id = submitted(allowing, draft_id, AUTHOR)
    (task,) = behind.tasks(draft_id)
    if elsewhere:
        behind.complete(task["id"], approved=True)
        perform(allowing, RETRY, ADMIN, draftId=draft_id)
    else:
        mutation = "mutation ($id: ID!) { completeApproval(input: {taskId: $id, approved: true}) { status } }"
        allowing.ask(mutation, REVIEWER, id=task["id"])
    assert behind.drafts.row(draft_id)["status"] == "approved"
    assert "decidedByRule" not in behind.variables(process_id)
    assert [reason for _, _, reason in history(allowing, draft_id)] == [None] * 3
