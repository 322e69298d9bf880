"""What the lists and the single things tell, in each state a draft can be in."""

import uuid
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.serving import ADMIN, AUDITOR, AUTHOR, REVIEWER, SECOND_REVIEWER, STRANGER, Api, Someone
from tests.stories.behind import Behind, edited, exactly, read
from tests.verbs import (
    CLAIM,
    REQUEST_CHANGES,
    WITHDRAW,
    approved,
    open_task,
    perform,
    rejected,
    status,
    submitted,
)

TASKS = """query Tasks($userId: ID, $filter: TaskFilter, $sort: [TaskSort!], $limit: Int! = 50, $offset: Int! = 0) {
  pendingTasks(userId: $userId, filter: $filter, sort: $sort, limit: $limit, offset: $offset) {
    totalCount items { id draft { id } } } }"""
DRAFTS = """query Drafts($ids: [ID!], $filter: DraftFilter, $sort: [DraftSort!], $limit: Int! = 50, $offset: Int! = 0) {
  drafts(ids: $ids, filter: $filter, sort: $sort, limit: $limit, offset: $offset) { totalCount items { id } } }"""
TASK = """query Task($id: ID!) { task(id: $id) {
  id name step isOpen assignee { id } candidateGroups priority dueAt processId submittedBy { id } hasConflict
  draft { id name status } basePlan { id versionId } currentPlan { id versionId name }
  decidable { allowed code message } } }"""
PLAN = """query Plan($id: ID!, $versionId: ID) { plan(id: $id, versionId: $versionId) {
  id versionId name status resource history(limit: 2) { versionId name } draft { id } } }"""


def someone_new(*groups: str) -> Someone:
    """A person no other test knows."""
    return Someone(f"person-{uuid.uuid4().hex[:12]}", groups)


@pytest.fixture
def author() -> Someone:
    """Whose drafts are this test's alone."""
    return someone_new()


@pytest.fixture
def three(api: Api, behind: Behind, author: Someone) -> list[str]:
    """Three drafts of the author, in review, oldest first."""
    made = [behind.drafts.new(f"{number} of {author.id}", author=author.id) for number in ("b", "a", "c")]
    for draft_id in made:
        submitted(api, draft_id, author)
    return made


def pending(api: Api, viewer: Someone, **variables: object) -> tuple[int, list[str]]:
    """How many tasks there are in all, and the drafts of this page's."""
    page = api.ask(TASKS, viewer, **variables)["pendingTasks"]
    return page["totalCount"], [item["draft"]["id"] for item in page["items"]]


def listed(api: Api, **variables: object) -> tuple[int, list[str | None]]:
    """How many drafts there are in all, and the ids of this page's."""
    page = api.ask(DRAFTS, AUDITOR, **variables)["drafts"]
    return page["totalCount"], [item and item["id"] for item in page["items"]]


# pendingTasks


def test_tasks_of_my_groups_claimed_or_not(api: Api, three: list[str], author: Someone) -> None:
    mine = {"filter": {"submittedBy": author.id}}
    perform(api, CLAIM, REVIEWER, taskId=open_task(api, three[1]))
    for viewer in (REVIEWER, SECOND_REVIEWER):
        assert pending(api, viewer, **mine) == (3, three)
    for viewer in (STRANGER, author, Someone("nobody")):
        assert pending(api, viewer, **mine) == (0, [])


def test_tasks_assigned_to_me_without_any_group(api: Api, three: list[str]) -> None:
    deputy = someone_new()
    perform(api, CLAIM, ADMIN, taskId=open_task(api, three[2]), userId=deputy.id)
    assert pending(api, deputy) == (1, [three[2]])


def test_tasks_of_somebody_else(api: Api, three: list[str]) -> None:
    """Known to an administrator: those assigned to that person. To others they are not."""
    deputy = someone_new()
    perform(api, CLAIM, ADMIN, taskId=open_task(api, three[0]), userId=deputy.id)
    assert pending(api, ADMIN, userId=deputy.id) == (1, [three[0]])
    answer = api.answer(TASKS, REVIEWER, userId=deputy.id)
    assert answer["data"] == {"pendingTasks": None}
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["FORBIDDEN"]
    assert pending(api, deputy, userId=deputy.id.upper()) == (1, [three[0]])


