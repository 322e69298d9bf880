"""Every root field of Query while one system is away: what is null, what is intact, what is told and what is logged."""

import json
import uuid
from copy import deepcopy
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest
from httpx import Client

from tests.degraded.conftest import Wired, World, put_plan
from tests.degraded.faults import CASES, FAULTS, Log, entry
from tests.serving import AUTHOR, REVIEWER, Drafts, Someone
from tests.verbs import submitted
from tests.wire import Cut, Hang, Pass, Refuse


@dataclass(frozen=True)
class Lost:
    """The paths that are null while a system is away, and how many calls to it fail (each is a line in the log)."""

    paths: tuple[str, ...] = ()
    calls: int = 0


NOTHING = Lost()


@dataclass(frozen=True)
class Read:
    """A root field as one of the world's people asks it, and what is lost with each system."""

    query: str
    lost: dict[str, Lost] = field(default_factory=dict)
    who: str = "author"

    def asker(self, world: World) -> Someone:
        someone: Someone = getattr(world, self.who)
        return someone


READS = {
    "viewer": Read("{ viewer { id groups } }"),
    "pendingTasks": Read(
        """query Q($author: ID!) { pendingTasks(filter: {submittedBy: $author}) { totalCount items {
          id name step candidateGroups submittedBy { id } decidable { allowed } draft { id name status }
          basePlan { id versionId } currentPlan { id versionId name } hasConflict } } }""",
        {
            "retool": Lost(("pendingTasks.items.0.draft",), 1),
            "camunda": Lost(("pendingTasks.totalCount", "pendingTasks.items"), 2),
            "aidbox": Lost(
                (
                    "pendingTasks.items.0.basePlan",
                    "pendingTasks.items.0.currentPlan",
                    "pendingTasks.items.0.hasConflict",
                ),
                2,
            ),
        },
        who="reviewer",
    ),
    "task": Read(
        """query Q($task: ID!) { task(id: $task) { id isOpen draft { id } basePlan { versionId }
          currentPlan { versionId } hasConflict submittedBy { id } } }""",
        {
            "retool": Lost(("task.draft",), 1),
            "camunda": Lost(("task",), 1),
            "aidbox": Lost(("task.basePlan", "task.currentPlan", "task.hasConflict"), 2),
        },
        who="reviewer",
    ),
    "draft": Read(
        """query Q($draft: ID!) { draft(id: $draft) { id name status planData revision basePlan { versionId }
          currentPlan { versionId } approval { state openTasks { id } decisions { verdict } } } }""",
        {
            "retool": Lost(("draft",), 1),
            "camunda": Lost(("draft.basePlan", "draft.approval"), 4),
            "aidbox": Lost(("draft.basePlan", "draft.currentPlan"), 2),
        },
    ),
    "drafts": Read(
        """query Q($author: ID!) { drafts(filter: {createdBy: $author}, sort: [{by: NAME}]) { totalCount items {
          id name currentPlan { versionId } } } }""",
        {
            "retool": Lost(("drafts.totalCount", "drafts.items"), 2),
            "aidbox": Lost(("drafts.items.0.currentPlan", "drafts.items.1.currentPlan"), 1),
        },
    ),
    "drafts by ids": Read(
        "query Q($draft: ID!) { drafts(ids: [$draft]) { totalCount items { id } } }",
        {"retool": Lost(("drafts.items",), 1)},
    ),
    "drafts by ids of somebody else": Read(
        "query Q($draft: ID!) { drafts(ids: [$draft]) { totalCount items { id } } }",
        {"retool": Lost(("drafts.items",), 1), "camunda": Lost(("drafts.items",), 2)},
        who="reviewer",
    ),
    "drafts of everybody": Read(
        "query Q($author: ID!) { drafts(filter: {createdBy: $author}) { totalCount items { id } } }",
        {
            "retool": Lost(("drafts.totalCount", "drafts.items"), 2),
            "camunda": Lost(("drafts.totalCount", "drafts.items"), 3),
        },
        who="reviewer",
    ),
    "plan": Read(
        """query Q($plan: ID!) { plan(id: $plan) { id versionId name resource draft { __typename }
          history { versionId name } } }""",
        {"retool": Lost(("plan.draft",), 1), "aidbox": Lost(("plan",), 1)},
    ),
    "approvalStatus": Read(
        """query Q($draft: ID!) { approvalStatus(draftId: $draft) { draftStatus state workflowActive currentActivity
          openTasks { id draft { id } currentPlan { id } } submittedBy { id } decisions { verdict } } }""",
        {
            "retool": Lost(("approvalStatus",), 1),
            "camunda": Lost(("approvalStatus",), 4),
            "aidbox": Lost(("approvalStatus.openTasks.0.currentPlan",), 1),
        },
    ),
}


@pytest.fixture(scope="session")
def whole(wired: Wired, world: World) -> dict[str, dict[str, Any]]:
    """The answers with all three systems there."""
    return {root: wired.api.ask(read.query, read.asker(world), **world.variables) for root, read in READS.items()}


