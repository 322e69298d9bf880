"""Receivers that die, refuse, hang or send elsewhere, and workers that die: nothing is lost, repeats have one id."""

import asyncio
from typing import Any

import pytest

from api.settings import Settings
from notifications import notification_work
from tests.crash.doomed import run_worker
from tests.crash.tripwire import Mode, Point, Tripwires
from tests.serving import AUTHOR, serving
from tests.stories.behind import Behind, until
from tests.verbs import approved, submitted
from tests.webhooks.conftest import Notifying, notified
from tests.webhooks.receiver import HOST, Receiver, receiving

COMPLETE = "camunda POST /external-task/{id}/complete"


def waiting(behind: Behind, draft_id: str) -> list[dict[str, Any]]:
    """The external tasks of a draft's notifications."""
    query = {"businessKey": draft_id, "processDefinitionKey": "benefit-notification"}
    found = behind.engine.get("/process-instance", params=query).json()
    return behind.external_tasks(*(each["id"] for each in found))


def thrown(behind: Behind, draft_id: str, source: str) -> None:
    """One event of a deployment, as an approval's signal brings it."""
    values = {"draftId": draft_id, "draftSource": source, "notification_event": "submitted", "notification_of": "none"}
    typed = {name: {"value": value, "type": "String"} for name, value in values.items()}
    body = {"businessKey": draft_id, "variables": typed}
    behind.engine.post("/process-definition/key/benefit-notification/start", json=body).raise_for_status()


def failures(behind: Behind, draft_id: str) -> list[tuple[str, str]]:
    """The topics of its deliveries that have failed, and why."""
    return [(task["topicName"], task["errorMessage"]) for task in waiting(behind, draft_id) if task["errorMessage"]]


def test_a_receiver_that_dies_and_comes_back(notifying: Notifying, behind: Behind) -> None:
    """It dies with the first event in its hands: it got it, and has not said so."""
    draft_id = behind.drafts.new()
    with receiving() as receiver:
        entry = receiver.entry()
        receiver.passes.clear()
        api_serving = notifying(entry)
        api = api_serving.__enter__()
        submitted(api, draft_id, AUTHOR)
        until(lambda: len(receiver.got) == 2)
        first = {delivery.id: delivery.body for delivery in receiver.got}
        receiver.status = 500
    try:
        assert approved(api, draft_id)["status"] == "APPROVED"
        until(lambda: len(failures(behind, draft_id)) == 4)
        receiver.status = 204
        with receiving(receiver.port, receiver):
            until(lambda: not waiting(behind, draft_id))
    finally:
        api_serving.__exit__(None, None, None)
    bodies: dict[str, set[str]] = {}
    for delivery in receiver.got:
        bodies.setdefault(delivery.id, set()).add(delivery.body)
    assert {event_id: len(found) for event_id, found in bodies.items()} == dict.fromkeys(bodies, 1)
    assert len(bodies) == 4
    assert {event_id: found for event_id, found in bodies.items() if event_id in first} == {
        event_id: {body} for event_id, body in first.items()
    }
    named = {delivery.event["data"]["event"] for delivery in receiver.got}
    assert named == {"submitted", "waiting", "decided", "published"}


@pytest.mark.parametrize(
    ("status", "location", "words"),
    [(500, None, "answered 500"), (307, "/elsewhere", "answered 307"), (410, None, "answered 410")],
)
def test_what_a_receiver_refuses_is_tried_again_and_then_an_incident(
    notifying: Notifying,
    behind: Behind,
    receiver: Receiver,
    second: Receiver,
    status: int,
    location: str | None,
    words: str,
) -> None:
    receiver.status, receiver.location = status, location and f"http://{HOST}:{second.port}{location}"
    draft_id = behind.drafts.new()
    with notifying(receiver.entry(events=["submitted"]), second.entry(events=["submitted"]), publish_retries=2) as api:
        submitted(api, draft_id, AUTHOR)
        until(lambda: [task["retries"] for task in waiting(behind, draft_id)] == [0])
        ((topic, message),) = failures(behind, draft_id)
        assert (topic, message) == (f"notify-local-{receiver.port}", f"local-{receiver.port} {words}")
        assert len({delivery.id for delivery in receiver.got}) == 1
        assert len(receiver.got) == 3  # two retries
        assert len(second.got) == 1
        assert approved(api, draft_id)["status"] == "APPROVED"
    assert behind.active(draft_id) == [task["processInstanceId"] for task in waiting(behind, draft_id)]