def test_tasks_narrowed(api: Api, behind: Behind, three: list[str], author: Someone) -> None:
    task_ids = [open_task(api, draft_id) for draft_id in three]
    perform(api, CLAIM, REVIEWER, taskId=task_ids[1])
    for task_id, changes in ((task_ids[0], {"priority": 90}), (task_ids[2], {"due": "2031-01-01T00:00:00.000+0000"})):
        task = behind.engine.get(f"/task/{task_id}").json()
        assert behind.engine.put(f"/task/{task_id}", json={**task, **changes}).is_success
    cases: list[tuple[dict[str, object], list[str]]] = [
        ({}, three),
        ({"step": "review"}, three),
        ({"step": "another"}, []),
        ({"unassigned": True}, [three[0], three[2]]),
        ({"unassigned": False}, [three[1]]),
        ({"unassigned": None}, three),
        ({"minPriority": 60}, [three[0]]),
        ({"dueBefore": "2031-01-02T00:00:00Z"}, [three[2]]),
        ({"dueBefore": "2030-12-31T00:00:00Z"}, []),
        ({"createdAfter": "2020-01-01T00:00:00+02:00"}, three),
        ({"createdAfter": "2099-01-01T00:00:00Z"}, []),
        ({"unassigned": True, "minPriority": 60}, [three[0]]),
    ]
    for narrowed, expected in cases:
        found = pending(api, REVIEWER, filter={"submittedBy": author.id, **narrowed})
        assert found == (len(expected), expected), narrowed


def test_tasks_sorted(api: Api, three: list[str], author: Someone) -> None:
    mine = {"filter": {"submittedBy": author.id}}
    assert pending(api, REVIEWER, sort=[{"by": "CREATED_AT", "descending": True}], **mine) == (3, three[::-1])
    assert pending(api, REVIEWER, sort=[{"by": "PRIORITY"}, {"by": "CREATED_AT"}], **mine) == (3, three)
    assert pending(api, REVIEWER, sort=None, **mine) == (3, three)
    perform(api, CLAIM, REVIEWER, taskId=open_task(api, three[0]))
    perform(api, CLAIM, SECOND_REVIEWER, taskId=open_task(api, three[1]))
    by_assignee = pending(api, REVIEWER, sort=[{"by": "ASSIGNEE"}], **mine)[1]
    assert [draft_id for draft_id in by_assignee if draft_id != three[2]] == three[:2]


def test_tasks_paged(api: Api, three: list[str], author: Someone) -> None:
    mine = {"filter": {"submittedBy": author.id}}
    assert pending(api, REVIEWER, limit=2, **mine) == (3, three[:2])
    assert pending(api, REVIEWER, limit=2, offset=2, **mine) == (3, three[2:])
    assert pending(api, REVIEWER, limit=2, offset=9, **mine) == (3, [])
    assert pending(api, REVIEWER, limit=0, **mine) == (3, [])


@pytest.mark.parametrize("wrong", [{"limit": -1}, {"limit": 1001}, {"offset": -1}])
@pytest.mark.parametrize(("operation", "field"), [(TASKS, "pendingTasks"), (DRAFTS, "drafts")])
def test_pages_out_of_bounds(api: Api, operation: str, field: str, wrong: dict[str, object]) -> None:
    answer = api.answer(operation, REVIEWER, **wrong)
    assert answer["data"] == {field: None}
    assert answer["errors"][0]["extensions"]["code"] == "INVALID"


# task


def task_of(api: Api, viewer: Someone, task_id: str) -> dict[str, Any]:
    answer = api.ask(TASK, viewer, id=task_id)["task"]
    assert isinstance(answer, dict)
    return answer


