"""Mutations of many: a payload for each input, in order, whatever becomes of the others; repeated, the same again."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any

import httpx
import pytest

from api.schema.verb import MOST_AT_ONCE, SIDE_BY_SIDE
from api.settings import Settings
from tests.serving import ADMIN, AUTHOR, REVIEWER, STRANGER, Api, Someone, serving
from tests.stories.behind import Behind, edited, until
from tests.verbs import codes, open_task, perform
from tests.wiretap import Send, tapped

pytestmark = pytest.mark.slow

SUBMIT_DRAFTS = """mutation Submit($input: SubmitDraftsInput!) { submitDrafts(input: $input) {
  results { processId status draft { id status } userErrors { code field } } userErrors { code message } } }"""
COMPLETE_ALL = """mutation Complete($input: CompleteApprovalsInput!) { completeApprovals(input: $input) {
  results { status reason draft { id status } task { id isOpen } plan { name } userErrors { code field } }
  userErrors { code message } } }"""
CLAIM_ALL = """mutation Claim($input: ClaimTasksInput!) { claimTasks(input: $input) {
  results { task { id assignee { id } } userErrors { code field } } userErrors { code message } } }"""


def drafts(behind: Behind, count: int) -> list[str]:
    """Drafts of new plans."""
    return [behind.drafts.new(plan=edited(name=f"One of {count}: {number}")) for number in range(count)]


def submissions(draft_ids: Sequence[str]) -> list[dict[str, Any]]:
    return [{"draftId": draft_id} for draft_id in draft_ids]


def in_review(api: Api, behind: Behind, count: int) -> tuple[list[str], list[str]]:
    """Submitted drafts and their tasks."""
    draft_ids = drafts(behind, count)
    payload = perform(api, SUBMIT_DRAFTS, AUTHOR, submissions=submissions(draft_ids))
    assert [codes(each) for each in payload["results"]] == [[]] * count
    return draft_ids, [open_task(api, draft_id) for draft_id in draft_ids]


def test_many_submitted_claimed_and_decided(api: Api, behind: Behind) -> None:
    draft_ids = drafts(behind, 10)
    payload = perform(api, SUBMIT_DRAFTS, AUTHOR, submissions=submissions(draft_ids))
    processes = [each["processId"] for each in payload["results"]]
    assert processes == [behind.drafts.row(draft_id)["camunda_process_id"] for draft_id in draft_ids]
    assert payload == {
        "results": [
            {
                "processId": process_id,
                "status": "SUBMITTED",
                "draft": {"id": draft_id, "status": "SUBMITTED"},
                "userErrors": [],
            }
            for draft_id, process_id in zip(draft_ids, processes, strict=True)
        ],
        "userErrors": [],
    }
    assert perform(api, SUBMIT_DRAFTS, AUTHOR, submissions=submissions(draft_ids)) == payload

    tasks = [open_task(api, draft_id) for draft_id in draft_ids]
    claimed = perform(api, CLAIM_ALL, REVIEWER, taskIds=tasks)
    assert claimed == {
        "results": [{"task": {"id": task, "assignee": {"id": REVIEWER.id}}, "userErrors": []} for task in tasks],
        "userErrors": [],
    }
    decisions = [{"taskId": task, "approved": number % 3 > 0} for number, task in enumerate(tasks)]
    decided = perform(api, COMPLETE_ALL, REVIEWER, decisions=decisions)
    ends = ["APPROVED" if number % 3 else "REJECTED" for number in range(10)]
    assert decided == {
        "results": [
            {
                "status": end,
                "reason": None,
                "draft": {"id": draft_id, "status": end},
                "task": {"id": task, "isOpen": False},
                "plan": {"name": f"One of 10: {number}"} if end == "APPROVED" else None,
                "userErrors": [],
            }
            for number, (draft_id, task, end) in enumerate(zip(draft_ids, tasks, ends, strict=True))
        ],
        "userErrors": [],
    }
    assert [len(behind.versions(draft_id)) for draft_id in draft_ids] == [int(number % 3 > 0) for number in range(10)]
    assert perform(api, COMPLETE_ALL, REVIEWER, decisions=decisions) == decided


def test_what_is_wrong_with_one_does_not_touch_the_others(api: Api, behind: Behind) -> None:
    (first, own, last), tasks = in_review(api, behind, 3)
    author_and_reviewer = Someone(AUTHOR.id, REVIEWER.groups)
    decisions = [
        {"taskId": tasks[0], "approved": True},
        {"taskId": "no-such-task", "approved": True},
        {"taskId": tasks[1], "approved": True, "comment": "x" * 2000},
        {"taskId": tasks[2], "approved": True, "userId": "somebody-else"},
    ]
    before = behind.picture(own), behind.picture(last)
    refused = perform(api, COMPLETE_ALL, author_and_reviewer, decisions=decisions)
    assert [codes(each) for each in refused["results"]] == [["OWN_SUBMISSION"], ["NOT_FOUND"], ["INVALID"], ["INVALID"]]
    done = perform(api, COMPLETE_ALL, REVIEWER, decisions=decisions)
    assert [each["userErrors"] for each in done["results"]] == [
        [],
        [{"code": "NOT_FOUND", "field": "taskId"}],
        [{"code": "INVALID", "field": "comment"}],
        [{"code": "INVALID", "field": "userId"}],
    ]
    assert [each["status"] for each in done["results"]] == ["APPROVED", None, None, None]
    assert behind.drafts.row(first)["status"] == "approved"
    assert (behind.picture(own), behind.picture(last)) == before


@pytest.mark.parametrize(
    ("operation", "given"),
    [
        (SUBMIT_DRAFTS, lambda drafts, _tasks: {"submissions": submissions(drafts)}),
        (COMPLETE_ALL, lambda _drafts, tasks: {"decisions": [{"taskId": task, "approved": True} for task in tasks]}),
        (CLAIM_ALL, lambda _drafts, tasks: {"taskIds": tasks}),
    ],
)
def test_a_stranger_is_refused_each_and_nothing_is_changed(
    api: Api, behind: Behind, operation: str, given: Any
) -> None:
    draft_ids, tasks = in_review(api, behind, 2)
    before = [behind.picture(draft_id) for draft_id in draft_ids]
    payload = perform(api, operation, STRANGER, **given(draft_ids, tasks))
    assert [codes(each) for each in payload["results"]] == [["NOT_FOUND"]] * 2
    answer = api.ask(operation, REVIEWER, input={**given(draft_ids, tasks), "userId": "somebody"})
    (whole,) = answer.values()
    assert (whole["results"], codes(whole)) == ([], ["FORBIDDEN"])
    assert [behind.picture(draft_id) for draft_id in draft_ids] == before


def test_too_many_and_the_same_twice_are_refused_as_a_whole(api: Api, behind: Behind) -> None:
    draft_id = behind.drafts.new(plan=edited(name="Twice"))
    before = behind.picture(draft_id)
    twice = perform(api, SUBMIT_DRAFTS, AUTHOR, submissions=submissions([draft_id, draft_id]))
    assert twice == {
        "results": [],
        "userErrors": [{"code": "INVALID", "message": f"{draft_id} is given more than once; nothing was done."}],
    }
    many = [draft_id, *(f"draft-{number}" for number in range(MOST_AT_ONCE))]
    too_many = api.ask(
        "mutation S($input: SubmitDraftsInput!) { submitDrafts(input: $input) { userErrors { code message } } }",
        AUTHOR,
        input={"submissions": submissions(many)},
    )
    assert too_many["submitDrafts"]["userErrors"] == [
        {"code": "INVALID", "message": f"At most {MOST_AT_ONCE} at once; send the others in another request."}
    ]
    assert perform(api, SUBMIT_DRAFTS, AUTHOR, submissions=[]) == {"results": [], "userErrors": []}
    assert behind.picture(draft_id) == before


def test_as_many_as_there_may_be(api: Api) -> None:
    """Two hundred are within the limits of a request, what their payloads hold included."""
    ids = [f"no-such-task-{number}" for number in range(MOST_AT_ONCE)]
    payload = perform(api, COMPLETE_ALL, REVIEWER, decisions=[{"taskId": each, "approved": True} for each in ids])
    assert [codes(each) for each in payload["results"]] == [["NOT_FOUND"]] * MOST_AT_ONCE


def test_a_system_that_dies_in_the_middle(api: Api, behind: Behind, settings: Settings) -> None:
    """Each answer is true: done, or an error of its own path; repeated when the system is back, all are done."""
    draft_ids, tasks = in_review(api, behind, 12)
    written: Counter[str] = Counter()

    async def dying(request: httpx.Request, send: Send) -> httpx.Response:
        written["all"] += request.url.path.endswith("/complete") and "/task/" in request.url.path
        if written["all"] > 5:
            raise httpx.ConnectError("gone", request=request)
        return await send(request)

    decisions = [{"taskId": task, "approved": False} for task in tasks]
    with serving(settings, transports=tapped(dying, system="camunda")) as dead:
        body = dead.answer(COMPLETE_ALL, REVIEWER, input={"decisions": decisions})
    results = body["data"]["completeApprovals"]["results"]
    failed = {error["path"][2]: error["extensions"]["code"] for error in body["errors"] if len(error["path"]) == 3}
    assert len(failed) >= 12 - 5
    assert set(failed.values()) == {"UPSTREAM_UNREACHABLE"}
    for number, (result, draft_id) in enumerate(zip(results, draft_ids, strict=True)):
        assert (result is None) == (number in failed)
        if result is not None:
            assert (codes(result), behind.drafts.row(draft_id)["status"]) == ([], "rejected")

    again = perform(api, COMPLETE_ALL, REVIEWER, decisions=decisions)
    assert [(each["status"], codes(each)) for each in again["results"]] == [("REJECTED", [])] * 12
    assert {behind.drafts.row(draft_id)["status"] for draft_id in draft_ids} == {"rejected"}


def test_a_store_that_dies_in_the_middle(api: Api, behind: Behind, settings: Settings) -> None:
    """Published, being published, or not decided, as each answer says; repeated, all are published."""
    draft_ids, tasks = in_review(api, behind, 12)
    written: Counter[str] = Counter()

    async def dying(request: httpx.Request, send: Send) -> httpx.Response:
        written["all"] += request.method == "PUT"
        if written["all"] > 5:
            raise httpx.ConnectError("gone", request=request)
        return await send(request)

    decisions = [{"taskId": task, "approved": True} for task in tasks]
    quick = settings.model_copy(update={"settle_seconds": 1.0, "breaker_failures": 0})
    with serving(quick, transports=tapped(dying, system="aidbox")) as dead:
        body = dead.answer(COMPLETE_ALL, REVIEWER, input={"decisions": decisions})
    results = body["data"]["completeApprovals"]["results"]
    failed = {error["path"][2] for error in body.get("errors", []) if len(error["path"]) == 3}
    told = Counter("failed" if result is None else str(result["status"]) for result in results)
    assert set(told) <= {"APPROVED", "PUBLISHING", "failed"}
    assert told["APPROVED"] <= 5
    for number, (result, draft_id, task) in enumerate(zip(results, draft_ids, tasks, strict=True)):
        assert (result is None) == (number in failed)
        row, versions = behind.drafts.row(draft_id), behind.versions(draft_id)
        if result is not None and result["status"] == "APPROVED":
            assert (row["status"], len(versions)) == ("approved", 1)
        elif result is not None:
            assert (row["status"], behind.tasks(draft_id)) == ("submitted", [])
        else:
            assert [each["id"] for each in behind.tasks(draft_id)] == [task]

    def all_published() -> bool:
        again = perform(api, COMPLETE_ALL, REVIEWER, decisions=decisions)
        assert [codes(each) for each in again["results"]] == [[]] * 12
        return {each["status"] for each in again["results"]} == {"APPROVED"}

    until(all_published)
    assert [len(behind.versions(draft_id)) for draft_id in draft_ids] == [1] * 12


def test_what_there_is_no_time_for_is_not_begun(behind: Behind, settings: Settings) -> None:
    """And what was done is told whole: the payloads have their part of the request's time."""
    draft_ids = drafts(behind, 6 * SIDE_BY_SIDE)

    async def slow(request: httpx.Request, send: Send) -> httpx.Response:
        await asyncio.sleep(0.9 if request.url.path.endswith("/start") else 0)
        return await send(request)

    hurried = settings.model_copy(update={"request_seconds": 4.0, "breaker_failures": 0})
    with serving(hurried, transports=tapped(slow, system="camunda")) as api:
        body = api.answer(SUBMIT_DRAFTS, AUTHOR, input={"submissions": submissions(draft_ids)})
    results, errors = body["data"]["submitDrafts"]["results"], body["errors"]
    late = {error["path"][2] for error in errors if error["message"].startswith("Not begun")}
    assert late
    assert {error["extensions"]["code"] for error in errors if error["path"][2] in late} == {"UPSTREAM_BUSY"}
    for number, (result, draft_id) in enumerate(zip(results, draft_ids, strict=True)):
        if number in late:
            assert (result, behind.processes(draft_id)) == (None, [])
        elif result is not None:
            assert codes(result) == []