def test_a_receiver_that_hangs_holds_up_no_other(
    notifying: Notifying, behind: Behind, receiver: Receiver, second: Receiver
) -> None:
    receiver.passes.clear()
    drafts = [behind.drafts.new() for _ in range(4)]
    with notifying(receiver.entry(), second.entry(), worker_concurrency=2, lock_seconds=20) as api:
        for draft_id in drafts:
            submitted(api, draft_id, AUTHOR)
            assert approved(api, draft_id)["status"] == "APPROVED"
        until(lambda: len({delivery.id for delivery in second.got}) == 16)
        assert len(receiver.got) == 2
        receiver.passes.set()
        until(lambda: not any(waiting(behind, draft_id) for draft_id in drafts))
    assert {delivery.id for delivery in receiver.got} == {delivery.id for delivery in second.got}


def test_a_receiver_that_hangs_is_given_up_in_time(notifying: Notifying, behind: Behind, receiver: Receiver) -> None:
    receiver.passes.clear()
    draft_id = behind.drafts.new()
    with notifying(receiver.entry(events=["submitted"]), lock_seconds=2) as api:
        submitted(api, draft_id, AUTHOR)
        until(lambda: bool(failures(behind, draft_id)))
        ((_, message),) = failures(behind, draft_id)
        receiver.passes.set()
        until(lambda: not waiting(behind, draft_id))
    assert message.startswith(f"local-{receiver.port} has not answered within ")
    assert len({delivery.id for delivery in receiver.got}) == 1


@pytest.mark.anyio
async def test_an_address_that_is_no_longer_public_gets_nothing(
    settings: Settings, behind: Behind, receiver: Receiver
) -> None:
    """A worker that has started does not trust a name for what it was at the start."""
    entry = receiver.entry(url=f"http://localhost:{receiver.port}/", events=["submitted"])
    draft_id, stop = behind.drafts.new(), asyncio.Event()
    own = notified(settings, entry, draft_source="rebound")
    thrown(behind, draft_id, "rebound")
    working = asyncio.create_task(run_worker(own, Tripwires({}), stop))
    await asyncio.to_thread(until, lambda: bool(failures(behind, draft_id)))
    stop.set()
    await working
    ((_, message),) = failures(behind, draft_id)
    assert message == "localhost has an address that is not public, so nothing is sent there"
    assert receiver.got == []


def test_notifications_of_another_deployment_are_not_touched(
    settings: Settings, behind: Behind, receiver: Receiver, second: Receiver
) -> None:
    east = notified(settings, receiver.entry(name="crm"), draft_source="east", worker=False)
    west = notified(settings, second.entry(name="crm"), draft_source="west")
    draft_id, other_id = behind.drafts.new(), behind.drafts.new()
    with serving(east) as eastern, serving(west) as western:
        submitted(eastern, draft_id, AUTHOR)
        submitted(western, other_id, AUTHOR)
        until(lambda: len(second.got) == 2)
    assert [task["topicName"] for task in waiting(behind, draft_id)] == ["notify", "notify"]
    assert (second.events_of(draft_id), receiver.got) == ([], [])
    with serving(east.model_copy(update={"worker": True})):
        until(lambda: not waiting(behind, draft_id))
    assert {event["source"] for event in receiver.events_of(draft_id)} == {"/plan-api/east"}


@pytest.mark.anyio
@pytest.mark.parametrize("mode", [Mode.BEFORE, Mode.AFTER])
@pytest.mark.parametrize("nth", [0, 1], ids=["receivers chosen", "delivered"])
async def test_a_worker_that_dies_at_its_report(
    settings: Settings, behind: Behind, receiver: Receiver, mode: Mode, nth: int
) -> None:
    """Between sending and the report the event is sent again by the next worker, with the same id and body."""
    draft_id = behind.drafts.new()
    own = notified(settings, receiver.entry(events=["submitted"]), lock_seconds=1, draft_source=draft_id)
    thrown(behind, draft_id, draft_id)
    stopped = asyncio.Event()
    tripwires = Tripwires({"": Point(COMPLETE, nth, mode)}, stopped=lambda _: stopped.set(), who=lambda: "")
    dead = asyncio.create_task(run_worker(own, tripwires, asyncio.Event()))
    await stopped.wait()
    dead.cancel()
    await asyncio.wait([dead])
    with serving(own.model_copy(update={"lock_seconds": 20})):
        await asyncio.to_thread(until, lambda: not waiting(behind, draft_id))
    assert len({(delivery.id, delivery.body) for delivery in receiver.got}) == 1
    assert len(receiver.got) == (2 if nth == 1 and mode is Mode.BEFORE else 1)


def test_each_receiver_has_its_topic(settings: Settings, receiver: Receiver, second: Receiver) -> None:
    own = notified(settings, receiver.entry(name="crm"), second.entry(name="chat.example.com"))
    assert [*notification_work(own)] == ["notify", "notify-crm", "notify-chat.example.com"]