@pytest.mark.slow
def test_a_task_open_and_closed(api: Api, behind: Behind) -> None:
    plan_id, base = behind.stored_plan()
    draft_id = behind.drafts.new("An edit", edited(name="Edited"), aidbox_id=plan_id)
    process_id = submitted(api, draft_id, AUTHOR)
    task_id = open_task(api, draft_id)
    name = read(behind.drafts.row(draft_id)["plan_data"])["name"]
    assert name == "Edited"
    told = {
        "id": task_id,
        "name": "Review plan",
        "step": "review",
        "isOpen": True,
        "assignee": None,
        "candidateGroups": ["benefit-reviewers"],
        "priority": 50,
        "dueAt": None,
        "processId": process_id,
        "submittedBy": {"id": "author"},
        "hasConflict": False,
        "draft": {"id": draft_id, "name": "An edit", "status": "SUBMITTED"},
        "basePlan": {"id": plan_id, "versionId": base},
        "currentPlan": {"id": plan_id, "versionId": base, "name": behind.plan(plan_id)["name"]},
        "decidable": {"allowed": True, "code": None, "message": None},
    }
    assert task_of(api, REVIEWER, task_id) == told

    newest = approved(api, draft_id)["plan"]["versionId"]
    (past,) = behind.past_tasks(draft_id)
    ended = datetime.fromisoformat(past["endTime"]).astimezone(UTC)
    message = f"This task was approved by reviewer at {ended:%Y-%m-%d %H:%M} UTC."
    closed = {"allowed": False, "code": "ALREADY_DECIDED", "message": message}
    assert task_of(api, REVIEWER, task_id) == told | {
        "isOpen": False,
        "assignee": {"id": "reviewer"},
        "draft": {"id": draft_id, "name": "An edit", "status": "APPROVED"},
        "currentPlan": {"id": plan_id, "versionId": newest, "name": "Edited"},
        "decidable": closed,
    }


def test_a_task_of_a_plan_that_moved_has_a_conflict(api: Api, behind: Behind) -> None:
    plan_id, base = behind.stored_plan()
    draft_id = behind.drafts.new(aidbox_id=plan_id, plan=edited(name="Edited"))
    submitted(api, draft_id, AUTHOR)
    task_id = open_task(api, draft_id)
    outside = behind.put(plan_id, name="Outside")
    told = task_of(api, REVIEWER, task_id)
    assert (told["hasConflict"], told["basePlan"]) == (True, {"id": plan_id, "versionId": base})
    assert told["currentPlan"] == {"id": plan_id, "versionId": outside, "name": "Outside"}
    assert behind.store.delete(f"/InsurancePlan/{plan_id}").is_success
    told = task_of(api, REVIEWER, task_id)
    assert (told["hasConflict"], told["currentPlan"]) == (True, None)


def test_a_task_of_a_new_plan_has_no_plan_to_conflict_with(api: Api, behind: Behind) -> None:
    draft_id = behind.drafts.new()
    submitted(api, draft_id, AUTHOR)
    told = task_of(api, REVIEWER, open_task(api, draft_id))
    assert (told["hasConflict"], told["basePlan"], told["currentPlan"]) == (False, None, None)


def test_decidable_says_what_the_mutation_would(api: Api, behind: Behind) -> None:
    draft_id = behind.drafts.new()
    submitted(api, draft_id, AUTHOR)
    task_id = open_task(api, draft_id)
    own = Someone("Author", REVIEWER.groups)
    assert task_of(api, own, task_id)["decidable"]["code"] == "OWN_SUBMISSION"
    assert task_of(api, SECOND_REVIEWER, task_id)["decidable"]["allowed"] is True
    perform(api, CLAIM, REVIEWER, taskId=task_id)
    assert task_of(api, SECOND_REVIEWER, task_id)["decidable"] == {
        "allowed": False,
        "code": "ALREADY_CLAIMED",
        "message": "reviewer has claimed this task; ask them, or an administrator, to hand it over.",
    }
    assert task_of(api, Someone("REVIEWER", REVIEWER.groups), task_id)["decidable"]["allowed"] is True
    assert task_of(api, own, task_id)["decidable"]["code"] == "OWN_SUBMISSION"


@pytest.mark.parametrize("unknown", ["none", "", "x" * 300, "../x"])
def test_no_such_task(api: Api, unknown: str) -> None:
    assert api.ask(TASK, REVIEWER, id=unknown) == {"task": None}


# plan


