"""`Task.decidable` against the mutation it predicts: for every part a person can have, in every state of a task."""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

import pytest

from api.coordination.decide import already_decided
from api.upstreams.camunda.process_variables import Decision, Verdict
from api.upstreams.camunda.records import Task
from authentication.identity import same_person
from tests.serving import ADMIN, AUDITOR, Api, Someone
from tests.stories.behind import Behind
from tests.verbs import COMPLETE, REASSIGN, REQUEST_CHANGES, SUBMIT, WITHDRAW, open_task, perform, rejected

DECIDABLE = "query D($id: ID!) { task(id: $id) { decidable { allowed code message } } }"
GROUPS = {
    "reviewer": ("benefit-reviewers",),
    "another-reviewer": ("benefit-reviewers",),
    "other-group": ("other-reviewers",),
    "auditor": ("benefit-auditors",),
    "admin": ("benefit-admins",),
    "submitter": ("benefit-reviewers",),
    "clerk": ("benefit-admins", "benefit-reviewers"),
}
PEOPLE = ("author", "assignee", "stranger", *GROUPS)
UNSEEN = {"allowed": False, "code": "NOT_FOUND", "message": "There is no such task, or you may not see it."}
VERDICTS: tuple[tuple[str, dict[str, object]], ...] = (
    (COMPLETE, {"approved": True}),
    (COMPLETE, {"approved": False}),
    (REQUEST_CHANGES, {"comment": "Why?"}),
)
ALLOWED = {
    "free": ["another-reviewer", "reviewer"],
    "held by assignee": ["assignee"],
    "held by reviewer": ["reviewer"],
    "held by auditor": ["auditor"],
    "held by stranger": ["stranger"],
}
STATES = (
    *ALLOWED,
    "held by submitter",
    "held by clerk",
    "suspended",
    "held by assignee, suspended",
    "closed",
    "withdrawn",
    "called off",
    "gone",
)


@dataclass(frozen=True)
class Scene:
    """A draft in review in some state, its task, and people of its own. The clerk sent it in the submitter's name."""

    people: dict[str, Someone]
    draft_id: str
    task_id: str


def _scene(api: Api, behind: Behind, state: str) -> Scene:
    mark = uuid.uuid4().hex[:8]
    people = {name: Someone(f"{name}-{mark}", GROUPS.get(name, ())) for name in PEOPLE}
    draft_id = behind.drafts.new(author=people["author"].id)
    sent = perform(api, SUBMIT, people["clerk"], draftId=draft_id, userId=people["submitter"].id)
    scene, process_id = Scene(people, draft_id, open_task(api, draft_id)), str(sent["processId"])
    holder = state.partition(",")[0].removeprefix("held by ")
    if holder in people:  # by the engine itself, which lets anybody hold a task
        answer = behind.engine.post(f"/task/{scene.task_id}/assignee", json={"userId": people[holder].id})
        assert answer.is_success, answer.text
    if state == "closed":
        assert rejected(api, draft_id, people["reviewer"])["status"] == "REJECTED"
    if state == "withdrawn":
        assert perform(api, WITHDRAW, people["submitter"], draftId=draft_id)["userErrors"] == []
    if state.endswith("suspended"):
        _suspend(behind, process_id, suspended=True)
    if state in ("called off", "gone"):
        assert behind.engine.delete(f"/process-instance/{process_id}").is_success
    if state == "gone":
        assert behind.engine.delete(f"/history/process-instance/{process_id}").is_success
    return scene


def _suspend(behind: Behind, process_id: str, *, suspended: bool) -> None:
    answer = behind.engine.put(f"/process-instance/{process_id}/suspended", json={"suspended": suspended})
    assert answer.is_success, answer.text


