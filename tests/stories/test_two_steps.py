"""A model with two reviews, one after the other, works with the same API: the steps are the model's own affair.

Only on systems the tests started: the model is deployed under the same key, and the usual one after it.
"""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.settings import Settings
from api.upstreams import open_upstreams
from doctor.setup import MODEL, set_up
from sandbox import Sandbox
from tests.serving import AUTHOR, GOLD, REVIEWER, SECOND_REVIEWER, Api, Someone
from tests.stories.behind import Behind, edited, exactly, read
from tests.verbs import (
    COMPLETE,
    REQUEST_CHANGES,
    WITHDRAW,
    approved,
    codes,
    open_task,
    perform,
    rejected,
    status,
    submitted,
)

TWO_STEPS = MODEL.parent / "examples" / "two-step-approval.bpmn"
COMPLIANCE = Someone("compliance", ("benefit-compliance",))


@pytest.fixture(scope="module", autouse=True)
def _two_steps(sandbox: Sandbox, settings: Settings) -> Iterator[None]:  # noqa: ARG001  # deploys to our own only
    _deploy(settings, TWO_STEPS)
    yield
    _deploy(settings, MODEL)


def _deploy(settings: Settings, model: Path) -> None:
    """Under one file name: the engine takes a model under a name it had the same under for nothing new."""
    asyncio.run(_set_up(settings, model.read_bytes()))


async def _set_up(settings: Settings, model: bytes) -> None:
    async with open_upstreams(settings) as upstreams:
        done = await set_up(upstreams, {MODEL.name: model})
    assert f"{MODEL.name}: deployed as " in done[1]


@pytest.fixture
def draft_id(api: Api, behind: Behind) -> str:
    """A draft before its first review."""
    draft_id = behind.drafts.new()
    submitted(api, draft_id, AUTHOR)
    return draft_id


@pytest.fixture
def half_way(api: Api, draft_id: str) -> str:
    """A draft between its two reviews."""
    assert approved(api, draft_id)["status"] == "IN_REVIEW"
    return draft_id


def test_published_after_the_second_approval(api: Api, behind: Behind, draft_id: str) -> None:
    process_id = behind.drafts.row(draft_id)["camunda_process_id"]
    task_id = open_task(api, draft_id)
    first = approved(api, draft_id)
    assert (first["status"], first["plan"], first["task"]) == ("IN_REVIEW", None, {"id": task_id, "isOpen": False})
    assert first["draft"] == {"id": draft_id, "status": "SUBMITTED", "aidboxId": None}
    told = status(api, draft_id)
    assert (told["state"], told["currentActivity"]) == ("IN_REVIEW", "compliance-review")
    assert [task["step"] for task in told["openTasks"]] == ["compliance-review"]
    assert behind.versions(draft_id) == []

    second = approved(api, draft_id, COMPLIANCE)
    assert (second["status"], second["userErrors"]) == ("APPROVED", [])
    assert exactly(behind.plan(draft_id)) == exactly(read(GOLD))
    assert behind.end_of(process_id) == ["approved"]
    assert [
        (decision["step"], decision["verdict"], decision["decidedBy"]["id"])
        for decision in status(api, draft_id)["decisions"]
    ] == [("review", "APPROVED", "reviewer"), ("compliance-review", "APPROVED", "compliance")]


def test_each_step_is_for_its_own_group(api: Api, behind: Behind, half_way: str) -> None:
    task_id = open_task(api, half_way)
    before = behind.picture(half_way)
    assert codes(perform(api, COMPLETE, REVIEWER, taskId=task_id, approved=True)) == ["NOT_FOUND"]
    assert codes(perform(api, WITHDRAW, REVIEWER, draftId=half_way)) == ["FORBIDDEN"]
    author = Someone("author", ("benefit-compliance",))
    assert codes(perform(api, COMPLETE, author, taskId=task_id, approved=True)) == ["OWN_SUBMISSION"]
    assert behind.picture(half_way) == before


def test_each_group_sees_its_own_step(api: Api, draft_id: str) -> None:
    """And the draft from its own step on, to the end and after."""
    asked = "query D($id: ID!) { approvalStatus(draftId: $id) { currentActivity openTasks { step } } }"

    def seen(who: Someone) -> object:
        return api.ask(asked, who, id=draft_id)["approvalStatus"]

    first = {"currentActivity": "review", "openTasks": [{"step": "review"}]}
    assert (seen(REVIEWER), seen(AUTHOR), seen(COMPLIANCE)) == (first, first, None)
    approved(api, draft_id)
    second = {"currentActivity": "compliance-review", "openTasks": [{"step": "compliance-review"}]}
    assert (seen(REVIEWER), seen(AUTHOR), seen(COMPLIANCE)) == (second | {"openTasks": []}, second, second)
    rejected(api, draft_id, COMPLIANCE)
    over: dict[str, object] = {"currentActivity": None, "openTasks": []}
    assert (seen(REVIEWER), seen(SECOND_REVIEWER), seen(COMPLIANCE)) == (over, over, over)


def test_the_second_step_completed_in_tasklist(api: Api, behind: Behind, half_way: str) -> None:
    """Which names nobody; who decided the first step does not count there."""
    behind.complete(open_task(api, half_way), approved=True)
    assert status(api, half_way)["state"] == "PUBLISHING"


def test_rejected_at_the_first_step(api: Api, behind: Behind, draft_id: str) -> None:
    assert rejected(api, draft_id)["status"] == "REJECTED"
    assert (behind.drafts.row(draft_id)["status"], behind.active(draft_id)) == ("rejected", [])


def test_rejected_at_the_second_step(api: Api, behind: Behind, half_way: str) -> None:
    assert rejected(api, half_way, COMPLIANCE)["status"] == "REJECTED"
    assert (behind.drafts.row(half_way)["status"], behind.active(half_way)) == ("rejected", [])
    assert behind.versions(half_way) == []
    assert [decision["verdict"] for decision in status(api, half_way)["decisions"]] == ["APPROVED", "REJECTED"]


def test_returned_at_the_second_step(api: Api, behind: Behind, half_way: str) -> None:
    payload = perform(api, REQUEST_CHANGES, COMPLIANCE, taskId=open_task(api, half_way), comment="Again")
    assert (payload["status"], behind.drafts.row(half_way)["status"]) == ("RETURNED", "returned")


def test_conflict_at_the_second_step(api: Api, behind: Behind, half_way: str) -> None:
    behind.drafts.edit(half_way, plan=edited(name="Edited between the reviews"))
    assert approved(api, half_way, COMPLIANCE)["status"] == "CONFLICT"
    assert (behind.drafts.row(half_way)["status"], behind.versions(half_way)) == ("conflict", [])


def test_withdrawn_at_the_first_step(api: Api, behind: Behind, draft_id: str) -> None:
    assert perform(api, WITHDRAW, AUTHOR, draftId=draft_id)["draft"]["status"] == "WITHDRAWN"
    assert behind.active(draft_id) == []


def test_withdrawn_at_the_second_step(api: Api, behind: Behind, half_way: str) -> None:
    assert perform(api, WITHDRAW, AUTHOR, draftId=half_way)["draft"]["status"] == "WITHDRAWN"
    assert behind.active(half_way) == []
    assert status(api, half_way)["state"] == "WITHDRAWN"


def test_the_first_decision_twice_answers_the_same_after_the_second_step_began(api: Api, draft_id: str) -> None:
    task_id = open_task(api, draft_id)
    first = perform(api, COMPLETE, REVIEWER, taskId=task_id, approved=True)
    assert perform(api, COMPLETE, REVIEWER, taskId=task_id, approved=True) == first
