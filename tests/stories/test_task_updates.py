"""When a task is due, when to look at it again, how urgent it is; and how many wait at each step."""

import uuid
from typing import Any

import pytest

from tests.serving import ADMIN, AUDITOR, AUTHOR, REVIEWER, SECOND_REVIEWER, STRANGER, Api, Someone
from tests.stories.behind import Behind
from tests.verbs import CLAIM, REASSIGN, UNCLAIM, approved, codes, open_task, perform, submitted

UPDATE = """mutation U($input: UpdateTaskInput!) { updateTask(input: $input) {
  task { id dueAt followUpAt priority assignee { id } } userErrors { code message field } } }"""
COUNTS = "{ taskCounts { step unassigned mine others overdue } }"


def updated(api: Api, task_id: str, someone: Someone = REVIEWER, **fields: Any) -> dict[str, Any]:
    return perform(api, UPDATE, someone, taskId=task_id, **fields)


@pytest.fixture
def task_id(api: Api, behind: Behind) -> str:
    """A task that the reviewer has claimed."""
    draft_id = behind.drafts.new()
    submitted(api, draft_id, AUTHOR)
    task_id = open_task(api, draft_id)
    assert codes(perform(api, CLAIM, REVIEWER, taskId=task_id)) == []
    return task_id


def test_what_is_absent_stays_and_null_clears(api: Api, behind: Behind, task_id: str) -> None:
    before = behind.engine.get(f"/task/{task_id}").json()
    first = updated(api, task_id, dueAt="2027-01-01T00:00:00+01:00", followUpAt="2026-12-24T12:00:00Z", priority=80)
    assert first == {
        "task": {
            "id": task_id,
            "dueAt": "2026-12-31T23:00:00Z",
            "followUpAt": "2026-12-24T12:00:00Z",
            "priority": 80,
            "assignee": {"id": REVIEWER.id},
        },
        "userErrors": [],
    }
    second = updated(api, task_id, dueAt=None)
    assert second["task"] == {**first["task"], "dueAt": None}
    assert updated(api, task_id) == second
    after = behind.engine.get(f"/task/{task_id}").json()
    changed = {name for name in before if before[name] != after[name]}
    assert changed - {"lastUpdated"} == {"followUp", "priority"}


def test_an_administrator_may_for_anybody(api: Api, task_id: str) -> None:
    assert updated(api, task_id, ADMIN, priority=0)["task"]["priority"] == 0


@pytest.mark.parametrize(
    ("who", "code"),
    [(STRANGER, "NOT_FOUND"), (SECOND_REVIEWER, "FORBIDDEN"), (AUTHOR, "FORBIDDEN"), (AUDITOR, "FORBIDDEN")],
)
def test_nobody_else(api: Api, behind: Behind, task_id: str, who: Someone, code: str) -> None:
    before = behind.engine.get(f"/task/{task_id}").json()
    payload = updated(api, task_id, who, priority=99)
    assert (codes(payload), payload["task"]) == ([code], None)
    assert behind.engine.get(f"/task/{task_id}").json() == before


@pytest.mark.parametrize(
    ("field", "value"),
    [("priority", -1), ("priority", 101), ("priority", None), ("dueAt", "0001-01-01T00:00:00Z")],
)
def test_values_that_are_refused(api: Api, behind: Behind, task_id: str, field: str, value: Any) -> None:
    before = behind.engine.get(f"/task/{task_id}").json()
    payload = updated(api, task_id, **{field: value})
    assert [(each["code"], each["field"]) for each in payload["userErrors"]] == [("INVALID", field)]
    assert behind.engine.get(f"/task/{task_id}").json() == before


def test_a_closed_task(api: Api, behind: Behind) -> None:
    draft_id = behind.drafts.new()
    submitted(api, draft_id, AUTHOR)
    task_id = open_task(api, draft_id)
    assert approved(api, draft_id)["status"] == "APPROVED"
    assert codes(updated(api, task_id, priority=1)) == ["ALREADY_DECIDED"]


def test_counts_by_step(api: Api, behind: Behind) -> None:
    """Of an inbox that nobody else has, since its group is in no model: what is assigned to its one member."""
    mine, another = (Someone(f"{name}-{uuid.uuid4().hex[:8]}") for name in ("counts", "has-one"))
    assert api.ask(COUNTS, mine) == {"taskCounts": []}
    for number, (who, due) in enumerate([(mine, "2020-01-01T00:00:00Z"), (mine, None), (mine, None)]):
        draft_id = behind.drafts.new(f"Counted {number}")
        submitted(api, draft_id, AUTHOR)
        task = open_task(api, draft_id)
        assert codes(updated(api, task, ADMIN, dueAt=due)) == []
        assert codes(perform(api, REASSIGN, ADMIN, taskId=task, userId=who.id)) == []
    assert api.ask(COUNTS, mine) == {
        "taskCounts": [{"step": "review", "unassigned": 0, "mine": 3, "others": 0, "overdue": 1}]
    }
    group = f"candidates-{mine.id}"
    assert behind.engine.post(f"/task/{task}/identity-links", json={"groupId": group, "type": "candidate"}).is_success
    assert codes(perform(api, REASSIGN, ADMIN, taskId=task, userId=another.id)) == []
    assert api.ask(COUNTS, Someone(mine.id, (group,))) == {
        "taskCounts": [{"step": "review", "unassigned": 0, "mine": 2, "others": 1, "overdue": 1}]
    }
    assert codes(perform(api, UNCLAIM, ADMIN, taskId=task)) == []
    assert api.ask(COUNTS, Someone(mine.id, (group,))) == {
        "taskCounts": [{"step": "review", "unassigned": 1, "mine": 2, "others": 0, "overdue": 1}]
    }