def test_a_plan_and_its_versions(api: Api, behind: Behind) -> None:
    plan_id, first = behind.stored_plan()
    second, third = behind.put(plan_id, name="Second"), behind.put(plan_id, name="Third")
    draft_id = behind.drafts.new(aidbox_id=plan_id)
    told = api.ask(PLAN, STRANGER, id=plan_id)["plan"]
    assert exactly(told.pop("resource")) == exactly(behind.plan(plan_id))
    assert told == {
        "id": plan_id,
        "versionId": third,
        "name": "Third",
        "status": "active",
        "history": [{"versionId": third, "name": "Third"}, {"versionId": second, "name": "Second"}],
        "draft": None,
    }
    assert api.ask(PLAN, AUTHOR, id=plan_id)["plan"]["draft"] == {"id": draft_id}
    older = api.ask(PLAN, STRANGER, id=plan_id, versionId=first)["plan"]
    assert (older["versionId"], exactly(older["resource"])) == (first, exactly(behind.versions(plan_id)[-1]))
    assert api.ask(PLAN, STRANGER, id=plan_id, versionId=None)["plan"]["versionId"] == third


def test_no_such_plan_or_version(api: Api, behind: Behind) -> None:
    plan_id, first = behind.stored_plan()
    for asked in ({"id": "never-was"}, {"id": plan_id, "versionId": "999999"}, {"id": "a/b"}, {"id": ""}):
        assert api.ask(PLAN, STRANGER, **asked) == {"plan": None}
    assert behind.store.delete(f"/InsurancePlan/{plan_id}").is_success
    assert api.ask(PLAN, STRANGER, id=plan_id) == {"plan": None}
    assert api.ask(PLAN, STRANGER, id=plan_id, versionId=first)["plan"]["versionId"] == first


def test_the_draft_of_a_plan_is_the_last_touched_one(api: Api, behind: Behind) -> None:
    plan_id, _ = behind.stored_plan()
    asked = "query Draft($id: ID!) { plan(id: $id) { draft { id } } }"
    assert api.ask(asked, AUTHOR, id=plan_id) == {"plan": {"draft": None}}
    first, second = (behind.drafts.new(aidbox_id=plan_id) for _ in range(2))
    assert api.ask(asked, AUTHOR, id=plan_id) == {"plan": {"draft": {"id": second}}}
    behind.drafts.edit(first, name="Touched")
    assert api.ask(asked, AUTHOR, id=plan_id) == {"plan": {"draft": {"id": first}}}


# drafts


def test_drafts_by_ids_keep_their_order(api: Api, three: list[str]) -> None:
    ids = [three[2], "none", three[0], three[2], ""]
    expected = [three[2], None, three[0], three[2], None]
    assert listed(api, ids=ids) == (5, expected)
    assert listed(api, ids=ids, limit=2, offset=1) == (5, expected[1:3])
    assert listed(api, ids=[]) == (0, [])


def test_drafts_narrowed_sorted_and_paged(api: Api, behind: Behind, three: list[str], author: Someone) -> None:
    b, a, c = three
    rejected(api, a)
    behind.drafts.edit(b, name=f"B of {author.id}, touched last")
    mine = {"createdBy": author.id}
    assert listed(api, filter=mine) == (3, [b, a, c])
    by_name = [{"by": "NAME"}]
    assert set(listed(api, filter=mine, sort=by_name)[1]) == set(three)
    assert listed(api, filter={**mine, "status": ["SUBMITTED"]}, sort=by_name)[0] == 2
    assert listed(api, filter={**mine, "status": ["REJECTED", "APPROVED"]}) == (1, [a])
    assert listed(api, filter={**mine, "status": []}) == (0, [])
    assert listed(api, filter={**mine, "status": None}) == (3, [b, a, c])
    assert listed(api, filter={**mine, "nameContains": "TOUCHED"}) == (1, [b])
    assert listed(api, filter={**mine, "nameContains": "%"}) == (0, [])
    assert listed(api, filter={**mine, "nameContains": None, "aidboxId": None}) == (3, [b, a, c])
    assert listed(api, filter=mine, sort=[{"by": "STATUS"}, {"by": "UPDATED_AT"}]) == (3, [a, c, b])
    assert listed(api, filter=mine, limit=1, offset=1) == (3, [a])
    assert listed(api, filter=mine, limit=0) == (3, [])


