"""A process that an operator has suspended: whoever meets it is told so, and the doctor says it."""

import asyncio
from collections.abc import Iterator

import pytest

from api.settings import Settings
from api.upstreams import open_upstreams
from doctor.engine import look_at_engine
from tests.engines.conftest import People
from tests.serving import AUTHOR, REVIEWER, Api, serving
from tests.stories.behind import Behind
from tests.verbs import COMPLETE, SUBMIT, WITHDRAW, open_task, perform, submitted
from tests.wiretap import meanwhile

DEFINITION = (
    "The process benefit-approval is suspended in the engine; ask its operators to activate it, then submit again"
)
INSTANCE = "This approval is suspended in the engine; ask its operators to activate it, then try again"


@pytest.fixture(scope="module")
def settings_of_user(people: People) -> Settings:
    return people.as_user()


@pytest.fixture(scope="module")
def api(settings_of_user: Settings) -> Iterator[Api]:
    with serving(settings_of_user) as api:
        yield api


def suspend(people: People, path: str, *, suspended: bool = True) -> None:
    answer = people.admin.put(f"{path}/suspended", json={"suspended": suspended})
    assert answer.is_success, answer.text


def told(settings: Settings, subject: str) -> list[str]:
    async def looked() -> list[str]:
        async with open_upstreams(settings) as upstreams:
            found = await look_at_engine(upstreams.camunda, settings.camunda_url)
        return [f"{finding.grade} {finding.message}" for finding in found if finding.subject == subject]

    return asyncio.run(looked())


def test_a_suspended_definition(people: People, api: Api, beyond: Behind, settings_of_user: Settings) -> None:
    draft_id = beyond.drafts.new()
    path = "/process-definition/key/benefit-approval"
    suspend(people, path)
    try:
        answer = api.answer(SUBMIT, AUTHOR, input={"draftId": draft_id})
        (line,) = told(settings_of_user, "model")
    finally:
        suspend(people, path, suspended=False)
    (error,) = answer["errors"]
    assert (error["message"], error["extensions"]["code"]) == (DEFINITION, "UPSTREAM_FAILED")
    assert line.startswith("wrong benefit-approval, version ")
    assert line.endswith(", is suspended: no draft can be submitted; activate it in Cockpit")
    assert beyond.processes(draft_id) == []
    assert submitted(api, draft_id, AUTHOR) in beyond.active(draft_id)


@pytest.mark.parametrize("call", ["POST /engine-rest/task/.*/claim", "POST /engine-rest/task/.*/complete"])
def test_an_instance_suspended_while_it_is_decided(
    people: People, api: Api, beyond: Behind, settings_of_user: Settings, call: str
) -> None:
    draft_id = beyond.drafts.new()
    process_id = submitted(api, draft_id, AUTHOR)
    decision = {"taskId": open_task(api, draft_id), "approved": True}
    path = f"/process-instance/{process_id}"
    with serving(settings_of_user, transports=meanwhile("camunda", call, lambda: suspend(people, path))) as racing:
        (error,) = racing.answer(COMPLETE, REVIEWER, input=decision)["errors"]
    assert (error["message"], error["extensions"]["code"]) == (INSTANCE, "UPSTREAM_DECLINED")
    assert told(settings_of_user, "approvals") == [
        "warning 1 suspended, so nobody can decide or withdraw them: Cockpit activates them"
    ]
    (refusal,) = perform(api, WITHDRAW, AUTHOR, draftId=draft_id)["userErrors"]
    assert refusal == {"code": "SUSPENDED", "message": f"{INSTANCE}.", "field": "draftId"}
    suspend(people, path, suspended=False)
    assert api.ask(COMPLETE, REVIEWER, input=decision)["completeApproval"]["status"] == "APPROVED"
