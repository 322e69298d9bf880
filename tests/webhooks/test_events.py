"""The events of whole approvals, as a receiver on this machine gets them from the real engine."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from api.settings import Settings
from doctor.setup import MODEL
from tests.engines.previous_models import Process
from tests.serving import ADMIN, AUTHOR, REVIEWER, Api, serving
from tests.stories.behind import Behind, edited, until
from tests.verbs import COMPLETE, REQUEST_CHANGES, RETRY, WITHDRAW, approved, open_task, perform, rejected, submitted
from tests.webhooks.conftest import Notifying, notified
from tests.webhooks.receiver import Receiver

RESCHEDULE = """mutation Move($input: ReschedulePublicationInput!) { reschedulePublication(input: $input) {
  draft { id } userErrors { code message } } }"""


def names(receiver: Receiver, draft_id: str) -> list[str]:
    """The events that came, in the order in which they happened."""
    events = sorted(receiver.events_of(draft_id), key=lambda event: event["time"])
    return [event["data"]["event"] for event in events]


def came(receiver: Receiver, draft_id: str, *expected: str) -> dict[str, dict[str, Any]]:
    """These events come and no others, in whatever order; each by its name."""
    until(lambda: len(receiver.events_of(draft_id)) >= len(expected))
    events = receiver.events_of(draft_id)
    assert sorted(event["data"]["event"] for event in events) == sorted(expected)
    return {event["data"]["event"]: event for event in events}


def test_a_draft_that_is_published(notifying: Notifying, behind: Behind, receiver: Receiver) -> None:
    link = "https://retool.example.com/drafts/{draftId}?task={taskId}"
    plan_id, base = behind.stored_plan()
    draft_id = behind.drafts.new(plan=edited(name="Summit Gold 2028"), aidbox_id=plan_id)
    with notifying(receiver.entry(), webhook_link=link) as api:
        process_id = submitted(api, draft_id, AUTHOR)
        came(receiver, draft_id, "submitted", "waiting")
        task_id = open_task(api, draft_id)
        assert approved(api, draft_id)["status"] == "APPROVED"
        events = came(receiver, draft_id, "submitted", "waiting", "decided", "published")
    version = behind.versions(plan_id)[0]["meta"]["versionId"]
    nothing: dict[str, Any] = {
        "planId": plan_id,
        "taskId": None,
        "waitingTasks": [],
        "actedBy": None,
        "outcome": None,
        "reason": None,
    }
    own: dict[str, Any] = {
        "draftId": draft_id,
        "processId": process_id,
        "baseVersion": base,
        "version": None,
        "publishAt": None,
    }
    own |= {**nothing, "submittedBy": "author", "by": "author", "headline": "1 change: wording"}
    own |= {"link": f"https://retool.example.com/drafts/{draft_id}?task="}
    linked = {"taskId": task_id, "link": f"https://retool.example.com/drafts/{draft_id}?task={task_id}"}
    waiting = {"id": task_id, "step": "review", "assignee": None, "groups": ["benefit-reviewers"]}
    decided = {**own, **linked, "by": "reviewer", "outcome": "approved"}
    assert {name: event["data"] for name, event in events.items()} == {
        "submitted": {**own, "event": "submitted"},
        "waiting": {**own, **linked, "event": "waiting", "waitingTasks": [waiting]},
        "decided": {**decided, "event": "decided"},
        "published": {**decided, "event": "published", "version": version},
    }
    envelope = {name: value for name, value in events["decided"].items() if name not in ("id", "time", "data")}
    assert envelope == {
        "specversion": "1.0",
        "type": "plan-api.approval.decided",
        "source": "/plan-api/retool",
        "subject": draft_id,
        "datacontenttype": "application/json",
    }
    assert {delivery.headers["content-type"] for delivery in receiver.got} == {
        "application/cloudevents+json; charset=utf-8"
    }
    assert [delivery.id for delivery in receiver.got] == [delivery.event["id"] for delivery in receiver.got]


def _ended(api: Api, draft_id: str, how: str) -> None:
    match how:
        case "rejected":
            assert rejected(api, draft_id)["status"] == "REJECTED"
        case "returned":
            task_id = open_task(api, draft_id)
            assert perform(api, REQUEST_CHANGES, REVIEWER, taskId=task_id, comment="Less")["status"] == "RETURNED"
        case "withdrawn":
            assert perform(api, WITHDRAW, AUTHOR, draftId=draft_id)["userErrors"] == []


def test_drafts_that_are_not_published(notifying: Notifying, behind: Behind, receiver: Receiver) -> None:
    with notifying(receiver.entry()) as api:
        for how in ("rejected", "returned", "withdrawn"):
            draft_id = behind.drafts.new()
            submitted(api, draft_id, AUTHOR)
            _ended(api, draft_id, how)
            decided = () if how == "withdrawn" else ("decided",)
            events = came(receiver, draft_id, "submitted", "waiting", *decided, how)
            data = events[how]["data"]
            by = "author" if how == "withdrawn" else "reviewer"
            assert (data["by"], data["outcome"], data["headline"]) == (by, how, "A new plan")


def test_a_conflict(notifying: Notifying, behind: Behind, receiver: Receiver) -> None:
    draft_id = behind.drafts.new()
    with notifying(receiver.entry()) as api:
        submitted(api, draft_id, AUTHOR)
        behind.drafts.edit(draft_id, name="Renamed")
        assert approved(api, draft_id)["status"] == "CONFLICT"
        events = came(receiver, draft_id, "submitted", "waiting", "decided", "conflict")
    data = events["conflict"]["data"]
    assert (data["outcome"], data["reason"]) == ("conflict", "Draft changed since it was submitted")


def test_a_publication_that_is_scheduled_and_moved(notifying: Notifying, behind: Behind, receiver: Receiver) -> None:
    later, later_still = (f"{datetime.now(UTC) + timedelta(days=days):%Y-%m-%dT00:00:00Z}" for days in (30, 60))
    draft_id = behind.drafts.new()
    with notifying(receiver.entry()) as api:
        submitted(api, draft_id, AUTHOR)
        task_id = open_task(api, draft_id)
        perform(api, COMPLETE, REVIEWER, taskId=task_id, approved=True, publishAt=later)
        came(receiver, draft_id, "submitted", "waiting", "decided", "scheduled")
        assert perform(api, RESCHEDULE, REVIEWER, draftId=draft_id, publishAt=later_still)["userErrors"] == []
        until(lambda: names(receiver, draft_id).count("scheduled") == 2)
    scheduled = sorted(receiver.events_of(draft_id), key=lambda event: event["time"])[-2:]
    assert [event["data"]["publishAt"] for event in scheduled] == [later, later_still]


def test_a_publication_that_gives_up_twice(notifying: Notifying, behind: Behind, receiver: Receiver) -> None:
    draft_id = behind.drafts.new(plan=edited(copayment=1))
    with notifying(receiver.entry()) as api:
        submitted(api, draft_id, AUTHOR)
        assert approved(api, draft_id)["status"] == "PUBLISH_FAILED"
        events = came(receiver, draft_id, "submitted", "waiting", "decided", "failed")
        assert perform(api, RETRY, ADMIN, draftId=draft_id)["userErrors"] == []
        # Where the worker and the request both tried it again, both say so.
        until(lambda: names(receiver, draft_id).count("failed") >= 2)
    data = events["failed"]["data"]
    # The store's words, which an incident has, may quote the plan.
    assert (data["by"], data["outcome"], data["reason"]) == ("reviewer", "approved", None)
    failed = [event for event in receiver.events_of(draft_id) if event["data"]["event"] == "failed"]
    assert len({event["id"] for event in failed}) == len(failed)


def test_a_receiver_gets_the_events_it_asks_for(
    notifying: Notifying, behind: Behind, receiver: Receiver, second: Receiver
) -> None:
    draft_id = behind.drafts.new()
    with notifying(receiver.entry(events=["published"]), second.entry(events=["failed"])) as api:
        submitted(api, draft_id, AUTHOR)
        assert approved(api, draft_id)["status"] == "APPROVED"
        came(receiver, draft_id, "published")
        until(lambda: not _notifications(behind, draft_id))
    assert (names(receiver, draft_id), second.got) == (["published"], [])


def test_nothing_is_thrown_without_receivers(api: Api, behind: Behind) -> None:
    draft_id = behind.drafts.new()
    process_id = submitted(api, draft_id, AUTHOR)
    assert approved(api, draft_id)["status"] == "APPROVED"
    assert [process["id"] for process in behind.processes(draft_id)] == [process_id]


def test_the_plan_is_in_it_where_the_setting_says_so(
    notifying: Notifying, behind: Behind, receiver: Receiver, second: Receiver
) -> None:
    draft_id = behind.drafts.new(plan=edited(name="With data"))
    chat = {"name": "chat", "url": second.entry()["url"], "format": "slack", "events": ["submitted"]}
    with notifying(receiver.entry(events=["submitted"]), chat, webhook_plan_data=True) as api:
        submitted(api, draft_id, AUTHOR)
        data = came(receiver, draft_id, "submitted")["submitted"]["data"]
        until(lambda: bool(second.got))
    assert data["plan"]["name"] == "With data"
    assert second.got[0].json == {"text": f"Draft {draft_id}: submitted (author). A new plan"}
    assert "webhook-signature" not in second.got[0].headers


def _notifications(behind: Behind, draft_id: str) -> list[str]:
    query = {"businessKey": draft_id, "processDefinitionKey": "benefit-notification"}
    return [each["id"] for each in behind.engine.get("/process-instance", params=query).json()]


def test_a_reminder_of_the_example(
    settings: Settings, behind: Behind, engine: httpx.Client, receiver: Receiver
) -> None:
    """Its two days are a second here. The task waits as before."""
    folder = MODEL.parent / "examples"
    table = {"file": ("routed-approval.dmn", (folder / "routed-approval.dmn").read_bytes(), "application/xml")}
    form = {"deployment-name": "routed", "enable-duplicate-filtering": "true"}
    engine.post("/deployment/create", data=form, files=table).raise_for_status()
    process = Process(engine)
    process.deploy((folder / "routed-approval.bpmn").read_text("utf-8").replace(">P2D<", ">PT1S<"))
    plan_id, _ = behind.stored_plan()
    draft_id = behind.drafts.new(plan=edited(name="Summit Gold 2028"), aidbox_id=plan_id)
    with serving(process.served_by(notified(settings, receiver.entry(events=["waiting", "reminder"])))) as api:
        submitted(api, draft_id, AUTHOR)
        events = came(receiver, draft_id, "waiting", "reminder")
        (task,) = events["reminder"]["data"]["waitingTasks"]
        assert (task["step"], task["groups"], task["id"]) == ("review", ["benefit-reviewers"], open_task(api, draft_id))
