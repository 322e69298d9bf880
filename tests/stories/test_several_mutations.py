"""Several mutations in one request: each payload shows what is after its own write, and before the next."""

from tests.serving import AUTHOR, REVIEWER, Api, Drafts
from tests.verbs import open_task, submitted

PERSON = "task { assignee { id } draft { status } } userErrors { code }"
IN_TURN = f"""mutation T($task: ID!) {{
  first: claimTask(input: {{taskId: $task}}) {{ {PERSON} }}
  second: unclaimTask(input: {{taskId: $task}}) {{ {PERSON} }}
  third: claimTask(input: {{taskId: $task}}) {{ {PERSON} }}
  fourth: completeApproval(input: {{taskId: $task, approved: false, comment: "No."}}) {{
    status draft {{ status }} task {{ isOpen }} userErrors {{ code }} }}
}}"""
AUTHORS_TURN = """mutation A($draft: ID!) {
  first: submitForApproval(input: {draftId: $draft}) { status draft { approval { state } } userErrors { code } }
  second: withdrawSubmission(input: {draftId: $draft}) {
    draft { status approval { state } } userErrors { code } }
  third: submitForApproval(input: {draftId: $draft}) { status draft { approval { state } } userErrors { code } }
}"""


def test_a_task_is_read_afresh_after_each(api: Api, drafts: Drafts) -> None:
    draft_id = drafts.new()
    submitted(api, draft_id, AUTHOR)
    answer = api.ask(IN_TURN, REVIEWER, task=open_task(api, draft_id))
    in_review = {"draft": {"status": "SUBMITTED"}}
    claimed = {"task": {"assignee": {"id": REVIEWER.id}, **in_review}, "userErrors": []}
    assert answer == {
        "first": claimed,
        "second": {"task": {"assignee": None, **in_review}, "userErrors": []},
        "third": claimed,
        "fourth": {"status": "REJECTED", "draft": {"status": "REJECTED"}, "task": {"isOpen": False}, "userErrors": []},
    }


def test_a_draft_is_read_afresh_after_each(api: Api, drafts: Drafts) -> None:
    answer = api.ask(AUTHORS_TURN, AUTHOR, draft=drafts.new())
    in_review = {"status": "SUBMITTED", "draft": {"approval": {"state": "IN_REVIEW"}}, "userErrors": []}
    withdrawn = {"draft": {"status": "WITHDRAWN", "approval": {"state": "WITHDRAWN"}}, "userErrors": []}
    assert answer == {"first": in_review, "second": withdrawn, "third": in_review}
