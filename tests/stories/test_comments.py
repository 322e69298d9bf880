"""Comments on a submission beside the decisions: who may write them, and where they are read."""

import uuid
from typing import Any

import pytest

from api.coordination.comment import MOST_COMMENTS
from tests.serving import ADMIN, AUDITOR, AUTHOR, REVIEWER, SECOND_REVIEWER, STRANGER, Api, Someone
from tests.stories.behind import Behind
from tests.verbs import COMPLETE, approved, codes, open_task, perform, rejected, submitted

COMMENT = """mutation C($input: AddCommentInput!) { addComment(input: $input) {
  comment { id by { id } actedBy { id } text processId } draft { id } userErrors { code message field } } }"""
READ = """query R($id: ID!) { draft(id: $id) { comments { by { id } text processId }
  history { kind by { id } comment } } }"""


def said(api: Api, draft_id: str, someone: Someone, text: str, **more: object) -> dict[str, Any]:
    return perform(api, COMMENT, someone, draftId=draft_id, text=text, **more)


def test_a_conversation(api: Api, behind: Behind) -> None:
    draft_id = behind.drafts.new()
    process_id = submitted(api, draft_id, AUTHOR)
    payload = said(api, draft_id, REVIEWER, "  Why 1500?\nIt was 1000. ")
    (comment_id,) = [name for name in behind.variables(process_id) if name.startswith("comment_")]
    assert payload == {
        "comment": {
            "id": comment_id.removeprefix("comment_"),
            "by": {"id": REVIEWER.id},
            "actedBy": None,
            "text": "Why 1500?\nIt was 1000.",
            "processId": process_id,
        },
        "draft": {"id": draft_id},
        "userErrors": [],
    }
    assert said(api, draft_id, REVIEWER, "Why 1500?\nIt was 1000.") == payload
    assert codes(said(api, draft_id, AUTHOR, "As the actuaries asked.")) == []
    assert codes(said(api, draft_id, SECOND_REVIEWER, "Fine.")) == []
    task = open_task(api, draft_id)
    of_task = api.ask("query T($id: ID!) { task(id: $id) { comments(limit: 2) { text } } }", REVIEWER, id=task)
    assert [each["text"] for each in of_task["task"]["comments"]] == ["Fine.", "As the actuaries asked."]

    decided = perform(api, COMPLETE, REVIEWER, taskId=task, approved=False, comment="Not yet.")
    assert decided["status"] == "REJECTED"
    read = api.ask(READ, AUTHOR, id=draft_id)["draft"]
    assert read["comments"] == [
        {"by": {"id": SECOND_REVIEWER.id}, "text": "Fine.", "processId": process_id},
        {"by": {"id": AUTHOR.id}, "text": "As the actuaries asked.", "processId": process_id},
        {"by": {"id": REVIEWER.id}, "text": "Why 1500?\nIt was 1000.", "processId": process_id},
    ]
    assert [(each["kind"], each["by"]["id"], each["comment"]) for each in read["history"]] == [
        ("REJECTED", REVIEWER.id, "Not yet."),
        ("COMMENTED", SECOND_REVIEWER.id, "Fine."),
        ("COMMENTED", AUTHOR.id, "As the actuaries asked."),
        ("COMMENTED", REVIEWER.id, "Why 1500?\nIt was 1000."),
        ("SUBMITTED", AUTHOR.id, None),
    ]
    again = submitted(api, draft_id, AUTHOR)
    assert codes(said(api, draft_id, AUTHOR, "Now it is.")) == []
    read = api.ask(READ, AUTHOR, id=draft_id)["draft"]
    assert [each["processId"] for each in read["comments"]] == [again, *[process_id] * 3]


@pytest.mark.parametrize(
    ("who", "code"), [(STRANGER, "NOT_FOUND"), (AUDITOR, "FORBIDDEN"), (Someone("colleague"), "NOT_FOUND")]
)
def test_who_has_no_part_in_it(api: Api, behind: Behind, who: Someone, code: str) -> None:
    draft_id = behind.drafts.new()
    process_id = submitted(api, draft_id, AUTHOR)
    before = behind.picture(draft_id), behind.variables(process_id)
    payload = said(api, draft_id, who, "Let me in.")
    assert (codes(payload), payload["comment"], payload["draft"]) == ([code], None, None)
    assert (behind.picture(draft_id), behind.variables(process_id)) == before


def test_who_is_spoken_for(api: Api, behind: Behind) -> None:
    draft_id = behind.drafts.new()
    submitted(api, draft_id, AUTHOR)
    payload = said(api, draft_id, ADMIN, "For her.", userId=AUTHOR.id)
    assert (payload["comment"]["by"], payload["comment"]["actedBy"]) == ({"id": AUTHOR.id}, {"id": ADMIN.id})


@pytest.mark.parametrize("text", ["", " \n ", "x" * 1501, "bell \a", "\N{BELL}" * 1400])
def test_texts_that_are_refused(api: Api, behind: Behind, text: str) -> None:
    draft_id = behind.drafts.new()
    process_id = submitted(api, draft_id, AUTHOR)
    before = behind.variables(process_id)
    payload = said(api, draft_id, AUTHOR, text)
    assert [(each["code"], each["field"]) for each in payload["userErrors"]] == [("INVALID", "text")]
    assert behind.variables(process_id) == before


def test_only_a_running_submission(api: Api, behind: Behind) -> None:
    draft_id = behind.drafts.new()
    assert codes(said(api, draft_id, AUTHOR, "Too early.")) == ["NOT_SUBMITTED"]
    process_id = submitted(api, draft_id, AUTHOR)
    assert approved(api, draft_id)["status"] == "APPROVED"
    before = behind.variables(process_id)
    assert codes(said(api, draft_id, AUTHOR, "Too late.")) == ["NOT_SUBMITTED"]
    assert behind.variables(process_id) == before


def test_there_is_an_end_to_it(api: Api, behind: Behind) -> None:
    draft_id = behind.drafts.new()
    process_id = submitted(api, draft_id, AUTHOR)
    stored = '{"by":"author","at":"2026-01-01T00:00:00Z","text":"Again."}'
    many = {f"comment_{uuid.uuid4().hex}": {"value": stored, "type": "String"} for _ in range(MOST_COMMENTS - 1)}
    written = behind.engine.post(f"/process-instance/{process_id}/variables", json={"modifications": many})
    assert written.status_code == 204
    assert codes(said(api, draft_id, AUTHOR, "The last one.")) == []
    assert codes(said(api, draft_id, AUTHOR, "One too many.")) == ["INVALID"]
    assert codes(said(api, draft_id, AUTHOR, "The last one.")) == []


@pytest.mark.parametrize("fields", ["comments { text }", "history { kind } comments { text }"])
def test_comments_on_earlier_submissions_are_there_whatever_else_is_asked(
    api: Api, behind: Behind, fields: str
) -> None:
    draft_id = behind.drafts.new()
    for text in ("first", "second"):
        submitted(api, draft_id, AUTHOR)
        said(api, draft_id, REVIEWER, text)
        rejected(api, draft_id)
    read = api.ask(f"query R($id: ID!) {{ draft(id: $id) {{ {fields} }} }}", AUTHOR, id=draft_id)
    assert [each["text"] for each in read["draft"]["comments"]] == ["second", "first"]
