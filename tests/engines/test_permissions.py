"""A service user without each of its permissions in turn: what it may not see is never taken for what is not there.

The engine does not refuse to list what a user may not read; it answers with nothing. Each verb either does all it
says, or is UPSTREAM_DENIED and has changed nothing.
"""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from api.settings import Settings
from api.upstreams import open_upstreams
from doctor.engine import look_at_engine
from doctor.finding import Finding
from tests.engines.conftest import People
from tests.serving import AUTHOR, REVIEWER, Api, Someone, serving
from tests.stories.behind import Behind
from tests.verbs import (
    CLAIM,
    COMPLETE,
    REASSIGN,
    REQUEST_CHANGES,
    SUBMIT,
    WITHDRAW,
    codes,
    open_task,
    perform,
    submitted,
)

PERMISSIONS = (
    "READ", "CREATE_INSTANCE", "CREATE", "READ_HISTORY", "READ_INSTANCE", "UPDATE_INSTANCE", "READ_TASK", "UPDATE_TASK",
)  # fmt: skip
ON_MODEL = "ProcessDefinition benefit-approval"
NAMED = [
    f"wrong   permissions: may not read the process model: grant READ on {ON_MODEL}",
    (
        f"wrong   permissions: may not start approvals: grant CREATE_INSTANCE on {ON_MODEL}"
        " and CREATE on ProcessInstance *"
    ),
    "wrong   permissions: may not read variables, decisions and past approvals: grant READ_HISTORY on " + ON_MODEL,
    f"wrong   permissions: may not read tasks: grant READ_TASK on {ON_MODEL}",
    f"wrong   permissions: may not claim, hand over and complete tasks: grant UPDATE_TASK on {ON_MODEL}",
    f"wrong   permissions: may not read what processes wait for: grant READ_INSTANCE on {ON_MODEL}",
    f"wrong   permissions: may not carry out and withdraw approvals: grant UPDATE_INSTANCE on {ON_MODEL}",
]
VERBS: dict[str, tuple[str, Someone, Callable[[str, str], dict[str, object]]]] = {
    "claim": (CLAIM, REVIEWER, lambda _, task: {"taskId": task}),
    "approve": (COMPLETE, REVIEWER, lambda _, task: {"taskId": task, "approved": True}),
    "approve one's own": (
        COMPLETE,
        Someone("author", REVIEWER.groups),
        lambda _, task: {"taskId": task, "approved": True},
    ),
    "reject": (COMPLETE, REVIEWER, lambda _, task: {"taskId": task, "approved": False}),
    "request changes": (REQUEST_CHANGES, REVIEWER, lambda _, task: {"taskId": task, "comment": "Why so?"}),
    "reassign": (REASSIGN, Someone("a", ("benefit-admins",)), lambda _, task: {"taskId": task, "userId": "b"}),
    "submit again": (SUBMIT, AUTHOR, lambda draft, _: {"draftId": draft}),
    "submit": (SUBMIT, AUTHOR, lambda draft, _: {"draftId": draft}),
    "withdraw": (WITHDRAW, AUTHOR, lambda draft, _: {"draftId": draft}),
}
OF_TASKS = ("claim", "approve", "reject", "request changes", "reassign")
DENIED = {
    "READ": ("submit",),
    "CREATE_INSTANCE": ("submit",),
    "CREATE": ("submit",),
    "READ_HISTORY": tuple(VERBS),
    "READ_INSTANCE": ("submit again",),
    "UPDATE_INSTANCE": ("withdraw",),
    "READ_TASK": (*OF_TASKS, "approve one's own"),
    "UPDATE_TASK": OF_TASKS,
}
READS = {
    "tasks": "{ pendingTasks { items { id } } }",
    "how many tasks": "{ pendingTasks { totalCount } }",
    "whose tasks": "{ pendingTasks { items { id candidateGroups } } }",
    "what may be decided": "query T($task: ID!) { task(id: $task) { decidable { allowed } } }",
    "who submitted": "query T($task: ID!) { task(id: $task) { submittedBy { id } } }",
    "a task": "query T($task: ID!) { task(id: $task) { id } }",
    "a draft": "query D($draft: ID!) { draft(id: $draft) { id } }",
    "pages": "{ drafts { items { id } } }",
    "the state": "query D($draft: ID!) { approvalStatus(draftId: $draft) { state } }",
    "history": "query D($draft: ID!) { draft(id: $draft) { history { kind } } }",
}
HIDDEN = {
    "READ_HISTORY": ("what may be decided", "who submitted", "a draft", "pages", "the state", "history"),
    "READ_TASK": (
        "tasks", "how many tasks", "whose tasks", "what may be decided", "who submitted", "a task", "pages",
        "the state",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def able(people: People) -> Iterator[Api]:
    """The API with all its permissions."""
    with serving(people.as_user()) as api:
        yield api


@pytest.fixture(scope="module", params=PERMISSIONS)
def without(request: pytest.FixtureRequest, people: People) -> Iterator[tuple[str, Api]]:
    """A permission, and the API without it."""
    with serving(people.as_user(request.param)) as api:
        yield request.param, api


def under_review(able: Api, beyond: Behind) -> tuple[str, str]:
    """A draft and its task."""
    draft_id = beyond.drafts.new()
    submitted(able, draft_id, AUTHOR)
    return draft_id, open_task(able, draft_id)


def outcome(answer: dict[str, Any]) -> str:
    """The code of a failure, else of a refusal, else `done`."""
    if "errors" in answer:
        (code,) = {error["extensions"]["code"] for error in answer["errors"]}
        return str(code)
    (payload,) = answer["data"].values()
    return ",".join(codes(payload)) or "done"


def test_a_verb_that_is_denied_has_done_nothing(without: tuple[str, Api], able: Api, beyond: Behind) -> None:
    missing, api = without
    draft_id, task_id = under_review(able, beyond)
    new_id = beyond.drafts.new()
    before = beyond.picture(draft_id), beyond.picture(new_id)
    for verb in DENIED[missing]:
        operation, someone, fields = VERBS[verb]
        answer = api.answer(operation, someone, input=fields(new_id if verb == "submit" else draft_id, task_id))
        assert outcome(answer) == "UPSTREAM_DENIED", verb
        assert (beyond.picture(draft_id), beyond.picture(new_id)) == before, verb


def test_what_can_not_be_read_is_null_with_an_error(without: tuple[str, Api], able: Api, beyond: Behind) -> None:
    """And the rest is as with all permissions."""
    missing, api = without
    draft_id, task_id = under_review(able, beyond)
    for name, query in READS.items():
        answer = api.answer(query, REVIEWER, draft=draft_id, task=task_id)
        if name not in HIDDEN.get(missing, ()):
            assert answer == able.answer(query, REVIEWER, draft=draft_id, task=task_id), name
            continue
        (error,) = answer["errors"]
        found = answer["data"]
        for step in error["path"]:
            found = found[step]
        assert (found, error["extensions"]["code"]) == (None, "UPSTREAM_DENIED"), name


@pytest.mark.parametrize("missing", ["READ_INSTANCE", "UPDATE_INSTANCE"])
def test_what_could_not_be_carried_out_waits_in_the_engine(
    people: People, able: Api, beyond: Behind, missing: str
) -> None:
    """The decision stands; it is carried out once that is permitted, by a repeat or by the worker."""
    new_id = beyond.drafts.new()
    draft_id, task_id = under_review(able, beyond)
    with serving(people.as_user(missing)) as api:
        assert outcome(api.answer(SUBMIT, AUTHOR, input={"draftId": new_id})) == "UPSTREAM_DENIED"
        decision = {"taskId": task_id, "approved": True}
        assert outcome(api.answer(COMPLETE, REVIEWER, input=decision)) == "UPSTREAM_DENIED"
    assert (beyond.drafts.row(new_id)["status"], beyond.drafts.row(draft_id)["status"]) == ("draft", "submitted")
    assert perform(able, SUBMIT, AUTHOR, draftId=new_id)["processId"] in beyond.active(new_id)
    assert len(beyond.active(new_id)) == 1
    assert perform(able, COMPLETE, REVIEWER, **decision)["status"] == "APPROVED"


def test_a_process_without_a_submitter_is_not_one_without_variables(able: Api, beyond: Behind) -> None:
    """Started in Tasklist with the form's field left blank, for a draft that nobody wrote."""
    draft_id = beyond.drafts.new(author=None)
    beyond.start(draft_id, submittedBy="")
    assert perform(able, SUBMIT, AUTHOR, draftId=draft_id)["userErrors"] == []
    assert perform(able, COMPLETE, REVIEWER, taskId=open_task(able, draft_id), approved=True)["status"] == "APPROVED"


def test_the_doctor_names_each_that_is_missing(people: People) -> None:
    lines = checked(people.as_user(*PERMISSIONS))
    assert lines[1:] == ["ok      conditions: all that are used are known", *NAMED]


@pytest.mark.parametrize(
    ("missing", "others"),
    [("READ_HISTORY", [2]), ("CREATE", [1]), ("READ", [0])],
)
def test_the_doctor_names_the_one_that_is_missing(people: People, missing: str, others: list[int]) -> None:
    lines = checked(people.as_user(missing))
    assert [line for line in lines if line.startswith("wrong")] == [NAMED[number] for number in others]


def test_the_doctor_is_content_with_what_is_needed(people: People, able: Api, beyond: Behind) -> None:
    under_review(able, beyond)
    lines = checked(people.as_user())
    assert lines[2] == "ok      permissions: all that are needed"
    assert lines[-2:] == ["ok      history: keeps variables and whom tasks were offered to", "ok      incidents: none"]
    assert {line.split()[0] for line in lines} == {"ok"}


def checked(settings: Settings) -> list[str]:
    """What the doctor says of the engine."""
    upstreams = asyncio.run(_looked_at(settings))
    return [f"{finding.grade:7} {finding.subject}: {finding.message}" for finding in upstreams]


async def _looked_at(settings: Settings) -> list[Finding]:
    async with open_upstreams(settings) as upstreams:
        return await look_at_engine(upstreams.camunda, settings.camunda_url)
