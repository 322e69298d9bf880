"""What is refused, to whom, and with which words; after each, row, tasks, processes and versions are as before."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from tests.serving import ADMIN, AUDITOR, AUTHOR, REVIEWER, SECOND_REVIEWER, STRANGER, Api, Someone
from tests.stories.behind import Behind, edited
from tests.verbs import (
    CLAIM,
    COMPLETE,
    REASSIGN,
    REQUEST_CHANGES,
    RETRY,
    SUBMIT,
    UNCLAIM,
    WITHDRAW,
    approved,
    codes,
    open_task,
    perform,
    rejected,
    status,
    submitted,
)

SUBMITTERS_TOO = ("benefit-reviewers",)
ON_DRAFTS = {"submit": SUBMIT, "withdraw": WITHDRAW, "retry": RETRY}
ON_TASKS: dict[str, tuple[str, dict[str, object]]] = {
    "approve": (COMPLETE, {"approved": True}),
    "reject": (COMPLETE, {"approved": False}),
    "request changes": (REQUEST_CHANGES, {"comment": "Why?"}),
    "claim": (CLAIM, {}),
    "unclaim": (UNCLAIM, {}),
    "reassign": (REASSIGN, {"userId": "somebody"}),
}
DECISIONS = ("approve", "reject", "request changes")


@contextmanager
def unchanged(behind: Behind, draft_id: str) -> Iterator[None]:
    """Nothing of the draft changes in the block."""
    before = behind.picture(draft_id)
    yield
    assert behind.picture(draft_id) == before


@pytest.fixture
def draft_id(behind: Behind) -> str:
    """A new draft of AUTHOR's."""
    return behind.drafts.new()


@pytest.fixture
def in_review(api: Api, draft_id: str) -> str:
    """The same, submitted by its author; its process id."""
    return submitted(api, draft_id, AUTHOR)


def refusal(api: Api, operation: str, who: Someone, **fields: object) -> tuple[str, str, str | None]:
    """The one error of a mutation whose payload has nothing else: code, message, field."""
    payload = perform(api, operation, who, **fields)
    (error,) = payload.pop("userErrors")
    assert not any(payload.values()), payload
    return error["code"], error["message"], error["field"]


# What is not there


@pytest.mark.parametrize("verb", ON_DRAFTS)
@pytest.mark.parametrize("unknown", ["none", str(uuid.UUID(int=7)), "", " ", "x" * 300, "'; --", "nul\x00", "%00/.."])
def test_unknown_draft(api: Api, verb: str, unknown: str) -> None:
    expected = ("NOT_FOUND", "There is no such draft.", "draftId")
    assert refusal(api, ON_DRAFTS[verb], ADMIN, draftId=unknown) == expected


@pytest.mark.parametrize("verb", ON_TASKS)
@pytest.mark.parametrize("unknown", ["none", str(uuid.UUID(int=7)), "", "x" * 300, "../task", "nul\x00"])
def test_unknown_task(api: Api, verb: str, unknown: str) -> None:
    operation, fields = ON_TASKS[verb]
    expected = ("NOT_FOUND", "There is no such task, or you may not see it.", "taskId")
    assert refusal(api, operation, ADMIN, taskId=unknown, **fields) == expected


def test_a_draft_that_edits_an_unknown_plan(api: Api, behind: Behind) -> None:
    draft_id = behind.drafts.new(aidbox_id="never-was")
    with unchanged(behind, draft_id):
        code, message, field = refusal(api, SUBMIT, AUTHOR, draftId=draft_id)
    assert (code, field) == ("INVALID", "draftId")
    assert message == "The draft edits plan never-was, which the store does not have."


@pytest.mark.parametrize(
    "plan",
    [
        *("null", "[]", "{}", '"text"', "1", '{"resourceType": "Patient"}', '{"resourceType": "InsurancePlan"}'),
        edited(status="approved"),
        '{"resourceType": "InsurancePlan", "name": ' + "[" * 70 + "]" * 70 + "}",
    ],
)
def test_a_draft_without_a_plan(api: Api, behind: Behind, plan: str) -> None:
    draft_id = behind.drafts.new(plan=plan)
    with unchanged(behind, draft_id):
        code, _, field = refusal(api, SUBMIT, AUTHOR, draftId=draft_id)
    assert (code, field) == ("INVALID_PLAN", "draftId")