def test_how_many_are_under_way_at_once_is_bounded(behind: Behind, settings: Settings) -> None:
    draft_ids = drafts(behind, 2 * SIDE_BY_SIDE)
    begun: Counter[str] = Counter()
    most = 0

    async def counting(request: httpx.Request, send: Send) -> httpx.Response:
        nonlocal most
        if request.url.path.endswith("/start"):
            begun["start"] += 1
        most = max(most, begun["start"] - begun["end"])
        answer = await send(request)
        if request.url.path.endswith("/start"):
            begun["end"] += 1
        return answer

    with serving(settings, transports=tapped(counting, system="camunda")) as watched:
        payload = perform(watched, SUBMIT_DRAFTS, AUTHOR, submissions=submissions(draft_ids))
    assert [codes(each) for each in payload["results"]] == [[]] * len(draft_ids)
    assert begun == {"start": len(draft_ids), "end": len(draft_ids)}
    assert most <= SIDE_BY_SIDE


def test_for_another_person_all_of_it(api: Api, behind: Behind) -> None:
    """Who may act for others names the person once; what is recorded is theirs."""
    draft_ids = [behind.drafts.new(plan=edited(name="For another"), author="somebody") for _ in range(2)]
    payload = perform(api, SUBMIT_DRAFTS, ADMIN, submissions=submissions(draft_ids), userId="somebody")
    assert [codes(each) for each in payload["results"]] == [[], []]
    for each in payload["results"]:
        variables = behind.variables(each["processId"])
        assert (variables["submittedBy"], variables["submissionActedBy"]) == ("somebody", ADMIN.id)
