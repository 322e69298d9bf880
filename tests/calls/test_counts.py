"""Requests behind the API, exactly: a table of queries, each for lists of 0, 1, 50, 200 and 1,000.

No number of them grows with the list, but for the store, which is asked by the hundred.
"""

import math
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import pytest

from tests.calls.inboxes import Inbox, Inboxes
from tests.calls.recording import Recording
from tests.serving import ADMIN, Api, Drafts, Someone

LENGTHS = (0, 1, 50, *(pytest.param(length, marks=pytest.mark.slow) for length in (200, 1000)))
TASKS, COUNT = "POST /task", "POST /task/count"
VARIABLES, LINKS = "POST /history/variable-instance", "GET /task/{id}/identity-links"
PROCESSES, WAITING = "POST /history/process-instance", "POST /external-task"
CHECK = "GET /authorization/check"
SEARCH, BATCH, SQL = "POST /InsurancePlan/_search", "POST /", "SQL"
RECORDS = "POST /Provenance/_search"


@dataclass(frozen=True)
class Cost:
    """A query and its requests: those it always makes, those it makes of a list that is not empty, of one that has
    several items, and for every hundred of them. That there are no tasks is believed only after it was asked whether
    they may be read. `as_author`: asked by who wrote the drafts, not by who reviews them.
    """

    query: str
    always: Mapping[str, int]
    of_some: Mapping[str, int] = field(default_factory=dict)
    of_many: Mapping[str, int] = field(default_factory=dict)
    by_hundreds: tuple[str, ...] = ()
    as_author: bool = False

    def asked_by(self, inbox: Inbox) -> Someone:
        return inbox.author if self.as_author else inbox.reviewer

    def requests(self, length: int) -> dict[str, int]:
        """What is expected for a list of this length."""
        empty = self.always.get(TASKS, 0) + self.always.get(COUNT, 0)
        of_some = dict(self.of_some) if length else {CHECK: empty} if empty else {}
        searched = {kind: math.ceil(length / 100) for kind in self.by_hundreds if length}
        of_many = self.of_many if length > 1 else {}
        kinds = [*self.always, *of_some, *searched]
        return {
            kind: sum(counts.get(kind, 0) for counts in (self.always, of_some, of_many, searched))
            for kind in sorted(set(kinds))
        }


def tasks(selection: str) -> str:
    return f"query Tasks {{ pendingTasks(limit: 1000) {{ {selection} }} }}"


def drafts(selection: str) -> str:
    return f"query Drafts($author: ID) {{ drafts(filter: {{createdBy: $author}}, limit: 1000) {{ {selection} }} }}"


def named(selection: str) -> str:
    return f"query Named($ids: [ID!]) {{ drafts(ids: $ids, limit: 1000) {{ {selection} }} }}"