@pytest.mark.parametrize("state", STATES)
def test_the_field_says_what_the_mutations_say(api: Api, behind: Behind, state: str) -> None:
    """For every part a person can have: the same code and words, whatever the verdict, and nothing is changed."""
    scene = _scene(api, behind, state)
    predicted = {name: _predicted(api, person, scene.task_id) for name, person in scene.people.items()}
    assert sorted(name for name, said in predicted.items() if said["allowed"]) == ALLOWED.get(state, [])
    before = behind.picture(scene.draft_id)
    for name, said in predicted.items():
        if not said["allowed"]:
            answers = [_decided(api, scene.people[name], scene.task_id, *verdict) for verdict in VERDICTS]
            if (state, name) == ("closed", "reviewer"):  # the same decision again has the same answer again
                assert answers.pop(1) == {"allowed": True, "code": None, "message": None}
            assert answers == [said] * len(answers), name
    assert behind.picture(scene.draft_id) == before
    if state.endswith("suspended"):  # `plan-api check` reports suspended processes
        (process_id,) = [process["id"] for process in behind.processes(scene.draft_id)]
        _suspend(behind, process_id, suspended=False)
    for name in ALLOWED.get(state, []):
        fresh = _scene(api, behind, state)
        assert _decided(api, fresh.people[name], fresh.task_id, *VERDICTS[0]) == predicted[name]


def _predicted(api: Api, person: Someone, task_id: str) -> dict[str, object]:
    seen = api.ask(DECIDABLE, person, id=task_id)["task"]
    found: dict[str, object] = seen["decidable"] if seen else UNSEEN
    return found


def _decided(api: Api, person: Someone, task_id: str, operation: str, given: dict[str, object]) -> dict[str, object]:
    payload = perform(api, operation, person, taskId=task_id, **given)
    if not payload["userErrors"]:
        assert payload["status"] == ("APPROVED" if given.get("approved") else "REJECTED")
        return {"allowed": True, "code": None, "message": None}
    (error,) = payload["userErrors"]
    return {"allowed": False, "code": error["code"], "message": error["message"]}


def test_what_is_suspended_waits_and_goes_on_once_it_is_activated(api: Api, behind: Behind) -> None:
    scene = _scene(api, behind, "suspended")
    (process_id,) = [process["id"] for process in behind.processes(scene.draft_id)]
    before = behind.picture(scene.draft_id)
    for operation, fields in ((COMPLETE, {"approved": False}), (REASSIGN, {"userId": "somebody"})):
        person = scene.people["admin" if operation == REASSIGN else "reviewer"]
        payload = perform(api, operation, person, taskId=scene.task_id, **fields)
        assert [error["code"] for error in payload["userErrors"]] == ["SUSPENDED"]
    assert behind.picture(scene.draft_id) == before
    _suspend(behind, process_id, suspended=False)
    assert rejected(api, scene.draft_id, scene.people["reviewer"])["status"] == "REJECTED"


def test_where_nobody_submitted_nobody_is_the_submitter(api: Api, behind: Behind) -> None:
    """People called `none` are refused at the door; whoever comes in is no submitter where none is on record."""
    draft_id = behind.drafts.new(author=None)
    behind.start(draft_id, business_key=draft_id)
    perform(api, SUBMIT, ADMIN, draftId=draft_id)  # adopts it, and carries out its registration
    person = Someone("nobody", ("benefit-reviewers",))
    asked = """query S($id: ID!) { approvalStatus(draftId: $id) {
      submittedBy { id } openTasks { submittedBy { id } decidable { allowed code } } } }"""

    (task,) = api.ask(asked, person, id=draft_id)["approvalStatus"]["openTasks"]
    assert task == {"submittedBy": None, "decidable": {"allowed": True, "code": None}}
    assert api.ask(asked, AUDITOR, id=draft_id)["approvalStatus"]["submittedBy"] is None
    assert rejected(api, draft_id, person)["status"] == "REJECTED"


@pytest.mark.parametrize(("hours", "minutes"), [(0, 0), (5, 30), (-8, 0), (14, 0)])
def test_an_instant_is_told_in_utc_wherever_the_engine_stands(hours: int, minutes: int) -> None:
    here = timezone(timedelta(hours=hours, minutes=minutes))
    ended = datetime(2027, 3, 1, 8, 46, tzinfo=UTC).astimezone(here)
    task = Task("t", None, "review", "p", "d", "ann", 50, ended, ended=ended, delete_reason="completed")
    decision = Decision(Verdict.REJECTED, Verdict.REJECTED, "ann", ended, "review")
    assert already_decided(task, decision).message == "This task was rejected by ann at 2027-03-01 08:46 UTC."
    assert already_decided(task, None).message == "This task was closed by ann at 2027-03-01 08:46 UTC."


@pytest.mark.parametrize(
    ("one", "other"), [(None, None), (None, "none"), ("None", None), ("", ""), ("  ", ""), (None, "")]
)
def test_nobody_is_no_person(one: str | None, other: str | None) -> None:
    assert not same_person(one, other)
