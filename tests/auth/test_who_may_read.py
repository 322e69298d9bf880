"""Who may read a draft and a task: each cell of the table, by every way there is to them.

Whoever may not is answered as for what is not there, to the letter.
"""

import uuid
from dataclasses import dataclass

import httpx
import pytest

from api.settings import Settings
from tests.serving import Api, Drafts, Someone, serving
from tests.verbs import CLAIM, REASSIGN, WITHDRAW, approved, open_task, perform, rejected, submitted
from tests.wiretap import noting, tapped

DRAFT = """query Draft($id: ID!) {
  draft(id: $id) { id planData approval { state } history { kind } }
  drafts(ids: [$id]) { totalCount items { id planData } }
  approvalStatus(draftId: $id) { state submittedBy { id } decisions { comment } openTasks { id } }
  _entities(representations: [{__typename: "Draft", id: $id}]) { ... on Draft { id name } } }"""
SAME_DRAFT = "query D($id: ID!) { drafts(ids: [$id, $id]) { items { id } } draft(id: $id) { id } }"
PAGE = """query Page($name: String!) { drafts(filter: {nameContains: $name}, sort: [{by: NAME}]) {
  totalCount items { name } } }"""
TASK = """query Task($id: ID!) { task(id: $id) { id draft { id } }
  _entities(representations: [{__typename: "Task", id: $id}]) { ... on Task { id name } } }"""
OF_PLAN = "query Plan($id: ID!) { plan(id: $id) { name draft { id } } }"
OPEN_TASKS = "query Open($id: ID!) { approvalStatus(draftId: $id) { openTasks { id } } }"

PEOPLE = ("author", "submitter", "reviewer", "holder", "colleague", "auditor", "admin", "stranger")
READ_ALL = {"auditor", "admin"}
REVIEWERS = {"reviewer", "colleague"}
MAY_READ: dict[str, set[str]] = {
    "1 new": {"author"},
    "2 nobody's": set(PEOPLE),
    "3 in review": {"author", "submitter"} | REVIEWERS,
    "4 handed to one person": {"author", "submitter", "holder"} | REVIEWERS,
    "5 approved": {"author", "submitter"} | REVIEWERS,
    "6 withdrawn after an earlier rejection": {"author", "submitter"} | REVIEWERS,
    "7 nobody's, sent in": {"submitter"} | REVIEWERS,
}
# What was decided by another of one's group is in no page of one's own, but can be read.
IN_PAGES = MAY_READ | {
    "5 approved": {"author", "submitter", "reviewer"},
    "6 withdrawn after an earlier rejection": {"author", "submitter"},
}
SUBMITTED = tuple(name for name in MAY_READ if name[0] in "34567")


@dataclass(frozen=True)
class World:
    """A draft in each of these states, its last task, and the people, whom no other test knows."""

    mark: str
    people: dict[str, Someone]
    drafts: dict[str, str]
    tasks: dict[str, str]


@pytest.fixture(scope="module")
def world(api: Api, drafts: Drafts) -> World:
    mark = uuid.uuid4().hex[:8]
    groups = {
        "auditor": ("benefit-auditors",),
        "admin": ("benefit-admins",),
        "stranger": ("another-group",),
        **dict.fromkeys(REVIEWERS, ("other", "benefit-reviewers")),
    }
    people = {name: Someone(f"{name}-{mark}", groups.get(name, ())) for name in PEOPLE}
    author = people["author"].id
    made = {name: drafts.new(f"{name} {mark}", author=None if "nobody" in name else author) for name in MAY_READ}
    tasks = {name: _send_in(api, made[name], people) for name in SUBMITTED}
    holder = people["holder"].id
    assert perform(api, REASSIGN, people["admin"], taskId=tasks[SUBMITTED[1]], userId=holder)["userErrors"] == []
    assert approved(api, made["5 approved"], people["reviewer"])["status"] == "APPROVED"
    withdrawn = SUBMITTED[3]
    assert rejected(api, made[withdrawn], people["reviewer"])["status"] == "REJECTED"
    tasks[withdrawn] = _send_in(api, made[withdrawn], people)
    assert perform(api, WITHDRAW, people["submitter"], draftId=made[withdrawn])["userErrors"] == []
    return World(mark, people, made, tasks)


def _send_in(api: Api, draft_id: str, people: dict[str, Someone]) -> str:
    """By an administrator for somebody who did not write it; the id of its task."""
    asked = """mutation S($input: SubmitForApprovalInput!) { submitForApproval(input: $input) {
      userErrors { code } } }"""
    payload = perform(api, asked, people["admin"], draftId=draft_id, userId=people["submitter"].id)
    assert payload["userErrors"] == []
    return open_task(api, draft_id)


def spelled(someone: Someone) -> Someone:
    """The same person in other letters."""
    return Someone(someone.id.upper(), someone.groups)


@pytest.mark.parametrize("name", PEOPLE)
@pytest.mark.parametrize("draft", MAY_READ)
def test_a_draft(api: Api, world: World, draft: str, name: str) -> None:
    draft_id, who = world.drafts[draft], world.people[name]
    if name not in MAY_READ[draft] | READ_ALL:
        assert api.ask(DRAFT, who, id=draft_id) == api.ask(DRAFT, who, id=str(uuid.uuid4()))
        return
    told = api.ask(DRAFT, who, id=draft_id)
    assert told["draft"]["id"] == draft_id
    assert told["drafts"]["items"] == [{"id": draft_id, "planData": told["draft"]["planData"]}]
    assert told["approvalStatus"]["state"] == told["draft"]["approval"]["state"]
    assert told["_entities"] == [{"id": draft_id, "name": f"{draft} {world.mark}"}]
    assert api.ask(DRAFT, spelled(who), id=draft_id) == told