# Submitting


@pytest.mark.usefixtures("in_review")
def test_submitted_twice_answers_the_same(api: Api, behind: Behind, draft_id: str) -> None:
    process_id = behind.drafts.row(draft_id)["camunda_process_id"]
    with unchanged(behind, draft_id):
        payload = perform(api, SUBMIT, AUTHOR, draftId=draft_id)
    assert payload == {
        "processId": process_id,
        "status": "SUBMITTED",
        "draft": {"id": draft_id, "status": "SUBMITTED"},
        "userErrors": [],
    }


def test_submitted_and_changed_since(api: Api, behind: Behind, draft_id: str, in_review: str) -> None:
    behind.drafts.edit(draft_id, plan=edited(name="Changed since"))
    with unchanged(behind, draft_id):
        payload = perform(api, SUBMIT, AUTHOR, draftId=draft_id)
    assert (codes(payload), payload["processId"], payload["draft"]) == (["ALREADY_SUBMITTED"], in_review, None)


@pytest.mark.usefixtures("in_review")
def test_approved_already(api: Api, behind: Behind, draft_id: str) -> None:
    approved(api, draft_id)
    with unchanged(behind, draft_id):
        payload = perform(api, SUBMIT, AUTHOR, draftId=draft_id)
    assert codes(payload) == ["ALREADY_DECIDED"]


@pytest.mark.parametrize("revision", ["", "0" * 64, "another"])
def test_another_revision(api: Api, behind: Behind, draft_id: str, revision: str) -> None:
    with unchanged(behind, draft_id):
        code, _, field = refusal(api, SUBMIT, AUTHOR, draftId=draft_id, revision=revision)
    assert (code, field) == ("STALE_REVISION", "revision")


def test_the_revision_read_before_the_last_edit(api: Api, behind: Behind, draft_id: str) -> None:
    asked = "query Revision($id: ID!) { draft(id: $id) { revision } }"
    before = api.ask(asked, AUTHOR, id=draft_id)["draft"]["revision"]
    behind.drafts.edit(draft_id, plan=edited(name="Edited"))
    with unchanged(behind, draft_id):
        assert refusal(api, SUBMIT, AUTHOR, draftId=draft_id, revision=before)[0] == "STALE_REVISION"
    after = api.ask(asked, AUTHOR, id=draft_id)["draft"]["revision"]
    assert perform(api, SUBMIT, AUTHOR, draftId=draft_id, revision=after)["userErrors"] == []
    assert status(api, draft_id)["submittedRevision"] == after


def test_null_and_absent_are_alike(api: Api, draft_id: str) -> None:
    nulls = {"userId": None, "revision": None, "comment": None}
    assert perform(api, SUBMIT, AUTHOR, draftId=draft_id, **nulls)["userErrors"] == []
    task_id = open_task(api, draft_id)
    payload = perform(api, COMPLETE, REVIEWER, taskId=task_id, approved=False, userId=None, comment=None)
    assert (payload["status"], payload["userErrors"]) == ("REJECTED", [])
    assert status(api, draft_id)["decisions"][0]["comment"] is None


