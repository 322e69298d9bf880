"""Two deployments on one engine, each with a table of its own: what is one's is neither shown nor touched by the other.

Both have a worker that looks all the time, and approvals are made in the engine itself, so that either could take them.
"""

import json
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace

import httpx
import psycopg
import pytest
from psycopg import sql

from api.settings import Settings
from tests.serving import ADMIN, AUTHOR, GOLD, REVIEWER, Api, Drafts, Someone, serving
from tests.stories.behind import Behind, edited, exactly, read, until
from tests.verbs import (
    COMPLETE,
    REASSIGN,
    SUBMIT,
    WITHDRAW,
    approved,
    codes,
    open_task,
    perform,
    rejected,
    status,
    submitted,
)
from tests.wiretap import noting, tapped

pytestmark = pytest.mark.slow

SOURCES = ("west", "east")
THREADS = 8
PENDING = "query Pending($by: ID) { pendingTasks(filter: {submittedBy: $by}) { totalCount items { draft { id } } } }"
TASK = "query Task($id: ID!) { task(id: $id) { id } }"


@dataclass(frozen=True)
class Deployment:
    source: str
    api: Api
    behind: Behind

    @property
    def drafts(self) -> Drafts:
        return self.behind.drafts


@pytest.fixture(scope="module")
def deployments(settings: Settings, behind: Behind) -> Iterator[tuple[Deployment, Deployment]]:
    with ExitStack() as stack:
        made = [_deployment(stack, settings, behind, source) for source in SOURCES]
        yield made[0], made[1]


def _deployment(
    stack: ExitStack, settings: Settings, behind: Behind, source: str, *, named: str = "", id_type: str = "text"
) -> Deployment:
    schema = f"deployment_{source}"
    connection = behind.drafts.connection
    connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema)))
    connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
    table = sql.Identifier(schema, "benefit_plan_drafts")
    connection.execute(sql.SQL("CREATE TABLE {} (LIKE public.benefit_plan_drafts INCLUDING ALL)").format(table))
    typed = "ALTER TABLE {} ALTER COLUMN id DROP DEFAULT, ALTER COLUMN id TYPE {} USING id::{}"
    connection.execute(sql.SQL(typed).format(table, sql.SQL(id_type), sql.SQL(id_type)))
    own = Drafts(f"{behind.drafts.url}?options=-csearch_path%3D{schema}")
    stack.callback(_close, own)
    changes = {"draft_source": named or source, "drafts_table": f"{schema}.benefit_plan_drafts"}
    often = {"worker": True, "worker_poll_seconds": 0.2, "reconcile_seconds": 0.5, "publish_retries": 8}
    api = stack.enter_context(serving(settings.model_copy(update={**changes, **often})))
    return Deployment(source, api, replace(behind, drafts=own))


def _close(drafts: Drafts) -> None:
    drafts.connection.close()


def _becomes(deployment: Deployment, draft_id: str, wanted: str) -> None:
    until(lambda: bool(deployment.drafts.row(draft_id)["status"] == wanted))


def test_approvals_made_in_the_engine_come_to_their_own(deployments: tuple[Deployment, Deployment]) -> None:
    """Neither worker takes the other's publication for a draft that is not there."""
    sent = [(each, each.drafts.new()) for each in deployments for _ in range(3)]
    processes = {draft_id: submitted(each.api, draft_id, AUTHOR) for each, draft_id in sent}
    for each, draft_id in sent:
        assert each.behind.variables(processes[draft_id])["draftSource"] == each.source
        (task,) = each.behind.tasks(draft_id)
        each.behind.complete(task["id"], approved=True)
    for each, draft_id in sent:
        _becomes(each, draft_id, "approved")
        until(lambda each=each, draft_id=draft_id: each.behind.end_of(processes[draft_id]) == ["approved"])  # type: ignore[misc]  # bound at once
        assert exactly(each.behind.plan(draft_id)) == exactly(read(GOLD))
        assert "conflictDetected" not in each.behind.variables(processes[draft_id])