@pytest.mark.parametrize("name", PEOPLE)
def test_pages_of_drafts(api: Api, world: World, name: str) -> None:
    expected = [draft for draft in MAY_READ if name in IN_PAGES[draft] | READ_ALL]
    page = api.ask(PAGE, world.people[name], name=world.mark)["drafts"]
    assert [item["name"].removesuffix(f" {world.mark}") for item in page["items"]] == expected
    assert page["totalCount"] == len(expected)


@pytest.mark.parametrize("name", PEOPLE)
@pytest.mark.parametrize("draft", SUBMITTED)
def test_a_task(api: Api, world: World, draft: str, name: str) -> None:
    task_id, who = world.tasks[draft], world.people[name]
    if name not in MAY_READ[draft] | READ_ALL:
        assert api.ask(TASK, who, id=task_id) == api.ask(TASK, who, id=str(uuid.uuid4()))
        return
    expected = {"task": {"id": task_id, "draft": {"id": world.drafts[draft]}}}
    assert api.ask(TASK, who, id=task_id) == expected | {"_entities": [{"id": task_id, "name": "Review plan"}]}
    assert api.ask(TASK, spelled(who), id=task_id)["task"] == expected["task"]


@pytest.mark.parametrize("name", sorted(MAY_READ["3 in review"] | READ_ALL))
def test_open_tasks(api: Api, world: World, name: str) -> None:
    told = api.ask(OPEN_TASKS, world.people[name], id=world.drafts["3 in review"])
    assert told == {"approvalStatus": {"openTasks": [{"id": world.tasks["3 in review"]}]}}


@pytest.mark.parametrize("name", PEOPLE)
def test_the_draft_of_a_plan_that_everybody_reads(api: Api, world: World, name: str) -> None:
    draft_id = world.drafts["5 approved"]
    sees = name in MAY_READ["5 approved"] | READ_ALL
    told = api.ask(OF_PLAN, world.people[name], id=draft_id)
    assert told == {"plan": {"name": "Summit Gold PPO 1500", "draft": {"id": draft_id} if sees else None}}


@pytest.mark.parametrize("name", PEOPLE)
def test_a_decided_task_is_no_secret_to_who_may_see_it(api: Api, world: World, name: str) -> None:
    payload = perform(api, CLAIM, world.people[name], taskId=world.tasks["5 approved"])
    sees = name in MAY_READ["5 approved"] | READ_ALL
    (error,) = payload["userErrors"]
    assert (error["code"], payload["task"]) == ("ALREADY_DECIDED" if sees else "NOT_FOUND", None)


def test_a_group_added_to_one_task_by_hand(api: Api, world: World, drafts: Drafts, engine: httpx.Client) -> None:
    """It counts while the task is open, and afterwards."""
    committee = Someone(f"member-{world.mark}", (f"committee-{world.mark}",))
    draft_id = drafts.new("By hand", author=world.people["author"].id)
    submitted(api, draft_id, world.people["author"])
    task_id = open_task(api, draft_id)
    assert api.ask(DRAFT, committee, id=draft_id)["draft"] is None
    offer = {"groupId": committee.groups[0], "type": "candidate"}
    assert engine.post(f"/task/{task_id}/identity-links", json=offer).is_success
    assert api.ask(DRAFT, committee, id=draft_id)["draft"]["id"] == draft_id
    assert api.ask(TASK, committee, id=task_id)["task"]["id"] == task_id
    assert approved(api, draft_id, world.people["reviewer"])["status"] == "APPROVED"
    assert api.ask(TASK, committee, id=task_id)["task"]["id"] == task_id
    assert api.ask(DRAFT, committee, id=draft_id)["draft"]["id"] == draft_id


def test_ones_own_drafts_are_listed_without_the_engine(settings: Settings, world: World) -> None:
    away = settings.model_copy(update={"camunda_url": "http://127.0.0.1:9/engine-rest"})
    author = world.people["author"]
    asked = """query Mine($me: ID!) { drafts(filter: {createdBy: $me}) { totalCount items { createdBy } } }"""
    with serving(away) as api:
        mine = api.ask(asked, author, me=author.id)["drafts"]
        everything = api.answer(PAGE, author, name=world.mark)
        read = api.ask("query One($id: ID!) { draft(id: $id) { id } }", author, id=world.drafts["1 new"])
    assert mine["items"] == [{"createdBy": author.id}] * mine["totalCount"]
    assert mine["totalCount"] >= len([name for name in MAY_READ if "nobody" not in name])
    assert everything["data"]["drafts"] == {"totalCount": None, "items": None}
    assert {error["extensions"]["code"] for error in everything["errors"]} == {"UPSTREAM_UNREACHABLE"}
    assert read["draft"]["id"] == world.drafts["1 new"]


@pytest.mark.parametrize(
    ("name", "asked", "requests"),
    [
        ("author", SAME_DRAFT, 0),
        ("auditor", SAME_DRAFT, 0),
        ("reviewer", SAME_DRAFT, 2),
        ("stranger", SAME_DRAFT, 9),
        ("author", PAGE, 5),
        ("auditor", PAGE, 0),
    ],
)
def test_what_it_costs_to_know(settings: Settings, world: World, name: str, asked: str, requests: int) -> None:
    """Requests to the engine, and at last to the store, for the rights alone."""
    calls: list[httpx.Request] = []
    with serving(settings, transports=tapped(noting(calls))) as api:
        api.ask(asked, world.people[name], id=world.drafts["3 in review"], name=world.mark)
    assert len(calls) == requests, calls
