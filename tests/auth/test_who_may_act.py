"""Who may do what to a draft and a task: the verbs' cells, on a submission of its own.

Who may not is refused and nothing is changed; who may not even know of it is told that it is not there.
"""

import uuid
from dataclasses import dataclass

import pytest

from tests.serving import Api, Drafts, Someone
from tests.verbs import (
    CLAIM,
    COMPLETE,
    REASSIGN,
    REQUEST_CHANGES,
    RETRY,
    SUBMIT,
    UNCLAIM,
    WITHDRAW,
    codes,
    open_task,
    perform,
    submitted,
)

REBASE = "mutation R($input: RebaseDraftInput!) { rebaseDraft(input: $input) { userErrors { code message field } } }"
FIRST = "query R($id: ID!) { draft(id: $id) { revision } }"
GROUPS = {
    "reviewer": ("benefit-reviewers",),
    "auditor": ("benefit-auditors",),
    "admin": ("benefit-admins",),
    "stranger": ("another-group",),
}
PEOPLE = ("author", "submitter", "assignee", "reviewer", "auditor", "admin", "stranger")
OK, FORBIDDEN, UNKNOWN, OWN = "", "FORBIDDEN", "NOT_FOUND", "OWN_SUBMISSION"
CLAIMED, NOT_YET = "ALREADY_CLAIMED", "NOT_SUBMITTED"


@dataclass(frozen=True)
class Verb:
    """A mutation, what its input has beside the id, and what it is done to."""

    operation: str
    target: str  # new: a draft before its first submission; waiting: its task is free; claimed: it is the assignee's
    fields: tuple[tuple[str, object], ...] = ()


APPROVE, NEXT = (("approved", True),), (("userId", "somebody"),)
VERBS = {
    "submit": Verb(SUBMIT, "new"),
    "withdraw": Verb(WITHDRAW, "waiting"),
    "move onto a new version": Verb(REBASE, "new"),
    "try a publication again": Verb(RETRY, "waiting"),
    "approve what is free": Verb(COMPLETE, "waiting", APPROVE),
    "approve what is claimed": Verb(COMPLETE, "claimed", APPROVE),
    "reject": Verb(COMPLETE, "waiting", (("approved", False),)),
    "send back": Verb(REQUEST_CHANGES, "waiting", (("comment", "Why?"),)),
    "claim what is free": Verb(CLAIM, "waiting"),
    "claim what is claimed": Verb(CLAIM, "claimed"),
    "give back": Verb(UNCLAIM, "claimed"),
    "hand over what is free": Verb(REASSIGN, "waiting", NEXT),
    "hand over what is claimed": Verb(REASSIGN, "claimed", NEXT),
}
# author, submitter, assignee, reviewer, auditor, admin, stranger; NOT_SUBMITTED is what comes after who may
CELLS: dict[str, tuple[str, ...]] = {
    "submit": (OK, UNKNOWN, UNKNOWN, UNKNOWN, FORBIDDEN, OK, UNKNOWN),
    "withdraw": (OK, OK, UNKNOWN, FORBIDDEN, FORBIDDEN, OK, UNKNOWN),
    "move onto a new version": (NOT_YET, UNKNOWN, UNKNOWN, UNKNOWN, FORBIDDEN, NOT_YET, UNKNOWN),
    "try a publication again": (FORBIDDEN, FORBIDDEN, FORBIDDEN, FORBIDDEN, FORBIDDEN, NOT_YET, FORBIDDEN),
    "approve what is free": (FORBIDDEN, OWN, UNKNOWN, OK, FORBIDDEN, FORBIDDEN, UNKNOWN),
    "approve what is claimed": (FORBIDDEN, OWN, OK, CLAIMED, FORBIDDEN, FORBIDDEN, UNKNOWN),
    "reject": (FORBIDDEN, OWN, UNKNOWN, OK, FORBIDDEN, FORBIDDEN, UNKNOWN),
    "send back": (FORBIDDEN, OWN, UNKNOWN, OK, FORBIDDEN, FORBIDDEN, UNKNOWN),
    "claim what is free": (FORBIDDEN, OWN, UNKNOWN, OK, FORBIDDEN, OK, UNKNOWN),
    "claim what is claimed": (FORBIDDEN, OWN, OK, CLAIMED, FORBIDDEN, CLAIMED, UNKNOWN),
    "give back": (FORBIDDEN, FORBIDDEN, OK, FORBIDDEN, FORBIDDEN, OK, UNKNOWN),
    "hand over what is free": (FORBIDDEN, FORBIDDEN, UNKNOWN, FORBIDDEN, FORBIDDEN, OK, UNKNOWN),
    "hand over what is claimed": (FORBIDDEN, FORBIDDEN, OK, FORBIDDEN, FORBIDDEN, OK, UNKNOWN),
}
ALL = [(verb, name, code) for verb, row in CELLS.items() for name, code in zip(PEOPLE, row, strict=True)]


