"""Acting on behalf of somebody else: the person who really asks counts for the four eyes, and is on record."""

import pytest

from api.settings import Settings
from tests.auth.asking import Caller, api_for, bearing, settings_with, with_headers
from tests.auth.issuer import little_issuer
from tests.auth.test_gateway import KEYS, OLD, TRUSTED
from tests.serving import AUDITOR, AUTHOR, REVIEWER, SECOND_REVIEWER, Api, Drafts, Someone, serving
from tests.stories.behind import Behind
from tests.stories.conftest import behind
from tests.verbs import CLAIM, COMPLETE, REASSIGN, REQUEST_CHANGES, SUBMIT, WITHDRAW, codes, open_task, perform

__all__ = ["behind"]

BOSS = Someone("boss", ("benefit-admins", "benefit-reviewers"))  # may act for others, and is a reviewer too
HISTORY = "query H($id: ID!) { draft(id: $id) { history { kind by { id } actedBy { id } } } }"
DECISIONS = """query D($id: ID!) { approvalStatus(draftId: $id) {
  decisions { verdict decidedBy { id } actedBy { id } } } }"""


def _history(api: Api, draft_id: str) -> list[tuple[str, str, str | None]]:
    """Kind, for whom, by whom; oldest first."""
    events = api.ask(HISTORY, AUDITOR, id=draft_id)["draft"]["history"]
    told = [(each["kind"], each["by"]["id"], (each["actedBy"] or {}).get("id")) for each in events]
    return list(reversed(told))


VERBS: dict[str, tuple[str, dict[str, object]]] = {
    "approve": (COMPLETE, {"approved": True}),
    "reject": (COMPLETE, {"approved": False}),
    "send back": (REQUEST_CHANGES, {"comment": "Why?"}),
    "claim": (CLAIM, {}),
}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize(
    ("submits_for", "decides_for"),
    [(None, "made-up"), ("author", None), ("author", "made-up"), (None, None), ("made-up", "MADE-UP "), ("x", "BOSS")],
)
def test_nobody_decides_what_they_sent_in_in_whomevers_name(
    api: Api, behind: Behind, verb: str, submits_for: str | None, decides_for: str | None
) -> None:
    draft_id = behind.drafts.new()
    assert perform(api, SUBMIT, BOSS, draftId=draft_id, userId=submits_for)["userErrors"] == []
    task_id, before = open_task(api, draft_id), behind.picture(draft_id)
    operation, fields = VERBS[verb]

    assert codes(perform(api, operation, BOSS, taskId=task_id, userId=decides_for, **fields)) == ["OWN_SUBMISSION"]
    assert behind.picture(draft_id) == before


@pytest.mark.parametrize("who", ["boss", "author", "BOSS"])
def test_its_task_is_handed_to_neither(api: Api, behind: Behind, who: str) -> None:
    draft_id = behind.drafts.new()
    perform(api, SUBMIT, BOSS, draftId=draft_id, userId=AUTHOR.id)
    task_id, before = open_task(api, draft_id), behind.picture(draft_id)
    another = Someone("another-admin", ("benefit-admins",))
    assert codes(perform(api, REASSIGN, another, taskId=task_id, userId=who)) == ["OWN_SUBMISSION"]
    assert behind.picture(draft_id) == before


def test_the_field_says_so_too(api: Api, behind: Behind) -> None:
    draft_id = behind.drafts.new()
    perform(api, SUBMIT, BOSS, draftId=draft_id, userId=AUTHOR.id)
    asked = "query T($id: ID!) { task(id: $id) { decidable { allowed code } } }"
    told = [api.ask(asked, who, id=open_task(api, draft_id))["task"]["decidable"] for who in (BOSS, REVIEWER)]
    assert told == [{"allowed": False, "code": "OWN_SUBMISSION"}, {"allowed": True, "code": None}]


def test_who_really_asked_is_on_record(api: Api, behind: Behind) -> None:
    draft_id = behind.drafts.new()
    perform(api, SUBMIT, BOSS, draftId=draft_id, userId=AUTHOR.id)
    perform(api, WITHDRAW, BOSS, draftId=draft_id, userId=AUTHOR.id)
    perform(api, SUBMIT, AUTHOR, draftId=draft_id)
    task_id = open_task(api, draft_id)
    payload = perform(api, COMPLETE, BOSS, taskId=task_id, approved=False, userId=REVIEWER.id)

    assert (payload["status"], payload["userErrors"]) == ("REJECTED", [])
    assert _history(api, draft_id) == [
        ("SUBMITTED", "author", "boss"),
        ("WITHDRAWN", "author", "boss"),
        ("SUBMITTED", "author", None),
        ("REJECTED", "reviewer", "boss"),
    ]
    assert api.ask(DECISIONS, AUDITOR, id=draft_id)["approvalStatus"]["decisions"] == [
        {"verdict": "REJECTED", "decidedBy": {"id": "reviewer"}, "actedBy": {"id": "boss"}}
    ]
    late = perform(api, COMPLETE, SECOND_REVIEWER, taskId=task_id, approved=True)
    (error,) = late["userErrors"]
    assert error["message"].startswith("This task was rejected by boss on behalf of reviewer at 2")


def test_a_token_is_a_persons(settings: Settings, behind: Behind) -> None:
    draft_id = behind.drafts.new(author="ann@example.org")
    with little_issuer(OLD) as issuer, api_for(settings, issuer, oidc_acts_for_others_group="batch") as api:
        ann = bearing(issuer.token(OLD, groups=["batch", "benefit-reviewers"]))
        assert perform(api, SUBMIT, ann, draftId=draft_id)["userErrors"] == []
        (task,) = behind.tasks(draft_id)
        before = behind.picture(draft_id)
        payload = perform(api, COMPLETE, ann, taskId=task["id"], approved=True, userId="made-up")
        assert codes(payload) == ["OWN_SUBMISSION"]
        assert behind.picture(draft_id) == before


def test_a_trusted_program_is_no_person(settings: Settings, drafts: Drafts, behind: Behind) -> None:
    """It answers for its users: who is named is who did it, and the program's own name is on no record."""
    draft_id = drafts.new()
    with serving(settings_with(settings, auth="gateway", gateway_keys=KEYS)) as gated:
        program = _program("nightly")
        assert codes(perform(gated, SUBMIT, program, draftId=draft_id, userId="author")) == []
        (task,) = behind.tasks(draft_id)
        own = perform(gated, COMPLETE, program, taskId=task["id"], approved=True, userId="author")
        assert codes(own) == ["OWN_SUBMISSION"]
        done = perform(gated, COMPLETE, program, taskId=task["id"], approved=True, userId="reviewer")
        assert (done["status"], done["userErrors"]) == ("APPROVED", [])
    (process_id,) = [process["id"] for process in behind.processes(draft_id)]
    assert "nightly" not in str(behind.variables(process_id))


def _program(name: str) -> Caller:
    return with_headers(
        Authorization=f"Bearer {TRUSTED}", X_User_Id=name, X_User_Groups="benefit-reviewers,benefit-admins"
    )