TABLE = {
    "the inbox": Cost(
        tasks("""totalCount items { id name step isOpen assignee { id } createdAt dueAt priority processId
          submittedBy { id } decidable { allowed } draft { id name status revision planData updatedAt }
          basePlan { versionId name resource } currentPlan { versionId name publishedAt resource } hasConflict }"""),
        always={TASKS: 1, COUNT: 1},
        of_some={VARIABLES: 1, SQL: 1},
        by_hundreds=(SEARCH, BATCH),
    ),
    "the inbox without documents": Cost(
        tasks("items { id draft { name } basePlan { versionId } currentPlan { versionId name } hasConflict }"),
        always={TASKS: 1},
        of_some={VARIABLES: 1, SQL: 1},
        by_hundreds=(SEARCH, BATCH),
    ),
    "tasks alone": Cost(tasks("items { id name assignee { id } createdAt }"), always={TASKS: 1}),
    "how many tasks": Cost(tasks("totalCount"), always={COUNT: 1}),
    "tasks, and how many": Cost(tasks("totalCount items { id }"), always={TASKS: 1, COUNT: 1}),
    "names of drafts": Cost(tasks("items { draft { name } }"), always={TASKS: 1}, of_some={VARIABLES: 1, SQL: 1}),
    "who submitted": Cost(tasks("items { submittedBy { id } }"), always={TASKS: 1}, of_some={VARIABLES: 1}),
    "what may be decided": Cost(
        tasks("items { decidable { allowed code message } }"), always={TASKS: 1}, of_some={VARIABLES: 1}
    ),
    "whose tasks they are": Cost(
        tasks("items { candidateGroups }"), always={TASKS: 1}, of_some={LINKS: 1}, of_many={TASKS: 1}
    ),
    "conflicts": Cost(tasks("items { hasConflict }"), always={TASKS: 1}, of_some={VARIABLES: 1}, by_hundreds=(SEARCH,)),
    "base versions": Cost(
        tasks("items { basePlan { versionId } }"), always={TASKS: 1}, of_some={VARIABLES: 1}, by_hundreds=(BATCH,)
    ),
    "current versions": Cost(
        tasks("items { currentPlan { versionId } }"), always={TASKS: 1}, of_some={VARIABLES: 1}, by_hundreds=(SEARCH,)
    ),
    "changes": Cost(
        tasks("items { draft { changes { path } } }"),
        always={TASKS: 1},
        of_some={VARIABLES: 1, SQL: 1},
        by_hundreds=(SEARCH,),
    ),
    "summaries of changes": Cost(
        tasks("items { draft { changeSummary { total headline } changes(limit: 10) { label } } }"),
        always={TASKS: 1},
        of_some={VARIABLES: 1, SQL: 1},
        by_hundreds=(SEARCH,),
    ),
    "plans of tasks and of their drafts": Cost(
        tasks("""items { basePlan { versionId } currentPlan { versionId }
          draft { basePlan { versionId } currentPlan { versionId } conflicts { path } } }"""),
        always={TASKS: 1},
        of_some={VARIABLES: 1, SQL: 1},
        by_hundreds=(SEARCH, BATCH),
    ),
    "versions of plans": Cost(
        tasks("items { currentPlan { history(limit: 3) { versionId publishedAt } } }"),
        always={TASKS: 1},
        of_some={VARIABLES: 1},
        by_hundreds=(SEARCH, BATCH),
    ),
    "drafts": Cost(drafts("items { id name status }"), always={SQL: 1}, as_author=True),
    "drafts, and how many": Cost(drafts("totalCount items { id }"), always={SQL: 2}, as_author=True),
    "drafts, as a reviewer": Cost(
        drafts("items { id name }"),
        always={SQL: 1, TASKS: 1, PROCESSES: 1, "POST /history/task": 1, CHECK: 1},
        of_some={VARIABLES: 1},
    ),
    "drafts with plans": Cost(
        drafts("items { planData basePlan { resource } currentPlan { resource } changes { path } conflicts { path } }"),
        always={SQL: 1},
        of_some={VARIABLES: 1},
        by_hundreds=(SEARCH, BATCH),
        as_author=True,
    ),
    "drafts by ids": Cost(named("totalCount items { id name }"), always={}, of_some={SQL: 1}, as_author=True),
    "where drafts stand": Cost(
        drafts("items { approval { state submittedAt submittedBy { id } } }"),
        always={SQL: 1},
        of_some={PROCESSES: 1, VARIABLES: 1, TASKS: 1, WAITING: 1},
        as_author=True,
    ),
    "where drafts stand, with decisions and tasks": Cost(
        drafts("items { approval { state openTasks { id draft { name } } decisions { verdict } } }"),
        always={SQL: 1},
        of_some={PROCESSES: 1, VARIABLES: 2, TASKS: 1, WAITING: 1, SQL: 1},
        as_author=True,
    ),
    "whether processes run": Cost(
        drafts("items { approval { draftStatus workflowActive submittedAt } }"),
        always={SQL: 1},
        of_some={PROCESSES: 1, VARIABLES: 1},
        as_author=True,
    ),
    "what drafts say themselves": Cost(drafts("items { approval { draftStatus } }"), always={SQL: 1}, as_author=True),
    "what happened to drafts": Cost(
        drafts("items { history(limit: 5) { kind at by { id } } }"),
        always={SQL: 1},
        of_some={PROCESSES: 1, VARIABLES: 3},
        as_author=True,
    ),
}