def test_drafts_of_a_plan(api: Api, behind: Behind) -> None:
    plan_id, _ = behind.stored_plan()
    draft_id = behind.drafts.new(aidbox_id=plan_id)
    assert listed(api, filter={"aidboxId": plan_id}) == (1, [draft_id])


def test_drafts_sorted_by_name(api: Api, behind: Behind, author: Someone) -> None:
    made = {name: behind.drafts.new(name, author=author.id) for name in ("delta", "alpha", "echo")}
    ordered: list[str | None] = [made[name] for name in ("alpha", "delta", "echo")]
    mine = {"createdBy": author.id}
    assert listed(api, filter=mine, sort=[{"by": "NAME"}]) == (3, ordered)
    assert listed(api, filter=mine, sort=[{"by": "NAME", "descending": True}]) == (3, ordered[::-1])


# approvalStatus


def test_the_states_of_an_approval(api: Api, behind: Behind) -> None:
    """Those that end are in test_ends.py, PUBLISH_FAILED in test_publication_that_gives_up.py."""
    draft_id = behind.drafts.new()
    nothing = {
        "draftStatus": "DRAFT",
        "state": "NOT_SUBMITTED",
        "workflowActive": False,
        "currentActivity": None,
        "problem": None,
        "openTasks": [],
        "decisions": [],
        "submittedBy": None,
        "submittedRevision": None,
    }
    assert status(api, draft_id) == nothing
    revision = api.ask("query R($id: ID!) { draft(id: $id) { revision } }", AUTHOR, id=draft_id)["draft"]["revision"]
    process_id = behind.start(draft_id, business_key=draft_id, submittedBy="author", draftRevision=revision)
    assert status(api, draft_id) == nothing

    assert submitted(api, draft_id, AUTHOR) == process_id
    (task,) = behind.tasks(draft_id)
    assert status(api, draft_id) == nothing | {
        "draftStatus": "SUBMITTED",
        "state": "IN_REVIEW",
        "workflowActive": True,
        "currentActivity": "review",
        "openTasks": [{"id": task["id"], "step": "review"}],
        "submittedBy": {"id": "author"},
        "submittedRevision": revision,
    }
    behind.complete(task["id"], approved=True)
    told = status(api, draft_id)
    assert (told["state"], told["workflowActive"], told["currentActivity"]) == ("PUBLISHING", True, "publish-plan")
    assert (told["draftStatus"], told["openTasks"], told["problem"]) == ("SUBMITTED", [], None)


@pytest.mark.parametrize("end", ["rejected", "returned", "withdrawn"])
def test_an_end_that_is_not_on_the_draft_yet(api: Api, behind: Behind, end: str) -> None:
    """As when a replica dies between the decision and what follows from it."""
    draft_id = behind.drafts.new()
    process_id = submitted(api, draft_id, AUTHOR)
    (task,) = behind.tasks(draft_id)
    if end == "withdrawn":
        message = {"messageName": "withdraw-submission", "processInstanceId": process_id}
        assert behind.engine.post("/message", json=message).is_success
    else:
        behind.complete(task["id"], approved=False, **({"changesRequested": True} if end == "returned" else {}))
    told = status(api, draft_id)
    assert (told["draftStatus"], told["state"], told["workflowActive"]) == ("SUBMITTED", end.upper(), True)


def test_no_such_draft(api: Api) -> None:
    asked = "query None($id: ID!) { draft(id: $id) { id } approvalStatus(draftId: $id) { state } }"
    for unknown in ("none", "", "x" * 300, "nul\x00"):
        assert api.ask(asked, AUTHOR, id=unknown) == {"draft": None, "approvalStatus": None}


@pytest.mark.slow
def test_decisions_of_the_present_submission_alone(api: Api, behind: Behind) -> None:
    draft_id = behind.drafts.new()
    submitted(api, draft_id, AUTHOR)
    perform(api, REQUEST_CHANGES, REVIEWER, taskId=open_task(api, draft_id), comment="Again")
    assert [each["verdict"] for each in status(api, draft_id)["decisions"]] == ["RETURNED"]
    submitted(api, draft_id, AUTHOR)
    assert status(api, draft_id)["decisions"] == []
    perform(api, WITHDRAW, AUTHOR, draftId=draft_id)
    assert status(api, draft_id)["decisions"] == []