def test_under_load_none_takes_what_is_the_others(
    request: pytest.FixtureRequest, deployments: tuple[Deployment, Deployment]
) -> None:
    """Approvals of both at once, every second one made in the engine; `--rounds 1000`: a thousand each."""
    rounds: int = request.config.getoption("--rounds")
    with ThreadPoolExecutor(THREADS) as threads:
        made = list(threads.map(_approved, deployments * rounds, [each // 2 % 2 == 0 for each in range(2 * rounds)]))
    for draft_id, deployment in made:
        _becomes(deployment, draft_id, "approved")
    plans = [deployment.drafts.row(draft_id)["aidbox_id"] for draft_id, deployment in made]
    assert len(set(plans)) == 2 * rounds
    for (draft_id, deployment), plan_id in zip(made, plans, strict=True):
        (version,) = deployment.behind.versions(plan_id)
        (process,) = deployment.behind.processes(draft_id)
        variables = deployment.behind.variables(process["id"])
        assert (variables["draftSource"], variables["approvalOutcome"]) == (deployment.source, "approved")
        assert process["id"] in json.dumps(version["meta"], default=str)


def _approved(deployment: Deployment, by_graphql: bool) -> tuple[str, Deployment]:  # noqa: FBT001  # for map
    """A draft that was submitted and approved."""
    draft_id = str(uuid.uuid4())
    with psycopg.connect(deployment.drafts.url, autocommit=True) as connection:
        new = "INSERT INTO benefit_plan_drafts (id, name, plan_data, created_by) VALUES (%s, 'Many', %s, 'author')"
        connection.execute(new, [draft_id, GOLD])
    _insistently(deployment.api, SUBMIT, AUTHOR, draftId=draft_id)
    (task,) = deployment.behind.tasks(draft_id)
    if by_graphql:
        _insistently(deployment.api, COMPLETE, REVIEWER, taskId=task["id"], approved=True)
    else:
        deployment.behind.complete(task["id"], approved=True)
    return draft_id, deployment


def _insistently(api: Api, operation: str, someone: Someone, **fields: object) -> None:
    """Repeated while a system is too slow, as clients do; a repeat is answered as the first try would have been."""
    answer = api.answer(operation, someone, input=fields)
    while "errors" in answer:
        assert answer["errors"][0]["extensions"]["retryable"], answer
        answer = api.answer(operation, someone, input=fields)
    (payload,) = answer["data"].values()
    assert payload["userErrors"] == []


def test_other_ends_come_to_their_own(deployments: tuple[Deployment, Deployment]) -> None:
    for each in deployments:
        draft_id = each.drafts.new()
        process_id = submitted(each.api, draft_id, AUTHOR)
        (task,) = each.behind.tasks(draft_id)
        each.behind.complete(task["id"], approved=False)
        _becomes(each, draft_id, "rejected")
        until(lambda each=each, process_id=process_id: each.behind.end_of(process_id) == ["rejected"])  # type: ignore[misc]  # as above


def test_one_sees_and_does_nothing_of_the_others(deployments: tuple[Deployment, Deployment]) -> None:
    west, east = deployments
    author = replace(AUTHOR, id="author of the west")
    draft_id = west.drafts.new(author=author.id)
    submitted(west.api, draft_id, author)
    task_id = open_task(west.api, draft_id)
    assert west.api.ask(PENDING, REVIEWER, by=author.id)["pendingTasks"]["totalCount"] == 1
    assert east.api.ask(PENDING, REVIEWER, by=author.id) == {"pendingTasks": {"totalCount": 0, "items": []}}

    before = west.behind.picture(draft_id)
    for who in (REVIEWER, ADMIN):
        assert east.api.ask(TASK, who, id=task_id) == {"task": None}
        for approve in (True, False):
            assert codes(perform(east.api, COMPLETE, who, taskId=task_id, approved=approve)) == ["NOT_FOUND"]
        assert codes(perform(east.api, REASSIGN, who, taskId=task_id, userId="another")) == ["NOT_FOUND"]
    assert west.behind.picture(draft_id) == before
    assert approved(west.api, draft_id)["status"] == "APPROVED"
    assert east.api.ask(TASK, REVIEWER, id=task_id) == {"task": None}
    assert west.api.ask(TASK, REVIEWER, id=task_id) == {"task": {"id": task_id}}


def test_the_route_for_older_callers(deployments: tuple[Deployment, Deployment]) -> None:
    west, east = deployments
    draft_id = west.drafts.new()
    path, body = f"/api/plans/{draft_id}/submit", {"draftId": draft_id}
    assert east.api.client.post(path, json=body, headers=AUTHOR.headers).status_code == 404
    process_id = west.api.client.post(path, json=body, headers=AUTHOR.headers).json()["processId"]
    assert west.behind.variables(process_id)["draftSource"] == "west"


@pytest.mark.parametrize("source", ["west", None], ids=["named", "not named"])
def test_started_by_hand(deployments: tuple[Deployment, Deployment], source: str | None) -> None:
    """What names no deployment is of the one that the model says; that is none of these two, so it waits for it."""
    west, _ = deployments
    draft_id = west.drafts.new()
    given = {} if source is None else {"draftSource": source}
    process_id = west.behind.start(draft_id, business_key=draft_id, **given)
    assert west.behind.variables(process_id)["draftSource"] == (source or "retool")
    later = west.drafts.new()
    by_hand = west.behind.start(later, draftSource="west")
    _becomes(west, later, "submitted")  # whatever waited before has been looked at by now
    assert west.drafts.row(draft_id)["status"] == ("submitted" if source else "draft")
    for each in (process_id, by_hand):
        west.behind.delete_process(each)


def test_two_that_share_a_name_end_nothing_of_each_other(settings: Settings, behind: Behind) -> None:
    """A mistake: the one whose table does not have the draft leaves it waiting, and says why."""
    with ExitStack() as stack:
        one, two = (_deployment(stack, settings, behind, source, named="shared") for source in ("one", "two"))
        draft_id = one.drafts.new(plan=edited(name="Shared"))
        process_id = submitted(one.api, draft_id, AUTHOR)
        task_id = open_task(one.api, draft_id)
        before = one.behind.picture(draft_id)
        payload = perform(two.api, COMPLETE, REVIEWER, taskId=task_id, approved=True)
        assert (codes(payload), payload["status"]) == (["NOT_FOUND"], None)
        assert one.behind.picture(draft_id) == before
        one.behind.complete(task_id, approved=True)
        _becomes(one, draft_id, "approved")
        until(lambda: one.behind.end_of(process_id) == ["approved"])
        assert "conflictDetected" not in one.behind.variables(process_id)


def test_a_draft_that_no_table_has_is_left_waiting(settings: Settings, behind: Behind) -> None:
    """Its reason is in the engine, for who looks after it."""
    with ExitStack() as stack:
        one = _deployment(stack, settings, behind, "alone")
        process_id = one.behind.start("no-such-draft", business_key="no-such-draft", draftSource="alone")
        until(lambda: [task["errorMessage"] for task in one.behind.external_tasks(process_id)] != [None])
        (task,) = one.behind.external_tasks(process_id)
        assert task["errorMessage"] == (
            "deployment_alone.benefit_plan_drafts has no draft no-such-draft: it was deleted, or DRAFT_SOURCE is"
            " another deployment's too"
        )
        assert one.behind.active("no-such-draft") == [process_id]
        one.behind.delete_process(process_id)


def test_what_a_worker_asks_the_engine_for(settings: Settings) -> None:
    asked: list[httpx.Request] = []
    changes = {"draft_source": "north", "worker": True, "worker_poll_seconds": 0.05}
    with serving(settings.model_copy(update=changes), transports=tapped(noting(asked), call=".*/fetchAndLock")):
        until(lambda: bool(asked))
    topics = json.loads(asked[0].content)["topics"]
    assert {topic["topicName"]: topic["processDefinitionKey"] for topic in topics} == {
        "register-submission": "benefit-approval",
        "publish-plan": "benefit-approval",
        "record-outcome": "benefit-approval",
        "notify": "benefit-notification",
    }
    assert all(topic["processVariables"] == {"draftSource": "north"} for topic in topics)


def test_the_same_draft_id_in_both(deployments: tuple[Deployment, Deployment]) -> None:
    """As with ids that are numbers, or a database that was copied with all its rows."""
    west, east = deployments
    draft_id = west.drafts.new()
    process_id = submitted(west.api, draft_id, AUTHOR)
    columns = "id, name, plan_data, status, created_by, camunda_process_id"
    copy = f"INSERT INTO deployment_east.benefit_plan_drafts ({columns}) SELECT {columns} FROM benefit_plan_drafts"  # noqa: S608  # names of our own
    west.drafts.connection.execute(f"{copy} WHERE id = %s", [draft_id])
    before = west.behind.picture(draft_id)
    assert status(east.api, draft_id)["state"] == "NOT_SUBMITTED"
    assert codes(perform(east.api, WITHDRAW, AUTHOR, draftId=draft_id)) == ["NOT_SUBMITTED"]
    assert west.behind.picture(draft_id) == before

    other = submitted(east.api, draft_id, AUTHOR)
    assert other != process_id
    assert rejected(east.api, draft_id)["status"] == "REJECTED"
    assert west.drafts.row(draft_id) == before["row"]
    assert approved(west.api, draft_id)["status"] == "APPROVED"
    assert (west.behind.end_of(process_id), west.behind.end_of(other)) == (["approved"], ["rejected"])


def test_an_id_written_otherwise_by_hand_is_the_tables_after_registration(settings: Settings, behind: Behind) -> None:
    """Row and process name each other by the same letters then, as they must to be one approval."""
    with ExitStack() as stack:
        one = _deployment(stack, settings, behind, "typed", id_type="uuid")
        draft_id = one.drafts.new()
        process_id = one.behind.start(draft_id.upper(), draftSource="typed")
        _becomes(one, draft_id, "submitted")
        until(lambda: not one.behind.external_tasks(process_id))
        assert one.behind.variables(process_id)["draftId"] == draft_id
        assert approved(one.api, draft_id)["status"] == "APPROVED"