TABLE |= {
    "what is said on drafts": Cost(
        drafts("items { comments(limit: 5) { text } }"),
        always={SQL: 1},
        of_some={PROCESSES: 1, VARIABLES: 2},
        as_author=True,
    ),
    "what is said on tasks": Cost(
        tasks("items { comments(limit: 5) { text } }"), always={TASKS: 1}, of_some={VARIABLES: 1}
    ),
    "how many tasks wait": Cost("query Counts { taskCounts { step unassigned } }", always={TASKS: 1}),
    "the inbox, and where it stands": Cost(
        tasks("items { decidable { allowed } draft { approval { state openTasks { id } } history { kind } } }"),
        always={TASKS: 1},
        of_some={VARIABLES: 3, SQL: 1, PROCESSES: 2, TASKS: 1, WAITING: 1},
    ),
    "drafts by ids, as a reviewer": Cost(
        named("items { id name }"), always={}, of_some={SQL: 1, TASKS: 1, VARIABLES: 1}
    ),
}


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("name", TABLE)
def test_requests(cold: Api, recording: Recording, inboxes: Inboxes, name: str, length: int) -> None:
    cost, inbox = TABLE[name], inboxes.of(length)
    someone = cost.asked_by(inbox)
    answer = cold.ask(cost.query, someone, author=inbox.author.id, ids=inbox.draft_ids)
    assert recording.counts() == cost.requests(length)
    (page,) = answer.values()
    if isinstance(page, list):
        assert sum(each["unassigned"] for each in page) == length
        return
    assert len(page.get("items", inbox.draft_ids)) == length
    assert page.get("totalCount", length) == length


@pytest.mark.parametrize("length", [1, pytest.param(200, marks=pytest.mark.slow)])
def test_base_versions_are_asked_for_once(cold: Api, recording: Recording, inboxes: Inboxes, length: int) -> None:
    inbox = inboxes.of(length)
    first = cold.ask(TABLE["the inbox"].query, inbox.reviewer)
    recording.calls.clear()
    assert cold.ask(TABLE["the inbox"].query, inbox.reviewer) == first
    expected = TABLE["the inbox"].requests(length)
    assert recording.counts() == {kind: number for kind, number in expected.items() if kind != BATCH}


def test_a_list_that_is_not_asked_for_costs_nothing(cold: Api, recording: Recording, inboxes: Inboxes) -> None:
    inbox = inboxes.of(1)
    pages = "pendingTasks(limit: 0) { items { draft { id } } } drafts(ids: []) { totalCount items { id } }"
    answer = cold.ask(f"{{ viewer {{ id }} {pages} }}", inbox.reviewer)
    assert answer == {
        "viewer": {"id": inbox.reviewer.id},
        "pendingTasks": {"items": []},
        "drafts": {"totalCount": 0, "items": []},
    }
    assert recording.counts() == {}


TASK = "{ id name draft { name } submittedBy { id } hasConflict }"


def test_tasks_one_by_one(cold: Api, recording: Recording, inboxes: Inboxes) -> None:
    """As many as a request can name: they share what one would cost."""
    inbox = inboxes.of(50)
    ids = [item["id"] for item in cold.ask(tasks("items { id }"), inbox.reviewer)["pendingTasks"]["items"]][:20]
    asked = " ".join(f't{number}: task(id: "{task_id}") {TASK}' for number, task_id in enumerate(ids))
    for someone in (inbox.reviewer, inbox.author):
        recording.calls.clear()
        found = cold.ask(f"{{ {asked} }}", someone)
        assert [found[f"t{number}"]["id"] for number in range(20)] == ids
        assert recording.counts() == {TASKS: 2, VARIABLES: 1, SEARCH: 1, SQL: 1}
    recording.calls.clear()
    assert set(cold.ask(f"{{ {asked} }}", Someone("stranger")).values()) == {None}
    # and the history one by one, and whether it may be read, as of tasks that are not there
    assert recording.counts() == {TASKS: 2, VARIABLES: 1, SQL: 1, "POST /history/task": 20, CHECK: 2}


def test_tasks_of_a_gateway(cold: Api, recording: Recording, inboxes: Inboxes) -> None:
    inbox = inboxes.of(50)
    ids = [item["id"] for item in cold.ask(tasks("items { id }"), inbox.reviewer)["pendingTasks"]["items"]]
    recording.calls.clear()
    query = f"query Entities($keys: [_Any!]!) {{ _entities(representations: $keys) {{ ... on Task {TASK} }} }}"
    found = cold.ask(query, inbox.reviewer, keys=[{"__typename": "Task", "id": task_id} for task_id in ids])
    assert [each["id"] for each in found["_entities"]] == ids
    assert recording.counts() == {TASKS: 2, VARIABLES: 1, SEARCH: 1, SQL: 1}


TOO_MANY_TASKS = "One request may ask for at most 100 tasks by id; ask for the others in another request."
TOO_MANY_ENTITIES = "One request may ask for at most 1000 entities; ask for the others in another request."


def keys(kind: str, count: int) -> list[dict[str, str]]:
    return [{"__typename": kind, "id": str(uuid.uuid4()), "versionId": "1"} for _ in range(count)]