@pytest.mark.parametrize(("system", "name"), CASES)
@pytest.mark.parametrize("root", READS)
def test_what_is_lost_is_null_and_told_and_the_rest_is_there(
    wired: Wired, world: World, whole: dict[str, dict[str, Any]], log: Log, root: str, system: str, name: str
) -> None:
    read, told = READS[root], FAULTS[system][name]
    lost = read.lost.get(system, NOTHING)
    api = wired.for_fault(system, told.fault)
    with wired.wires[system].during(told.fault):
        response = api.post(read.query, read.asker(world), **world.variables)
        request = response.headers["X-Request-Id"]
        logged = log.of(request, lost.calls)
    body = json.loads(response.content, parse_float=Decimal)
    assert response.status_code == 200
    errors = body.get("errors", [])
    assert sorted(path_of(error) for error in errors) == sorted(lost.paths)
    for error in errors:
        assert error == {**entry(system, told, request), "path": error["path"], "locations": error["locations"]}
    assert body["data"] == without(whole[root], lost.paths)
    assert logged == [{"upstream": system, "code": told.code}] * lost.calls
    if not isinstance(told.fault, Hang):
        assert api.ask(read.query, read.asker(world), **world.variables) == whole[root]


def path_of(error: dict[str, Any]) -> str:
    return ".".join(str(step) for step in error["path"])


def without(whole: dict[str, Any], paths: tuple[str, ...]) -> dict[str, Any]:
    """The answer with null at these paths."""
    rest: Any = deepcopy(whole)
    for path in paths:
        *way, last = path.split(".")
        place = rest
        for step in way:
            place = place[int(step)] if step.isdigit() else place[step]
        place[last] = None
    return dict(rest)


def test_a_dead_store_is_asked_once_for_a_whole_inbox(wired: Wired, drafts: Drafts, log: Log, store: Client) -> None:
    author = Someone(f"author-{uuid.uuid4().hex[:8]}")
    for number in range(20):
        plan_id = f"plan-{uuid.uuid4().hex[:8]}"
        put_plan(store, plan_id, f"Plan {number}")
        submitted(wired.api, drafts.new(aidbox_id=plan_id, author=author.id), author)
    query = """query Q($author: ID!) { pendingTasks(filter: {submittedBy: $author}) { totalCount items {
      id currentPlan { id } } } }"""
    with wired.wires["aidbox"].during(Refuse()):
        response = wired.api.post(query, REVIEWER, author=author.id)
    body, request = response.json(), response.headers["X-Request-Id"]
    assert body["data"]["pendingTasks"]["totalCount"] == 20
    assert [item["currentPlan"] for item in body["data"]["pendingTasks"]["items"]] == [None] * 20
    expected = [f"pendingTasks.items.{number}.currentPlan" for number in range(20)]
    assert sorted(map(path_of, body["errors"])) == sorted(expected)
    assert log.of(request, 1) == [{"upstream": "aidbox", "code": "UPSTREAM_UNREACHABLE"}]


def test_two_systems_away_empty_their_own_fields_only(wired: Wired, world: World) -> None:
    read = READS["pendingTasks"]
    whole = wired.api.ask(read.query, read.asker(world), **world.variables)
    with wired.wires["retool"].during(Refuse()), wired.wires["aidbox"].during(Refuse()):
        body = wired.api.answer(read.query, read.asker(world), **world.variables)
    lost = (*read.lost["retool"].paths, *read.lost["aidbox"].paths)
    assert body["data"] == without(whole, lost)
    assert sorted(map(path_of, body["errors"])) == sorted(lost)


@pytest.mark.parametrize("after", [100, 600, 1500, 2500])
def test_a_row_that_breaks_off_is_no_row(wired: Wired, drafts: Drafts, after: int) -> None:
    draft_id = drafts.new()
    query = "query Q($id: ID!) { draft(id: $id) { id planData } }"
    whole = wired.api.ask(query, AUTHOR, id=draft_id)
    with wired.wires["retool"].during(Cut(after)):
        body = wired.api.answer(query, AUTHOR, id=draft_id)
    assert body["data"] == {"draft": None}
    assert [error["extensions"]["code"] for error in body["errors"]] == ["UPSTREAM_UNREACHABLE"]
    assert wired.api.ask(query, AUTHOR, id=draft_id) == whole


@pytest.mark.parametrize("after", [*range(290, 330, 4), 600, 1000])  # around the end of the headers, and further on
def test_a_resource_that_breaks_off_is_no_resource(wired: Wired, world: World, after: int) -> None:
    query = "query Q($plan: ID!) { plan(id: $plan) { resource } }"
    wired.api.ask(query, world.reviewer, plan=world.plan_id)  # the connection has been used: it is tried once more
    with wired.wires["aidbox"].during(Cut(after)):
        body = wired.api.answer(query, world.reviewer, plan=world.plan_id)
    assert body["data"] == {"plan": None}
    assert [error["extensions"]["code"] for error in body["errors"]] == ["UPSTREAM_UNREACHABLE"]


def test_a_slow_system_is_no_dead_one(wired: Wired, world: World) -> None:
    read = READS["pendingTasks"]
    whole = wired.api.ask(read.query, read.asker(world), **world.variables)
    with wired.wires["aidbox"].during(Pass(0.2)), wired.wires["retool"].during(Pass(0.05)):
        assert wired.api.ask(read.query, read.asker(world), **world.variables) == whole
