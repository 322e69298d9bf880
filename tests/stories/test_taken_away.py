"""A task that is taken away from somebody in the very moment of their decision: the engine refuses what is late."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from api.settings import Settings
from tests.serving import ADMIN, AUTHOR, REVIEWER, SECOND_REVIEWER, Api, Someone, serving
from tests.stories.behind import Behind
from tests.verbs import CLAIM, COMPLETE, REASSIGN, UNCLAIM, codes, open_task, perform, status, submitted
from tests.wiretap import meanwhile

HOLDER = Someone("holder")  # of no group: the task was handed over
BEFORE_COMPLETION = r"POST .*/task/[^/]+/complete"


@pytest.fixture
def draft_id(api: Api, behind: Behind) -> str:
    """In review."""
    made = behind.drafts.new()
    submitted(api, made, AUTHOR)
    return made


@contextmanager
def just_before(settings: Settings, act: Callable[[], object]) -> Iterator[Api]:
    """An API whose first completion of a task leaves just after `act`."""
    with serving(settings, transports=meanwhile("camunda", BEFORE_COMPLETION, act)) as late:
        yield late


@pytest.mark.parametrize("approve", [True, False])
@pytest.mark.parametrize("claimed_before", [True, False])
def test_handed_to_somebody_else(
    api: Api,
    settings: Settings,
    behind: Behind,
    draft_id: str,
    approve: bool,  # noqa: FBT001  # a column of the table
    claimed_before: bool,  # noqa: FBT001  # as above
) -> None:
    task_id = open_task(api, draft_id)
    if claimed_before:
        perform(api, CLAIM, REVIEWER, taskId=task_id)
    hand_over = {"taskId": task_id, "userId": SECOND_REVIEWER.id}
    with just_before(settings, lambda: perform(api, REASSIGN, ADMIN, **hand_over)) as late:
        payload = perform(late, COMPLETE, REVIEWER, taskId=task_id, approved=approve)
    assert (codes(payload), payload["status"]) == (["ALREADY_CLAIMED"], None)
    assert [task["assignee"] for task in behind.tasks(draft_id)] == [SECOND_REVIEWER.id]
    assert status(api, draft_id)["decisions"] == []
    assert perform(api, COMPLETE, SECOND_REVIEWER, taskId=task_id, approved=approve)["userErrors"] == []


def test_given_back_to_ones_own_group(api: Api, settings: Settings, draft_id: str) -> None:
    """It is claimed again, since it may be."""
    task_id = open_task(api, draft_id)
    perform(api, CLAIM, REVIEWER, taskId=task_id)
    with just_before(settings, lambda: perform(api, UNCLAIM, ADMIN, taskId=task_id)) as late:
        payload = perform(late, COMPLETE, REVIEWER, taskId=task_id, approved=False)
    assert (payload["status"], payload["userErrors"]) == ("REJECTED", [])
    assert [each["decidedBy"]["id"] for each in status(api, draft_id)["decisions"]] == [REVIEWER.id]


def test_taken_back_from_who_had_it_only_by_name(api: Api, settings: Settings, behind: Behind, draft_id: str) -> None:
    """It is not theirs any longer, so they know nothing of it."""
    task_id = open_task(api, draft_id)
    perform(api, REASSIGN, ADMIN, taskId=task_id, userId=HOLDER.id)
    with just_before(settings, lambda: perform(api, UNCLAIM, ADMIN, taskId=task_id)) as late:
        payload = perform(late, COMPLETE, HOLDER, taskId=task_id, approved=True)
    assert (codes(payload), payload["status"]) == (["NOT_FOUND"], None)
    assert [task["assignee"] for task in behind.tasks(draft_id)] == [None]
    assert status(api, draft_id)["decisions"] == []


def test_held_in_other_letters(api: Api, behind: Behind, draft_id: str) -> None:
    """As Tasklist or another directory wrote it: the same person all the same."""
    task_id = open_task(api, draft_id)
    assert behind.engine.post(f"/task/{task_id}/assignee", json={"userId": "REVIEWER"}).is_success
    assert perform(api, COMPLETE, REVIEWER, taskId=task_id, approved=False)["status"] == "REJECTED"
