"""What is not there costs what somebody else's costs: the same calls, so that no time tells whether there is one."""

import uuid
from collections import Counter
from collections.abc import Iterator

import pytest

from api.settings import Settings
from tests.calls.recording import Recording
from tests.serving import AUTHOR, REVIEWER, Api, Someone
from tests.stories.behind import Behind
from tests.stories.conftest import behind
from tests.verbs import COMPLETE, SUBMIT, WITHDRAW, approved, open_task, rejected, submitted

__all__ = ["behind"]

STRANGER = Someone("stranger", ("another-group",))
DRAFTS = {
    "draft": "query Q($id: ID!) { draft(id: $id) { id } }",
    "approvalStatus": "query Q($id: ID!) { approvalStatus(draftId: $id) { state } }",
    "drafts": "query Q($id: ID!) { drafts(ids: [$id]) { items { id } } }",
    "entity": 'query Q($id: ID!) { _entities(representations: [{__typename: "Draft", id: $id}]) { __typename } }',
    "submit": SUBMIT.replace("$input: SubmitForApprovalInput!", "$id: ID!").replace("$input", "{draftId: $id}"),
    "withdraw": WITHDRAW.replace("$input: WithdrawSubmissionInput!", "$id: ID!").replace("$input", "{draftId: $id}"),
}
TASKS = {
    "task": "query Q($id: ID!) { task(id: $id) { id } }",
    "entity": 'query Q($id: ID!) { _entities(representations: [{__typename: "Task", id: $id}]) { __typename } }',
    "decide": COMPLETE.replace("$input: CompleteApprovalInput!", "$id: ID!").replace(
        "$input", "{taskId: $id, approved: true}"
    ),
    "claim": "mutation M($id: ID!) { claimTask(input: {taskId: $id}) { userErrors { code message field } } }",
}


@pytest.fixture
def watched(settings: Settings) -> Iterator[tuple[Api, Recording]]:
    """An API that knows the types of the columns and the model already."""
    recording = Recording()
    with recording.before(settings) as api:
        yield api, recording


def _told(watched: tuple[Api, Recording], query: str, thing_id: str) -> tuple[object, dict[str, int]]:
    """The answer, and the calls for it: how many to which system, models left out, which only what is there has."""
    api, recording = watched
    recording.calls.clear()
    answer = api.answer(query, STRANGER, id=thing_id)
    return answer, Counter(call.system for call in recording.calls if not call.kind.endswith("/xml"))


@pytest.mark.parametrize("query", DRAFTS.values(), ids=DRAFTS)
def test_a_draft(api: Api, behind: Behind, watched: tuple[Api, Recording], query: str) -> None:
    unsent, sent, done, forgotten = (behind.drafts.new() for _ in range(4))
    process_id = submitted(api, forgotten, AUTHOR)
    assert approved(api, forgotten, REVIEWER)["status"] == "APPROVED"
    assert behind.engine.delete(f"/history/process-instance/{process_id}").is_success
    submitted(api, sent, AUTHOR)
    submitted(api, done, AUTHOR)
    rejected(api, done, REVIEWER)
    _told(watched, query, str(uuid.uuid4()))
    missing = _told(watched, query, str(uuid.uuid4()))
    assert sum(missing[1].values()) > 2
    for draft_id in (unsent, sent, done, forgotten):
        assert _told(watched, query, draft_id) == missing


@pytest.mark.parametrize("query", TASKS.values(), ids=TASKS)
def test_a_task(api: Api, behind: Behind, watched: tuple[Api, Recording], query: str) -> None:
    draft_id = behind.drafts.new()
    submitted(api, draft_id, AUTHOR)
    _told(watched, query, str(uuid.uuid4()))
    missing = _told(watched, query, str(uuid.uuid1()))
    assert sum(missing[1].values()) > 2
    assert _told(watched, query, open_task(api, draft_id)) == missing


def test_what_can_be_no_id_of_the_table_is_not_looked_for(watched: tuple[Api, Recording]) -> None:
    """Everybody knows that it is not there."""
    _told(watched, DRAFTS["draft"], "none")
    assert _told(watched, DRAFTS["draft"], "none" * 1000) == ({"data": {"draft": None}}, {})