@pytest.mark.usefixtures("in_review")
def test_null_where_a_value_is_needed_is_no_request(api: Api, behind: Behind, draft_id: str) -> None:
    task_id = open_task(api, draft_id)
    with unchanged(behind, draft_id):
        for operation, fields in (
            (COMPLETE, {"taskId": task_id, "approved": None}),
            (COMPLETE, {"taskId": task_id}),
            (REQUEST_CHANGES, {"taskId": task_id, "comment": None}),
            (SUBMIT, {"draftId": None}),
        ):
            answer = api.answer(operation, REVIEWER, input=fields)
            assert "data" not in answer
            assert answer["errors"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"


# Who may


@pytest.mark.parametrize("verb", ON_DRAFTS)
def test_a_stranger_to_the_draft(api: Api, behind: Behind, draft_id: str, in_review: str, verb: str) -> None:
    """The answer is that for a draft that is not there, to the letter."""
    with unchanged(behind, draft_id):
        told = refusal(api, ON_DRAFTS[verb], STRANGER, draftId=draft_id)
    assert told == refusal(api, ON_DRAFTS[verb], STRANGER, draftId=str(uuid.uuid4()))
    assert told[0] == ("FORBIDDEN" if verb == "retry" else "NOT_FOUND")
    assert behind.active(draft_id) == [in_review]


@pytest.mark.parametrize("who", [REVIEWER, AUDITOR], ids=lambda who: who.id)
@pytest.mark.parametrize("verb", ON_DRAFTS)
def test_reading_a_draft_is_not_acting_on_it(
    api: Api, behind: Behind, draft_id: str, in_review: str, verb: str, who: Someone
) -> None:
    with unchanged(behind, draft_id):
        assert refusal(api, ON_DRAFTS[verb], who, draftId=draft_id)[0] == "FORBIDDEN"
    assert behind.active(draft_id) == [in_review]


def test_a_stranger_can_not_submit(api: Api, behind: Behind, draft_id: str) -> None:
    with unchanged(behind, draft_id):
        assert refusal(api, SUBMIT, STRANGER, draftId=draft_id) == ("NOT_FOUND", "There is no such draft.", "draftId")


@pytest.mark.usefixtures("in_review")
@pytest.mark.parametrize("verb", ON_TASKS)
def test_a_stranger_to_the_task(api: Api, behind: Behind, draft_id: str, verb: str) -> None:
    task_id, (operation, fields) = open_task(api, draft_id), ON_TASKS[verb]
    with unchanged(behind, draft_id):
        told = refusal(api, operation, STRANGER, taskId=task_id, **fields)
    assert told == ("NOT_FOUND", "There is no such task, or you may not see it.", "taskId")


@pytest.mark.usefixtures("in_review")
@pytest.mark.parametrize("verb", ON_TASKS)
def test_a_stranger_to_a_closed_task(api: Api, behind: Behind, draft_id: str, verb: str) -> None:
    task_id, (operation, fields) = open_task(api, draft_id), ON_TASKS[verb]
    rejected(api, draft_id)
    with unchanged(behind, draft_id):
        told = refusal(api, operation, STRANGER, taskId=task_id, **fields)
    assert told == ("NOT_FOUND", "There is no such task, or you may not see it.", "taskId")


@pytest.mark.usefixtures("in_review")
@pytest.mark.parametrize(
    ("verb", "code"),
    [
        ("approve", "ALREADY_CLAIMED"),
        ("reject", "ALREADY_CLAIMED"),
        ("request changes", "ALREADY_CLAIMED"),
        ("claim", "ALREADY_CLAIMED"),
        ("unclaim", "FORBIDDEN"),
        ("reassign", "FORBIDDEN"),
    ],
)
def test_a_task_that_another_has_claimed(api: Api, behind: Behind, draft_id: str, verb: str, code: str) -> None:
    task_id, (operation, fields) = open_task(api, draft_id), ON_TASKS[verb]
    assert perform(api, CLAIM, REVIEWER, taskId=task_id)["task"]["assignee"] == {"id": "reviewer"}
    with unchanged(behind, draft_id):
        told = refusal(api, operation, SECOND_REVIEWER, taskId=task_id, **fields)
    assert told[0] == code
    assert (told[1] == "reviewer has claimed this task; ask them, or an administrator, to hand it over.") is (
        code == "ALREADY_CLAIMED"
    )


@pytest.mark.usefixtures("in_review")
def test_claim_unclaim_and_reassign(api: Api, behind: Behind, draft_id: str) -> None:
    """Each twice: a repeat changes nothing."""
    task_id = open_task(api, draft_id)
    steps = [
        (CLAIM, REVIEWER, {}, "reviewer"),
        (CLAIM, REVIEWER, {}, "reviewer"),
        (CLAIM, Someone("Reviewer", REVIEWER.groups), {}, "reviewer"),
        (REASSIGN, REVIEWER, {"userId": " second-reviewer "}, "second-reviewer"),
        (REASSIGN, ADMIN, {"userId": "third"}, "third"),
        (UNCLAIM, ADMIN, {}, None),
        (UNCLAIM, REVIEWER, {}, None),
        (CLAIM, ADMIN, {"userId": "deputy"}, "deputy"),
    ]
    for operation, who, fields, holder in steps:
        payload = perform(api, operation, who, taskId=task_id, **fields)
        assert payload == {"task": {"id": task_id, "assignee": holder and {"id": holder}}, "userErrors": []}
        assert [task["assignee"] for task in behind.tasks(draft_id)] == [holder]
    assert perform(api, COMPLETE, Someone("deputy"), taskId=task_id, approved=False)["status"] == "REJECTED"


@pytest.mark.usefixtures("in_review")
@pytest.mark.parametrize("user_id", ["", "  ", "x" * 256, "two\nlines"])
def test_reassign_to_nobody(api: Api, behind: Behind, draft_id: str, user_id: str) -> None:
    task_id = open_task(api, draft_id)
    perform(api, CLAIM, REVIEWER, taskId=task_id)
    with unchanged(behind, draft_id):
        code, _, field = refusal(api, REASSIGN, REVIEWER, taskId=task_id, userId=user_id)
    assert (code, field) == ("INVALID", "userId")


# Deciding twice


@pytest.mark.usefixtures("in_review")
@pytest.mark.parametrize("verb", DECISIONS)
def test_the_same_decision_twice_answers_the_same(api: Api, behind: Behind, draft_id: str, verb: str) -> None:
    task_id, (operation, fields) = open_task(api, draft_id), ON_TASKS[verb]
    first = perform(api, operation, REVIEWER, taskId=task_id, **fields)
    assert first["userErrors"] == []
    with unchanged(behind, draft_id):
        assert perform(api, operation, REVIEWER, taskId=task_id, **fields) == first


@pytest.mark.usefixtures("in_review")
def test_a_decision_on_a_decided_task_names_who_and_when(api: Api, behind: Behind, draft_id: str) -> None:
    task_id = open_task(api, draft_id)
    rejected(api, draft_id)
    ended = behind.engine.get("/history/task", params={"taskId": task_id}).json()[0]["endTime"]
    when = f"{datetime.fromisoformat(ended).astimezone(UTC):%Y-%m-%d %H:%M}"  # the engine says it in its own time zone
    for who, verb in ((SECOND_REVIEWER, "reject"), (REVIEWER, "approve"), (AUTHOR, "approve"), (ADMIN, "claim")):
        operation, fields = ON_TASKS[verb]
        with unchanged(behind, draft_id):
            told = refusal(api, operation, who, taskId=task_id, **fields)
        assert told == ("ALREADY_DECIDED", f"This task was rejected by reviewer at {when} UTC.", "taskId")


@pytest.mark.usefixtures("in_review")
def test_a_decision_on_a_withdrawn_task(api: Api, behind: Behind, draft_id: str) -> None:
    task_id = open_task(api, draft_id)
    perform(api, CLAIM, REVIEWER, taskId=task_id)
    perform(api, WITHDRAW, AUTHOR, draftId=draft_id)
    with unchanged(behind, draft_id):
        code, message, _ = refusal(api, COMPLETE, REVIEWER, taskId=task_id, approved=True)
    assert code == "ALREADY_DECIDED"
    assert message.startswith("This task was cancelled at ")


@pytest.mark.usefixtures("in_review")
@pytest.mark.parametrize("decide", [approved, rejected])
def test_withdrawing_what_is_decided(api: Api, behind: Behind, draft_id: str, decide: object) -> None:
    assert callable(decide)
    decide(api, draft_id)
    with unchanged(behind, draft_id):
        assert refusal(api, WITHDRAW, AUTHOR, draftId=draft_id)[0] == "NOT_SUBMITTED"


def test_withdrawing_what_was_never_submitted(api: Api, behind: Behind, draft_id: str) -> None:
    with unchanged(behind, draft_id):
        assert refusal(api, WITHDRAW, AUTHOR, draftId=draft_id)[0] == "NOT_SUBMITTED"


# Four eyes


@pytest.mark.usefixtures("in_review")
@pytest.mark.parametrize("spelling", ["author", "AUTHOR", "Author"])
@pytest.mark.parametrize("verb", [*DECISIONS, "claim"])
def test_own_submission(api: Api, behind: Behind, draft_id: str, verb: str, spelling: str) -> None:
    task_id, (operation, fields) = open_task(api, draft_id), ON_TASKS[verb]
    with unchanged(behind, draft_id):
        told = refusal(api, operation, Someone(spelling, SUBMITTERS_TOO), taskId=task_id, **fields)
    assert told[:2] == ("OWN_SUBMISSION", "The person who submitted a plan cannot decide it; ask another reviewer.")


@pytest.mark.usefixtures("in_review")
@pytest.mark.parametrize("verb", DECISIONS)
def test_own_submission_as_the_assignee(api: Api, behind: Behind, draft_id: str, verb: str) -> None:
    """As Tasklist would assign it: the engine does not mind."""
    task_id, (operation, fields) = open_task(api, draft_id), ON_TASKS[verb]
    assert behind.engine.post(f"/task/{task_id}/assignee", json={"userId": "author"}).is_success
    with unchanged(behind, draft_id):
        assert refusal(api, operation, AUTHOR, taskId=task_id, **fields)[0] == "OWN_SUBMISSION"


@pytest.mark.parametrize("recorded", ["AUTHOR ", " Author", "author"])
def test_own_submission_recorded_in_another_spelling(api: Api, behind: Behind, draft_id: str, recorded: str) -> None:
    process_id = behind.start(draft_id, business_key=draft_id, submittedBy=recorded)
    assert submitted(api, draft_id, AUTHOR) == process_id
    task_id = open_task(api, draft_id)
    with unchanged(behind, draft_id):
        who = Someone("author", SUBMITTERS_TOO)
        assert refusal(api, COMPLETE, who, taskId=task_id, approved=True)[0] == "OWN_SUBMISSION"


@pytest.mark.usefixtures("in_review")
@pytest.mark.parametrize("spelling", ["author", "AUTHOR", " author "])
def test_reassign_to_the_submitter(api: Api, behind: Behind, draft_id: str, spelling: str) -> None:
    task_id = open_task(api, draft_id)
    perform(api, CLAIM, REVIEWER, taskId=task_id)
    for who in (REVIEWER, ADMIN):
        with unchanged(behind, draft_id):
            code, _, field = refusal(api, REASSIGN, who, taskId=task_id, userId=spelling)
        assert (code, field) == ("OWN_SUBMISSION", "userId")


def test_an_administrator_does_not_decide_their_own_submission(api: Api, behind: Behind, draft_id: str) -> None:
    admin = Someone("admin", ("benefit-admins", "benefit-reviewers"))
    submitted(api, draft_id, admin)
    with unchanged(behind, draft_id):
        told = refusal(api, COMPLETE, admin, taskId=open_task(api, draft_id), approved=True)
    assert told[0] == "OWN_SUBMISSION"


# Acting for others


@pytest.mark.usefixtures("in_review")
def test_somebody_elses_id_from_who_is_no_administrator(api: Api, behind: Behind, draft_id: str) -> None:
    task_id = open_task(api, draft_id)
    calls: list[tuple[str, Someone, dict[str, object]]] = [
        (SUBMIT, AUTHOR, {"draftId": draft_id}),
        (WITHDRAW, AUTHOR, {"draftId": draft_id}),
        (COMPLETE, REVIEWER, {"taskId": task_id, "approved": True}),
        (REQUEST_CHANGES, REVIEWER, {"taskId": task_id, "comment": "Why?"}),
        (CLAIM, REVIEWER, {"taskId": task_id}),
    ]
    for operation, who, fields in calls:
        with unchanged(behind, draft_id):
            code, _, field = refusal(api, operation, who, userId="second-reviewer", **fields)
        assert (code, field) == ("FORBIDDEN", "userId")


def test_ones_own_id_counts_for_everybody(api: Api, draft_id: str) -> None:
    assert perform(api, SUBMIT, AUTHOR, draftId=draft_id, userId="AUTHOR")["userErrors"] == []
    assert status(api, draft_id)["submittedBy"] == {"id": "author"}


def test_an_administrator_acts_as_another_person(api: Api, draft_id: str) -> None:
    assert perform(api, SUBMIT, ADMIN, draftId=draft_id, userId=" author ")["userErrors"] == []
    admin, other = (Someone(name, ("benefit-admins", "benefit-reviewers")) for name in ("admin", "other-admin"))
    task_id = open_task(api, draft_id)
    assert refusal(api, COMPLETE, other, taskId=task_id, approved=True, userId="author")[0] == "OWN_SUBMISSION"
    assert refusal(api, COMPLETE, admin, taskId=task_id, approved=True, userId="reviewer")[0] == "OWN_SUBMISSION"
    payload = perform(api, COMPLETE, other, taskId=task_id, approved=True, userId="reviewer")
    assert (payload["status"], payload["userErrors"]) == ("APPROVED", [])
    told = status(api, draft_id)
    assert (told["submittedBy"], told["decisions"][0]["decidedBy"]) == ({"id": "author"}, {"id": "reviewer"})


@pytest.mark.parametrize("user_id", ["", " ", "x" * 256, "two\nlines"])
def test_acting_as_nobody(api: Api, behind: Behind, draft_id: str, user_id: str) -> None:
    with unchanged(behind, draft_id):
        code, _, field = refusal(api, SUBMIT, ADMIN, draftId=draft_id, userId=user_id)
    assert (code, field) == ("INVALID", "userId")


def test_a_draft_without_an_author(api: Api, behind: Behind) -> None:
    """Anybody may submit it; then it is theirs to take back."""
    draft_id = behind.drafts.new(author=None)
    submitted(api, draft_id, STRANGER)
    with unchanged(behind, draft_id):
        assert refusal(api, WITHDRAW, AUTHOR, draftId=draft_id)[0] == "NOT_FOUND"
        assert refusal(api, WITHDRAW, REVIEWER, draftId=draft_id)[0] == "FORBIDDEN"
    assert perform(api, WITHDRAW, STRANGER, draftId=draft_id)["userErrors"] == []


# Comments


@pytest.mark.usefixtures("in_review")
@pytest.mark.parametrize("comment", ["", "   ", "\n\t "])
def test_changes_requested_without_words(api: Api, behind: Behind, draft_id: str, comment: str) -> None:
    task_id = open_task(api, draft_id)
    with unchanged(behind, draft_id):
        told = refusal(api, REQUEST_CHANGES, REVIEWER, taskId=task_id, comment=comment)
    assert told == ("INVALID", "Say what has to be changed.", "comment")


@pytest.mark.parametrize("comment", ["x" * 1501, "nul \x00", "bell \x07", "\x1b[31m", "right\u202eto left"])
def test_comments_that_can_not_be_taken(api: Api, behind: Behind, draft_id: str, comment: str) -> None:
    with unchanged(behind, draft_id):
        code, _, field = refusal(api, SUBMIT, AUTHOR, draftId=draft_id, comment=comment)
    assert (code, field) == ("INVALID", "comment")
    submitted(api, draft_id, AUTHOR)
    task_id = open_task(api, draft_id)
    for operation, fields in ((COMPLETE, {"approved": True}), (REQUEST_CHANGES, {})):
        with unchanged(behind, draft_id):
            code, _, field = refusal(api, operation, REVIEWER, taskId=task_id, comment=comment, **fields)
        assert (code, field) == ("INVALID", "comment")


@pytest.mark.parametrize(
    "comment", ["x" * 1500, '"' * 900, "\\" * 900, "€" * 1500, "😀" * 900, "two\nlines\tand more", "line\nline" * 160]
)
def test_comments_are_kept_to_the_letter(api: Api, behind: Behind, draft_id: str, comment: str) -> None:
    assert perform(api, SUBMIT, AUTHOR, draftId=draft_id, comment=comment)["userErrors"] == []
    task_id = open_task(api, draft_id)
    perform(api, COMPLETE, REVIEWER, taskId=task_id, approved=False, comment=comment)
    assert status(api, draft_id)["decisions"][0]["comment"] == comment
    process_id = behind.drafts.row(draft_id)["camunda_process_id"]
    variables = behind.variables(process_id)
    assert (variables["submissionComment"], variables["comment"]) == (comment, comment)


@pytest.mark.parametrize("comment", ["to\n" * 500, '"' * 1500, "\\" * 1500, "😀" * 950, ("x\n" * 500 + "y" * 499)])
def test_a_comment_that_not_every_engine_holds_with_its_decision(
    api: Api, behind: Behind, draft_id: str, comment: str
) -> None:
    """Oracle's columns are of 2,000 UTF-16 code units; the decision is written into one, as JSON."""
    submitted(api, draft_id, AUTHOR)
    task_id = open_task(api, draft_id)
    for operation, fields in ((COMPLETE, {"approved": True}), (COMPLETE, {"approved": False}), (REQUEST_CHANGES, {})):
        with unchanged(behind, draft_id):
            code, message, field = refusal(api, operation, REVIEWER, taskId=task_id, comment=comment, **fields)
        assert (code, field) == ("INVALID", "comment")
        excess = int(message.split(" is ")[1].split(" ")[0])
        assert message == (
            f"The comment is {excess} characters too long for the engine, where line breaks, quotes, backslashes and "
            "emoji count as two; shorten it, or use fewer of these."
        )
    shorter = comment[excess:] if not comment.startswith("😀") else comment[excess // 2 + 1 :]
    assert perform(api, COMPLETE, REVIEWER, taskId=task_id, approved=False, comment=shorter)["userErrors"] == []
    texts = [value for value in behind.variables(_process(behind, draft_id)).values() if isinstance(value, str)]
    assert max(len(text.encode("utf-16-le")) // 2 for text in texts) <= 2000


def test_a_submissions_comment_is_held_to_the_same_length(api: Api, behind: Behind, draft_id: str) -> None:
    with unchanged(behind, draft_id):
        code, message, field = refusal(api, SUBMIT, AUTHOR, draftId=draft_id, comment="😀" * 1001)
    assert (code, message[:46], field) == ("INVALID", "The comment is 2 characters too long for the e", "comment")
    assert perform(api, SUBMIT, AUTHOR, draftId=draft_id, comment="😀" * 1000)["userErrors"] == []


def _process(behind: Behind, draft_id: str) -> str:
    return str(behind.drafts.row(draft_id)["camunda_process_id"])


# Publication that has not stopped


@pytest.mark.parametrize("who", [AUTHOR, REVIEWER, STRANGER], ids=lambda who: who.id)
def test_retry_is_for_administrators(api: Api, behind: Behind, draft_id: str, in_review: str, who: Someone) -> None:
    with unchanged(behind, draft_id):
        told = refusal(api, RETRY, who, draftId=draft_id)
    assert told[:2] == ("FORBIDDEN", "Only an administrator may do this.")
    assert behind.active(draft_id) == [in_review]


def test_retry_of_what_has_not_stopped(api: Api, behind: Behind, draft_id: str) -> None:
    expected = ("NOT_SUBMITTED", "No publication of this draft has failed, so there is nothing to retry.", "draftId")
    with unchanged(behind, draft_id):
        assert refusal(api, RETRY, ADMIN, draftId=draft_id) == expected
    submitted(api, draft_id, AUTHOR)
    with unchanged(behind, draft_id):
        assert refusal(api, RETRY, ADMIN, draftId=draft_id) == expected
    approved(api, draft_id)
    with unchanged(behind, draft_id):
        payload = perform(api, RETRY, ADMIN, draftId=draft_id)
    assert payload == {"draft": {"id": draft_id, "status": "APPROVED"}, "userErrors": []}
