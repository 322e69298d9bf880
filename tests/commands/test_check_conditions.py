"""`plan-api check` notices an engine that ignores a condition, and looks for every condition that the service sends."""

import json

import httpx
import pytest

from api.settings import Settings
from api.upstreams import open_upstreams
from doctor.conditions import CONDITIONS, look_at_conditions
from doctor.engine import look_at_engine
from doctor.finding import Finding, Grade
from tests.serving import ADMIN, AUTHOR, REVIEWER, Drafts, serving
from tests.verbs import approved, open_task, submitted
from tests.wiretap import Send, noting, tapped

QUERY = """query All($draft: ID!, $task: ID!, $day: DateTime!) {
  pendingTasks(filter: {step: "review", dueBefore: $day, createdAfter: $day, minPriority: 1, submittedBy: "author",
                        publishAfter: $day, publishBefore: $day, draftNameContains: "Silver"}) {
    totalCount items { id } }
  unassigned: pendingTasks(filter: {unassigned: true}) { items { id } }
  theirs: pendingTasks(filter: {assignee: "reviewer"}) { items { id candidateGroups decidable { allowed } } }
  taskCounts { step }
  task(id: $task) { id submittedBy { id } decidable { allowed } candidateGroups draft { history { kind } } }
  draft(id: $draft) { publishAt history { kind } comments { text } approval { state openTasks { id } } }
  drafts(filter: {publishAfter: $day, publishBefore: $day}) { totalCount items { id approval { state } } }
  scheduledPublications(from: $day) {
    totalCount items { id } }
  approvalStatus(draftId: $draft) { state openTasks { id } }
}"""


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("route", "condition"), [("/task", "taskIdIn"), ("/history/variable-instance", "variableNameIn")]
)
async def test_a_condition_that_is_ignored_is_named(settings: Settings, route: str, condition: str) -> None:
    """An engine that does not know it: on the way to this one it gets a name that no engine knows."""

    async def unknown(request: httpx.Request, send: Send) -> httpx.Response:
        body = request.content.replace(b'"%s"' % condition.encode(), b'"%sOfTomorrow"' % condition.encode())
        headers = {name: value for name, value in request.headers.items() if name != "content-length"}
        return await send(httpx.Request(request.method, request.url, headers=headers, content=body))

    ignoring = tapped(unknown, system="camunda", call=f"POST /engine-rest{route}/count")
    async with open_upstreams(settings, transports=ignoring) as upstreams:
        finding = await look_at_conditions(upstreams.camunda)
    message = f"the engine ignores {condition} of {route}, and then answers with everything: a newer one is needed"
    assert finding == Finding(Grade.WRONG, "conditions", message)


@pytest.mark.anyio
@pytest.mark.parametrize("status", [401, 403, 404])
async def test_a_product_that_is_not_told_is_named_by_its_version(settings: Settings, status: int) -> None:
    """Telemetry data are for administrators, and not every engine has them."""

    async def refused(request: httpx.Request, send: Send) -> httpx.Response:
        response = await send(request)
        await response.aread()
        return httpx.Response(status, request=request)

    silent = tapped(refused, system="camunda", call="GET /engine-rest/telemetry/data")
    async with open_upstreams(settings, transports=silent) as upstreams:
        first = (await look_at_engine(upstreams.camunda, settings.camunda_url))[0]
        version = await upstreams.camunda.version()
    assert first == Finding(Grade.OK, "engine", f"version {version} at {settings.camunda_url}")


def test_every_condition_that_is_sent_is_looked_for(settings: Settings, drafts: Drafts) -> None:
    sent: list[httpx.Request] = []
    with serving(settings, transports=tapped(noting(sent), system="camunda")) as api:
        decided_id, draft_id = drafts.new(), drafts.new()
        submitted(api, decided_id, AUTHOR)
        approved(api, decided_id)
        submitted(api, draft_id, AUTHOR)
        task_id = open_task(api, draft_id)
        for draft, task in ((draft_id, task_id), (decided_id, "none")):
            for person in (AUTHOR, REVIEWER, ADMIN):
                api.ask(QUERY, person, draft=draft, task=task, day="2030-01-01T00:00:00Z")
        api.ask('{ pendingTasks(userId: "another") { totalCount } }', ADMIN)
    found = {name for request in sent for name in conditions_of(request)}
    known = {f"{condition} of {route}" for route, conditions in CONDITIONS.items() for condition in conditions}
    assert found - known == set()


def conditions_of(request: httpx.Request) -> list[str]:
    route = request.url.path.removeprefix("/engine-rest").removesuffix("/count")
    if request.method != "POST" or route not in CONDITIONS:
        return []
    body = json.loads(request.content)
    alternatives = [name for each in body.get("orQueries", ()) for name in each]
    return [f"{name} of {route}" for name in [*body, *alternatives] if name != "sorting"]
