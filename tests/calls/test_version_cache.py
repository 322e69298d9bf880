"""What is kept from one request to the next: versions of plans, and nothing that a write could make untrue."""

import json
from collections.abc import Iterator

import httpx
import pytest

from api.settings import Settings
from tests.calls.inboxes import Inbox, Inboxes
from tests.calls.recording import Recording
from tests.serving import Api, Drafts, serving
from tests.wiretap import failing, only_while, tapped

QUERY = "{ pendingTasks { totalCount items { draft { name } basePlan { versionId } currentPlan { versionId } } } }"


@pytest.fixture
def away() -> list[bool]:
    return []


@pytest.fixture
def cut(patient: Settings, away: list[bool]) -> Iterator[Api]:
    """An API whose store can be taken away."""
    unreachable = only_while(lambda: bool(away), failing(httpx.ConnectError))
    transports = tapped(unreachable, system="aidbox")
    with serving(patient.model_copy(update={"read_tries": 1}), transports=transports) as api:
        yield api


@pytest.fixture
def inbox(inboxes: Inboxes) -> Inbox:
    return inboxes.of(1)


def test_a_base_version_that_was_read_is_told_without_the_store(cut: Api, inbox: Inbox, away: list[bool]) -> None:
    (before,) = cut.ask(QUERY, inbox.reviewer)["pendingTasks"]["items"]
    assert before["basePlan"]["versionId"]
    away.append(True)
    answer = cut.answer(QUERY, inbox.reviewer)
    assert answer["data"]["pendingTasks"]["items"] == [{**before, "currentPlan": None}]
    assert [error["path"][-1] for error in answer["errors"]] == ["currentPlan"]


def test_everything_else_is_as_it_is_now(
    cold: Api, recording: Recording, inbox: Inbox, drafts: Drafts, store: httpx.Client
) -> None:
    (before,) = cold.ask(QUERY, inbox.reviewer)["pendingTasks"]["items"]
    plan = store.get(f"/InsurancePlan/{inbox.plan_ids[0]}").json()
    body = json.dumps({**plan, "name": f"After {plan['meta']['versionId']}"})
    written = store.put(f"/InsurancePlan/{plan['id']}", content=body, headers={"Content-Type": "application/fhir+json"})
    drafts.edit(inbox.draft_ids[0], name="Renamed")
    recording.calls.clear()
    (after,) = cold.ask(QUERY, inbox.reviewer)["pendingTasks"]["items"]
    newest = written.json()["meta"]["versionId"]
    assert newest != before["currentPlan"]["versionId"]
    assert after == {
        "draft": {"name": "Renamed"},
        "basePlan": before["basePlan"],
        "currentPlan": {"versionId": newest},
    }
    assert "POST /" not in recording.counts()