ENTITIES = "{0}: _entities(representations: ${0}) {{ __typename }}"


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ([("Task", 100)] * 20, TOO_MANY_TASKS),
        ([("Task", 60), ("Draft", 9), ("Task", 41)], TOO_MANY_TASKS),
        ([("Draft", 600), ("Draft", 400), ("PlanVersion", 1)], TOO_MANY_ENTITIES),
    ],
)
def test_what_a_whole_request_asks_for_by_keys_is_bounded(
    cold: Api, recording: Recording, asked: list[tuple[str, int]], told: str
) -> None:
    """Each field alone would be answered, their sum is not, and no system is asked: the list can not be null."""
    named = {f"f{number}": keys(*each) for number, each in enumerate(asked)}
    declared = ", ".join(f"${alias}: [_Any!]!" for alias in named)
    query = f"query Q({declared}) {{ {' '.join(ENTITIES.format(alias) for alias in named)} }}"
    answer = cold.answer(query, ADMIN, **named)
    ((data, error),) = [(answer["data"], error) for error in answer["errors"]]
    extensions = error["extensions"]
    assert (data, error["message"]) == (None, told)
    assert (extensions["code"], extensions["field"]) == ("INVALID", "representations")
    time.sleep(0.2)  # for what would go on in the background
    assert recording.counts() == {}


def test_as_many_tasks_as_a_request_may_ask_for(cold: Api, recording: Recording) -> None:
    """The engine tells of closed tasks one at a time: a hundred lookups in all fields, and one more is refused.

    Whether they may be read is asked once.
    """
    more = " ".join(f't{number}: task(id: "{uuid.uuid4()}") {{ id }}' for number in range(11))
    query = f"query Q($f: [_Any!]!) {{ {ENTITIES.format('f')} {more} }}"
    answer = cold.answer(query, ADMIN, f=keys("Task", 90))
    assert answer["data"] == {"f": [None] * 90} | {f"t{number}": None for number in range(11)}
    (error,) = answer["errors"]
    assert (error["path"], error["message"]) == (["t10"], TOO_MANY_TASKS)
    assert error["extensions"]["field"] == "id"
    assert recording.counts() == {TASKS: 1, "POST /history/task": 100, CHECK: 2}


def test_approvals_one_by_one(cold: Api, recording: Recording, inboxes: Inboxes) -> None:
    inbox = inboxes.of(50)
    asked = " ".join(
        f'd{number}: approvalStatus(draftId: "{draft_id}") {{ state openTasks {{ id }} submittedBy {{ id }} }}'
        for number, draft_id in enumerate(inbox.draft_ids[:20])
    )
    for someone, more in ((inbox.author, 0), (inbox.reviewer, 2)):  # whether they are theirs to read, and to decide
        recording.calls.clear()
        assert {each["state"] for each in cold.ask(f"{{ {asked} }}", someone).values()} == {"IN_REVIEW"}
        expected = {TASKS: 1 + more, PROCESSES: 1, VARIABLES: 1 + more // 2, WAITING: 1, SQL: 1}
        assert recording.counts() == expected


@pytest.fixture
def gone_on(inboxes: Inboxes, drafts: Drafts) -> Iterator[list[str]]:
    """Two drafts of the inbox of fifty, which name another process for a while."""
    (one, two), update = inboxes.of(50).draft_ids[:2], "UPDATE benefit_plan_drafts SET camunda_process_id = "
    drafts.connection.execute(f"{update} id || '-other' WHERE id::text = ANY(%s)", [[one, two]])
    yield [one, two]
    for draft_id, process_id in zip((one, two), inboxes.of(50).process_ids, strict=False):
        drafts.connection.execute(f"{update} %s WHERE id::text = %s", [process_id, draft_id])


def test_drafts_that_went_on_cost_what_it_takes_to_know_whether_they_may_be_read(
    cold: Api, recording: Recording, inboxes: Inboxes, gone_on: list[str]
) -> None:
    """Whoever may not read them otherwise is not shown them by their tasks."""
    inbox = inboxes.of(50)
    answer = cold.ask(tasks("items { draft { id } }"), inbox.reviewer)
    found = {item["draft"]["id"] for item in answer["pendingTasks"]["items"] if item["draft"]}
    assert found == set(inbox.draft_ids) - set(gone_on)
    to_know = {PROCESSES: 1, "POST /history/task": 2, "GET /process-definition/{id}/xml": 1, CHECK: 1, RECORDS: 1}
    assert recording.counts() == {VARIABLES: 3, TASKS: 2, SQL: 1, **to_know}
