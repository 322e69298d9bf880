"""Many approvals in one request, in the middle of which the store's process is killed; and the same request again."""

import asyncio
from collections import Counter

import httpx
import pytest

from api.settings import Settings
from sandbox import Sandbox
from tests.serving import REVIEWER, Api, serving
from tests.stories.behind import Behind, until
from tests.stories.test_many_at_once import COMPLETE_ALL, in_review
from tests.verbs import codes, perform
from tests.wiretap import Send, tapped

MANY = 40


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_store_that_is_killed_in_the_middle_of_many_approvals(
    sandbox: Sandbox, settings: Settings, api: Api, behind: Behind
) -> None:
    """Each answer is true of the systems; asked again, each plan is published, and exactly once."""
    draft_ids, tasks = in_review(api, behind, MANY)
    request = {"decisions": [{"taskId": task, "approved": True} for task in tasks]}
    written = 0

    async def killing(request: httpx.Request, send: Send) -> httpx.Response:
        nonlocal written
        written += request.method == "PUT"
        if request.method == "PUT" and written == MANY // 2:
            sending = asyncio.ensure_future(send(request))
            await asyncio.to_thread(sandbox.store.kill)
            return await sending
        return await send(request)

    quick = settings.model_copy(update={"settle_seconds": 1.0})
    try:
        with serving(quick, transports=tapped(killing, system="aidbox")) as watched:
            body = watched.answer(COMPLETE_ALL, REVIEWER, input=request)
    finally:
        sandbox.store.start()

    results = body["data"]["completeApprovals"]["results"]
    failed = {error["path"][2] for error in body.get("errors", []) if len(error["path"]) == 3}
    told = Counter("failed" if result is None else str(result["status"]) for result in results)
    assert set(told) <= {"APPROVED", "PUBLISHING", "failed"}
    assert 0 < told["APPROVED"] < MANY
    for number, (result, draft_id, task) in enumerate(zip(results, draft_ids, tasks, strict=True)):
        assert (result is None) == (number in failed)
        row, versions = behind.drafts.row(draft_id), len(behind.versions(draft_id))
        if result is None:
            assert ([each["id"] for each in behind.tasks(draft_id)], row["status"], versions) == (
                [task],
                "submitted",
                0,
            )
        elif result["status"] == "APPROVED":
            assert (codes(result), row["status"], versions) == ([], "approved", 1)
        else:  # what was under way may have been stored all the same
            assert (codes(result), row["status"], behind.tasks(draft_id)) == ([], "submitted", [])
            assert versions <= 1

    def all_published() -> bool:
        again = perform(api, COMPLETE_ALL, REVIEWER, **request)
        assert [codes(each) for each in again["results"]] == [[]] * MANY
        return {each["status"] for each in again["results"]} == {"APPROVED"}

    until(all_published)
    assert {behind.drafts.row(draft_id)["status"] for draft_id in draft_ids} == {"approved"}
    assert [len(behind.versions(draft_id)) for draft_id in draft_ids] == [1] * MANY
    assert perform(api, COMPLETE_ALL, REVIEWER, **request)["results"][0]["status"] == "APPROVED"
