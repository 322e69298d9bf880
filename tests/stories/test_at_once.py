"""Several people, or one person twice, at the same moment: one of them has it, and all are told the same."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from tests.serving import AUTHOR, REVIEWER, SECOND_REVIEWER, Api, Someone
from tests.stories.behind import Behind, until
from tests.verbs import CLAIM, COMPLETE, SUBMIT, WITHDRAW, codes, open_task, perform, status, submitted

ROUNDS = 15
FEWER_ROUNDS = 5
Payload = dict[str, Any]


def at_once(*calls: Callable[[], Payload]) -> list[Payload]:
    """The payloads of calls that leave at the same moment, in the order of the calls."""
    gate = Barrier(len(calls))

    def go(call: Callable[[], Payload]) -> Payload:
        gate.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(go, calls))


def _settled(behind: Behind, draft_id: str) -> None:
    """Losing processes may end a moment after their request was answered by the winner's."""
    until(lambda: all(not behind.external_tasks(process_id) for process_id in behind.active(draft_id)))


@pytest.mark.parametrize("_round", range(ROUNDS))
def test_eight_submissions_of_one_draft(api: Api, behind: Behind, _round: int) -> None:
    draft_id = behind.drafts.new()
    payloads = at_once(*[lambda: perform(api, SUBMIT, AUTHOR, draftId=draft_id)] * 8)

    _settled(behind, draft_id)
    row = behind.drafts.row(draft_id)
    assert {payload["processId"] for payload in payloads} == {row["camunda_process_id"]}
    assert [codes(payload) for payload in payloads] == [[]] * 8
    assert row["status"] == "submitted"
    assert behind.active(draft_id) == [row["camunda_process_id"]]
    assert len(behind.tasks(draft_id)) == 1
    for process in behind.processes(draft_id):
        if process["id"] != row["camunda_process_id"]:
            assert behind.end_of(process["id"]) == ["superseded"]


@pytest.mark.parametrize("_round", range(ROUNDS))
def test_eight_approvals_by_two_reviewers(api: Api, behind: Behind, _round: int) -> None:
    draft_id = behind.drafts.new()
    process_id = submitted(api, draft_id, AUTHOR)
    task_id = open_task(api, draft_id)
    people = [REVIEWER, SECOND_REVIEWER] * 4
    payloads = at_once(*[lambda who=who: perform(api, COMPLETE, who, taskId=task_id, approved=True) for who in people])

    _settled(behind, draft_id)
    (decision,) = status(api, draft_id)["decisions"]
    assert decision["verdict"] == "APPROVED"
    for who, payload in zip(people, payloads, strict=True):
        if who.id == decision["decidedBy"]["id"]:
            assert (payload["status"], payload["userErrors"]) == ("APPROVED", [])
            assert payload["plan"]["versionId"] is not None
        else:
            assert codes(payload) in (["ALREADY_CLAIMED"], ["ALREADY_DECIDED"])
    assert behind.end_of(process_id) == ["approved"]
    assert behind.drafts.row(draft_id)["status"] == "approved"
    assert len(behind.versions(draft_id)) == 1


@pytest.mark.parametrize("_round", range(ROUNDS))
def test_approval_against_withdrawal(api: Api, behind: Behind, _round: int) -> None:
    draft_id = behind.drafts.new()
    process_id = submitted(api, draft_id, AUTHOR)
    task_id = open_task(api, draft_id)
    approval, withdrawal = at_once(
        lambda: perform(api, COMPLETE, REVIEWER, taskId=task_id, approved=True),
        lambda: perform(api, WITHDRAW, AUTHOR, draftId=draft_id),
    )

    _settled(behind, draft_id)
    (end,) = behind.end_of(process_id)
    assert behind.drafts.row(draft_id)["status"] == end
    if end == "approved":
        assert (approval["status"], approval["userErrors"]) == ("APPROVED", [])
        assert codes(withdrawal) in (["ALREADY_DECIDED"], ["NOT_SUBMITTED"])
        assert len(behind.versions(draft_id)) == 1
    else:
        assert end == "withdrawn"
        assert (withdrawal["draft"]["status"], withdrawal["userErrors"]) == ("WITHDRAWN", [])
        assert (approval["status"], codes(approval)) == (None, ["ALREADY_DECIDED"])
        assert behind.versions(draft_id) == []


@pytest.mark.parametrize("_round", range(ROUNDS))
def test_approval_against_rejection(api: Api, behind: Behind, _round: int) -> None:
    draft_id = behind.drafts.new()
    process_id = submitted(api, draft_id, AUTHOR)
    task_id = open_task(api, draft_id)
    approval, rejection = at_once(
        lambda: perform(api, COMPLETE, REVIEWER, taskId=task_id, approved=True),
        lambda: perform(api, COMPLETE, SECOND_REVIEWER, taskId=task_id, approved=False),
    )

    _settled(behind, draft_id)
    (decision,) = status(api, draft_id)["decisions"]
    won, lost, end = (
        (approval, rejection, "approved") if decision["verdict"] == "APPROVED" else (rejection, approval, "rejected")
    )
    assert behind.end_of(process_id) == [end]
    assert behind.drafts.row(draft_id)["status"] == end
    assert (won["status"], won["userErrors"]) == (end.upper(), [])
    assert codes(lost) in (["ALREADY_CLAIMED"], ["ALREADY_DECIDED"])
    assert len(behind.versions(draft_id)) == (1 if end == "approved" else 0)


@pytest.mark.parametrize("_round", range(FEWER_ROUNDS))
def test_one_person_says_both_at_once(api: Api, behind: Behind, _round: int) -> None:
    draft_id = behind.drafts.new()
    process_id = submitted(api, draft_id, AUTHOR)
    task_id = open_task(api, draft_id)
    payloads = at_once(
        lambda: perform(api, COMPLETE, REVIEWER, taskId=task_id, approved=True),
        lambda: perform(api, COMPLETE, REVIEWER, taskId=task_id, approved=False),
    )

    _settled(behind, draft_id)
    (decision,) = status(api, draft_id)["decisions"]
    assert behind.end_of(process_id) == [decision["verdict"].lower()]
    assert sorted(codes(payload) for payload in payloads) == [[], ["ALREADY_DECIDED"]]


@pytest.mark.parametrize("_round", range(FEWER_ROUNDS))
def test_a_task_claimed_by_two(api: Api, behind: Behind, _round: int) -> None:
    draft_id = behind.drafts.new()
    submitted(api, draft_id, AUTHOR)
    task_id = open_task(api, draft_id)
    people: list[Someone] = [REVIEWER, SECOND_REVIEWER] * 2
    payloads = at_once(*[lambda who=who: perform(api, CLAIM, who, taskId=task_id) for who in people])

    (task,) = behind.tasks(draft_id)
    for who, payload in zip(people, payloads, strict=True):
        assert codes(payload) == ([] if who.id == task["assignee"] else ["ALREADY_CLAIMED"])
