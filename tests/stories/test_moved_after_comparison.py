"""A plan that moves when an approval has been compared with it, and before it is published: never overwritten.

The comparison's plan is what the publication writes on, so the store's refusal is what tells; and where there is
nothing to write, since the plan said already what was reviewed, the plan is read again.
"""

import httpx
import pytest

from api.settings import Settings
from tests.serving import AUTHOR, GOLD, REVIEWER, serving
from tests.stories.behind import Behind, edited, read
from tests.verbs import perform, submitted
from tests.wiretap import before, noting, tapped

COMPLETE = """mutation Complete($input: CompleteApprovalInput!) { completeApproval(input: $input) {
  status reason draft { status } userErrors { code } } }"""
COMPLETION = "POST .*/task/[0-9a-f-]+/complete"
READ, WRITE = "GET /fhir/InsurancePlan/{}", "PUT /fhir/InsurancePlan/{}"


@pytest.mark.parametrize(
    ("name", "calls"),
    [("Another", [READ, WRITE, READ]), ("As it is", [READ, READ])],
    ids=["to write", "nothing to write"],
)
def test_a_plan_that_moves_after_it_was_compared(
    settings: Settings, behind: Behind, name: str, calls: list[str]
) -> None:
    plan_id, _ = behind.stored_plan({**read(GOLD), "name": "As it is"})
    draft_id = behind.drafts.new(aidbox_id=plan_id, plan=edited(name=name))
    seen: list[httpx.Request] = []

    def move() -> None:
        behind.put(plan_id, name="Outside")

    def moving(api: str, inner: httpx.AsyncBaseTransport) -> httpx.AsyncBaseTransport:
        noted = tapped(noting(seen), system="aidbox", call=".*/InsurancePlan/[^/]+")(api, inner)
        return tapped(before(lambda: behind.put(plan_id, name="Outside")), system="camunda", call=COMPLETION)(
            api, noted
        )

    with serving(settings, transports=moving) as api:
        submitted(api, draft_id, AUTHOR)
        (task,) = behind.tasks(draft_id)
        del seen[:]
        payload = perform(api, COMPLETE, REVIEWER, taskId=task["id"], approved=True)
    assert payload == {
        "status": "CONFLICT",
        "reason": "Version changed during approval",
        "draft": {"status": "CONFLICT"},
        "userErrors": [],
    }
    assert [f"{each.method} {each.url.path}" for each in seen] == [call.format(plan_id) for call in calls]
    assert [version["name"] for version in behind.versions(plan_id)] == ["Outside", "As it is"]
    assert behind.provenances(plan_id) == []