@pytest.mark.parametrize(("verb", "name", "code"), ALL)
def test_a_cell(api: Api, drafts: Drafts, verb: str, name: str, code: str) -> None:
    mark = uuid.uuid4().hex[:8]
    people = {each: Someone(f"{each}-{mark}", GROUPS.get(each, ())) for each in PEOPLE}
    asked = VERBS[verb]
    draft_id = drafts.new(author=people["author"].id)
    ids: dict[str, object] = {"draftId": draft_id}
    if asked.operation == REBASE:
        ids["revision"] = api.ask(FIRST, people["author"], id=draft_id)["draft"]["revision"]
    if asked.target != "new":
        _send_in(api, draft_id, people)
        task_id = open_task(api, draft_id)
        ids = {"taskId": task_id} if asked.operation not in (WITHDRAW, RETRY) else ids
        if asked.target == "claimed":
            perform(api, REASSIGN, people["admin"], taskId=task_id, userId=people["assignee"].id)
    before = drafts.row(draft_id), _holder(api, draft_id, people)

    payload = perform(api, asked.operation, people[name], **ids, **dict(asked.fields))

    assert codes(payload) == ([code] if code else [])
    if code:
        assert (drafts.row(draft_id), _holder(api, draft_id, people)) == before


def _send_in(api: Api, draft_id: str, people: dict[str, Someone]) -> None:
    """By another administrator for somebody who did not write it."""
    payload = perform(
        api, SUBMIT, Someone("another-admin", GROUPS["admin"]), draftId=draft_id, userId=people["submitter"].id
    )
    assert payload["userErrors"] == []


def _holder(api: Api, draft_id: str, people: dict[str, Someone]) -> list[object]:
    """The tasks that wait, and who has them."""
    asked = "query H($id: ID!) { approvalStatus(draftId: $id) { openTasks { id assignee { id } } } }"
    found: list[object] = api.ask(asked, people["auditor"], id=draft_id)["approvalStatus"]["openTasks"]
    return found


def test_everybody_starts_a_draft_from_a_plan_and_only_who_wrote_it_submits_it(api: Api, drafts: Drafts) -> None:
    source = drafts.new()
    submitted(api, source, Someone("author"))
    perform(api, COMPLETE, Someone("reviewer", GROUPS["reviewer"]), taskId=open_task(api, source), approved=True)
    create = """mutation C($input: CreateDraftFromPlanInput!) { createDraftFromPlan(input: $input) {
      draft { id createdBy } userErrors { code } } }"""
    for name in PEOPLE:
        someone = Someone(f"{name}-{uuid.uuid4().hex[:8]}", GROUPS.get(name, ()))
        made = perform(api, create, someone, planId=source)
        assert (made["draft"]["createdBy"], made["userErrors"]) == (someone.id, [])
        assert codes(perform(api, SUBMIT, Someone("passer-by"), draftId=made["draft"]["id"])) == [UNKNOWN]


def test_nobodys_draft_once_submitted_is_its_submitters(api: Api, drafts: Drafts) -> None:
    """Whoever reviews or audits it may read it, and write nothing."""
    mark = uuid.uuid4().hex[:8]
    submitter = Someone(f"submitter-{mark}")
    readers = [Someone(f"{name}-{mark}", GROUPS[name]) for name in ("reviewer", "auditor")]
    draft_id = drafts.new(author=None)
    submitted(api, draft_id, submitter)
    for round_ in ("in review", "rejected"):
        before = drafts.row(draft_id)
        for someone in readers:
            revision = api.ask(FIRST, someone, id=draft_id)["draft"]["revision"]
            for operation, fields in ((SUBMIT, {}), (WITHDRAW, {}), (REBASE, {"revision": revision})):
                payload = perform(api, operation, someone, draftId=draft_id, **fields)
                assert codes(payload) == [FORBIDDEN], (round_, operation)
        assert drafts.row(draft_id) == before
        if round_ == "in review":
            taken = open_task(api, draft_id)
            assert perform(api, COMPLETE, readers[0], taskId=taken, approved=False)["status"] == "REJECTED"
    assert codes(perform(api, SUBMIT, Someone(f"stranger-{mark}"), draftId=draft_id)) == [UNKNOWN]
    assert codes(perform(api, SUBMIT, submitter, draftId=draft_id)) == []


def test_a_payload_is_read_by_the_rules_of_who_it_was_done_for(api: Api, drafts: Drafts) -> None:
    """Of a task that was handed on nothing is known to who handed it on and is offered it no longer."""
    mark = uuid.uuid4().hex[:8]
    admin, holder = Someone(f"admin-{mark}", GROUPS["admin"]), Someone(f"holder-{mark}")
    draft_id = drafts.new(author=f"author-{mark}")
    submitted(api, draft_id, Someone(f"author-{mark}"))
    task_id = open_task(api, draft_id)
    assert perform(api, REASSIGN, admin, taskId=task_id, userId=holder.id)["task"]["assignee"] == {"id": holder.id}
    payload = perform(api, REASSIGN, holder, taskId=task_id, userId=f"next-{mark}")
    assert (payload["task"], payload["userErrors"]) == (None, [])
    query = "query T($id: ID!) { task(id: $id) { id } }"
    assert api.ask(query, holder, id=task_id) == {"task": None}
