"""Every read of every draft and task by everybody: what the page says they know of, and to the letter no more."""

import json
import uuid
from typing import Any

import pytest

from tests.matrix.asking import DRAFT_READS, TASK_READS
from tests.matrix.page import CASES, knows, sees_draft
from tests.matrix.world import Case, World
from tests.serving import Api, Someone

LISTS = ("named", "written", "ofPlan", "inAnyState")
INBOXES = ("inbox", "sent", "held", "free")


def _draft_reads(world: World, api: Api, case: Case, who: Someone) -> tuple[dict[str, Any], str]:
    author = world.person("author").id
    answer = api.post(
        DRAFT_READS, who, draft=case.draft_id, plan=case.plan_id, version="1", word=case.secret, author=author
    )
    return _data(answer.content), answer.text


def _task_reads(world: World, api: Api, case: Case, who: Someone) -> tuple[dict[str, Any], str]:
    submitter, assignee = world.person("submitter").id, world.person("assignee").id
    word = case.spoken if case.state == "copied row" else case.secret
    answer = api.post(TASK_READS, who, task=case.task_id, word=word, submitter=submitter, assignee=assignee)
    return _data(answer.content), answer.text


def _data(content: bytes) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(content)
    assert "errors" not in body, body["errors"]
    data: dict[str, Any] = body["data"]
    return data


def _nothing(case: Case) -> Case:
    """Ids and words of nothing; the plan is there, since everybody reads plans."""
    word = f"secret{uuid.uuid4().hex}"
    return Case(case.state, str(uuid.uuid4()), case.plan_id, word, word, str(uuid.uuid1()), ())


@pytest.mark.parametrize(("state", "role"), CASES)
def test_drafts(world: World, state: str, role: str) -> None:
    case, who, known = world.case(state), world.person(role), knows(state, role)
    data, text = _draft_reads(world, world.api, case, who)
    if not sees_draft(state, role):
        assert text == _draft_reads(world, world.api, _nothing(case), who)[1]
    else:
        assert data["draft"]["id"] == data["byId"]["items"][0]["id"] == data["entity"][0]["id"] == case.draft_id
        assert case.secret in data["draft"]["name"]
        assert data["byId"]["items"] == [data["draft"]]
        assert data["approvalStatus"] == data["draft"]["approval"]
        assert [data["plan"]["draft"]["id"], data["planEntity"][0]["draft"]["id"]] == [case.draft_id] * 2
        has_author = "without author" not in state
        expected = [int("draft" in known), int("draft" in known and has_author), *[int("draft" in known)] * 2]
        assert [data[name]["totalCount"] for name in LISTS] == expected
        assert [len(data[name]["items"]) for name in LISTS] == expected
    assert (case.secret in text) is sees_draft(state, role)
    assert (case.spoken in text) is _hears(case, role)


def _hears(case: Case, role: str) -> bool:
    """Whether the comments are for this person: they come with the draft's approval, which a copy does not have."""
    return sees_draft(case.state, role) and case.state not in ("new", "without author", "copied row")


@pytest.mark.parametrize(("state", "role"), CASES)
def test_tasks(world: World, state: str, role: str) -> None:
    case, who, known = world.case(state), world.person(role), knows(state, role)
    data, text = _task_reads(world, world.api, case, who)
    is_taken = state in ("claimed", "copied row")
    if "task" not in known:
        assert text == _task_reads(world, world.api, _nothing(case), who)[1]
    else:
        assert data["task"]["id"] == case.task_id
        assert data["entity"] == [data["task"]]
        assert data["task"]["submittedBy"] == {"id": world.person("submitter").id}
        assert data["task"]["draft"]["id"] == case.rows[-1]
        is_there, is_held = int("inbox" in known), int("inbox" in known and is_taken)
        expected = [is_there, is_there, is_held, is_there - is_held]
        assert [data[name]["totalCount"] for name in INBOXES] == expected
        assert [len(data[name]["items"]) for name in INBOXES] == expected
    of_the_task = case.spoken if state == "copied row" else case.secret
    assert (of_the_task in text) is ("task" in known)
    assert state != "copied row" or case.secret not in text or role in ("auditor", "administrator")


def test_the_tasks_of_others_are_asked_for_by_who_may_act_for_them(world: World) -> None:
    """Others are told so, and nothing of what there is."""
    asked = "query P($who: ID!) { pendingTasks(userId: $who) { totalCount items { id } } }"
    world.case("claimed")
    told = []
    for who in (world.person("assignee").id, f"nobody-{world.mark}"):
        answer = world.api.answer(asked, world.person("stranger"), who=who)
        answer["errors"][0]["extensions"].pop("requestId", None)
        told.append(answer)
    assert told[0] == told[1]
    assert told[0]["data"] == {"pendingTasks": None}
    assert [error["extensions"]["code"] for error in told[0]["errors"]] == ["FORBIDDEN"]
