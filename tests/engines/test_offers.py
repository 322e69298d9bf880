"""Whom a task is offered to is what the engine says, however the model says it: they see it, decide it, and keep it."""

from collections.abc import Iterator

import pytest

from doctor.setup import MODEL
from tests.engines.conftest import People
from tests.serving import AUTHOR, STRANGER, Api, Someone, serving
from tests.stories.behind import Behind
from tests.verbs import COMPLETE, approved, codes, open_task, perform, submitted

OURS = 'camunda:candidateGroups="benefit-reviewers"'
OPERATON = 'xmlns:operaton="http://operaton.org/schema/1.0/bpmn" operaton'
NAMED = Someone("named")
MEMBER = Someone("member", ("author-reviewers", "another"))
READ = """query Read($draft: ID!, $task: ID!) {
  draft(id: $draft) { id } drafts(ids: [$draft, $draft]) { items { id } }
  task(id: $task) { id isOpen candidateGroups decidable { allowed } }
  pendingTasks { totalCount items { id candidateGroups } } }"""


@pytest.fixture(scope="module")
def api(people: People) -> Iterator[Api]:
    with serving(people.as_user()) as api:
        yield api
    people.deploy(MODEL.read_text("utf-8"))


def under_review(people: People, api: Api, beyond: Behind, offered: str) -> tuple[str, str]:
    """A draft whose task is offered so; the ids of both."""
    people.deploy(MODEL.read_text("utf-8").replace(OURS, offered))
    draft_id = beyond.drafts.new()
    submitted(api, draft_id, AUTHOR)
    return draft_id, open_task(api, draft_id)


@pytest.mark.parametrize(
    ("offered", "someone", "groups"),
    [
        ('camunda:candidateUsers="another, named"', NAMED, []),
        (f'{OPERATON}:candidateUsers="named" {OURS}', NAMED, ["benefit-reviewers"]),
        (f'{OPERATON}:candidateGroups="author-reviewers"', MEMBER, ["author-reviewers"]),
        ('camunda:candidateGroups="${submittedBy}-reviewers,x"', MEMBER, ["author-reviewers", "x"]),
        ("camunda:candidateGroups=\"${submittedBy.concat('-reviewers')}\"", MEMBER, ["author-reviewers"]),
        ("camunda:candidateUsers=\"${'named'}\"", NAMED, []),
    ],
)
def test_who_is_offered_a_task_decides_it_and_keeps_it(
    people: People, api: Api, beyond: Behind, offered: str, someone: Someone, groups: list[str]
) -> None:
    draft_id, task_id = under_review(people, api, beyond, offered)
    nothing = {"draft": None, "drafts": {"items": [None, None]}, "task": None}
    both = {"draft": {"id": draft_id}, "drafts": {"items": [{"id": draft_id}] * 2}}
    waiting = {"id": task_id, "candidateGroups": groups}
    colleague = Someone("colleague", someone.groups) if someone.groups else someone
    assert api.ask(READ, STRANGER, draft=draft_id, task=task_id) == {
        **nothing, "pendingTasks": {"totalCount": 0, "items": []}
    }  # fmt: skip
    assert codes(perform(api, COMPLETE, STRANGER, taskId=task_id, approved=True)) == ["NOT_FOUND"]
    for person in (someone, colleague):
        assert api.ask(READ, person, draft=draft_id, task=task_id) == {
            **both,
            "task": {**waiting, "isOpen": True, "decidable": {"allowed": True}},
            "pendingTasks": {"totalCount": 1, "items": [waiting]},
        }
    assert approved(api, draft_id, someone)["status"] == "APPROVED"
    for person in (someone, colleague):
        assert api.ask(READ, person, draft=draft_id, task=task_id) == {
            **both,
            "task": {**waiting, "isOpen": False, "decidable": {"allowed": False}},
            "pendingTasks": {"totalCount": 0, "items": []},
        }
    assert api.ask(READ, STRANGER, draft=draft_id, task=task_id) == {
        **nothing, "pendingTasks": {"totalCount": 0, "items": []}
    }  # fmt: skip


def test_links_made_and_taken_away_by_hand(people: People, api: Api, beyond: Behind) -> None:
    """In a list too: a group that one of many tasks has been offered to, and one that has lost it."""
    group = Someone("of-both", ("by-hand", "first", "second", "third"))
    people.deploy(MODEL.read_text("utf-8").replace(OURS, 'camunda:candidateGroups="first, second"'))
    tasks = []
    for _ in range(4):
        draft_id = beyond.drafts.new()
        submitted(api, draft_id, AUTHOR)
        tasks.append(open_task(api, draft_id))
    for number, path, offered in (
        (1, "", "by-hand"),
        (2, "/delete", "first"),
        (2, "/delete", "second"),
        (2, "", "third"),
    ):
        link = {"groupId": offered, "type": "candidate"}
        assert people.admin.post(f"/task/{tasks[number]}/identity-links{path}", json=link).is_success
    items = api.ask("{ pendingTasks { items { id candidateGroups } } }", group)["pendingTasks"]["items"]
    expected = [["first", "second"], ["by-hand", "first", "second"], ["third"], ["first", "second"]]
    assert {item["id"]: item["candidateGroups"] for item in items} == dict(zip(tasks, expected, strict=True))
