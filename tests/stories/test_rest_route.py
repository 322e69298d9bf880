"""The REST route that submits a draft, for callers that speak no GraphQL."""

import json
import uuid

import httpx
import pytest

from api.settings import Settings
from tests.serving import ADMIN, AUDITOR, AUTHOR, GOLD, REVIEWER, STRANGER, Api, Someone, serving
from tests.stories.behind import Behind, edited
from tests.verbs import approved, status, submitted

DEAD = "http://127.0.0.1:9"


def post(api: Api, draft_id: str, who: Someone | None, body: object = None, **more: object) -> httpx.Response:
    """The route, by default with the body that fits."""
    content = body if isinstance(body, bytes) else json.dumps(body or {"draftId": draft_id, **more}).encode()
    headers = {"Content-Type": "application/json", **(who.headers if who else {})}
    return api.client.post(f"/api/plans/{draft_id}/submit", content=content, headers=headers)


def problem(answer: httpx.Response) -> tuple[int, str, str]:
    """Status, code and detail of problem details that are complete."""
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert told.pop("requestId") == answer.headers["x-request-id"]
    assert (told.pop("type"), told.pop("status")) == ("about:blank", answer.status_code)
    assert told.pop("title") == httpx.codes.get_reason_phrase(answer.status_code)
    told.pop("processId", None)
    code, detail = told.pop("code"), told.pop("detail")
    assert told == {}
    return answer.status_code, code, detail


def test_submit(api: Api, behind: Behind) -> None:
    draft_id = behind.drafts.new()
    answer = post(api, draft_id, AUTHOR)

    process_id = behind.drafts.row(draft_id)["camunda_process_id"]
    assert (answer.status_code, answer.json()) == (200, {"processId": process_id, "status": "submitted"})
    assert answer.headers["content-type"] == "application/json"
    assert behind.active(draft_id) == [process_id]
    before = behind.picture(draft_id)
    assert post(api, draft_id, AUTHOR, userId="author").json() == answer.json()
    assert behind.picture(draft_id) == before


def test_submit_for_somebody_else(api: Api, behind: Behind) -> None:
    draft_id = behind.drafts.new()
    assert post(api, draft_id, ADMIN, userId="author").status_code == 200
    assert status(api, draft_id)["submittedBy"] == {"id": "author"}


@pytest.mark.parametrize("user_id", [None, "AUTHOR"])
def test_ones_own_id_or_null(api: Api, behind: Behind, user_id: str | None) -> None:
    draft_id = behind.drafts.new()
    assert post(api, draft_id, AUTHOR, userId=user_id).status_code == 200


def test_nobody(api: Api, behind: Behind) -> None:
    draft_id = behind.drafts.new()
    before = behind.picture(draft_id)
    answer = post(api, draft_id, None)
    assert problem(answer)[:2] == (401, "UNAUTHENTICATED")
    assert "www-authenticate" in answer.headers
    assert behind.picture(draft_id) == before


def test_the_ids_differ(api: Api, behind: Behind) -> None:
    draft_id = behind.drafts.new()
    before = behind.picture(draft_id)
    told = problem(post(api, draft_id, AUTHOR, {"draftId": str(uuid.uuid4())}))
    assert told == (400, "INVALID", "draftId and the id in the path must be the same.")
    assert behind.picture(draft_id) == before


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{", b"[]", b"null", b'"text"', b"{}", b'{"draftId": null}', b'{"draftId": 1}', b'{"draftId": ""}'),
        *(b'{"draftId": "x", "userId": 1}', b'{"draftId": "x", "status": "approved"}', b"\xff\xfe", b"[" * 9_000),
        b'{"draftId": "' + b"x" * 300 + b'"}',
    ],
    ids=lambda body: body[:30].decode("latin-1"),
)
def test_bad_bodies(api: Api, behind: Behind, body: bytes) -> None:
    draft_id = behind.drafts.new()
    before = behind.picture(draft_id)
    assert problem(post(api, draft_id, AUTHOR, body))[:2] == (400, "INVALID")
    assert behind.picture(draft_id) == before


@pytest.mark.parametrize("wrong", ["true", "17.0", "1e1", "[17]"])
def test_a_draft_id_may_be_a_whole_number(api: Api, behind: Behind, wrong: str) -> None:
    """Tables have integer ids, and programs send them as they are."""
    behind.drafts.connection.execute("DELETE FROM benefit_plan_drafts WHERE id = '17'")
    behind.drafts.edit(draft_id := behind.drafts.new())
    behind.drafts.connection.execute("UPDATE benefit_plan_drafts SET id = '17' WHERE id = %s", [draft_id])
    assert problem(post(api, "17", AUTHOR, f'{{"draftId": {wrong}}}'.encode()))[:2] == (400, "INVALID")
    answer = post(api, "17", AUTHOR, {"draftId": 17})
    assert (answer.status_code, answer.json()["status"]) == (200, "submitted")
    behind.drafts.connection.execute("DELETE FROM benefit_plan_drafts WHERE id = '17'")


def test_a_body_that_is_too_big(api: Api, behind: Behind) -> None:
    draft_id = behind.drafts.new()
    body = json.dumps({"draftId": draft_id, "userId": "x" * 10_000}).encode()
    assert problem(post(api, draft_id, AUTHOR, body))[:2] == (413, "REQUEST_TOO_LARGE")


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_a_body_that_a_web_page_could_send_for_its_visitor(api: Api, behind: Behind, kind: str) -> None:
    draft_id = behind.drafts.new()
    before = behind.picture(draft_id)
    answer = api.client.post(
        f"/api/plans/{draft_id}/submit",
        content=json.dumps({"draftId": draft_id}),
        headers={"Content-Type": kind, **AUTHOR.headers},
    )
    assert problem(answer)[:2] == (415, "INVALID")
    assert behind.picture(draft_id) == before


@pytest.mark.parametrize("more", [{}, {"draftId": "x"}], ids=["as it was", "half moved"])
@pytest.mark.parametrize("plan", [{}, None, "{}", GOLD * 20], ids=["empty", "null", "text", "large"])
def test_the_body_of_the_service_before_it(api: Api, behind: Behind, plan: object, more: dict[str, str]) -> None:
    draft_id = behind.drafts.new()
    before = behind.picture(draft_id)
    answer = post(api, draft_id, AUTHOR, {"planData": plan, "userId": "author", **more})
    assert problem(answer) == (
        400,
        "INVALID",
        (
            "Send {draftId, userId} instead of {planData, userId}: the plan is read from the draft, so write it there"
            " first. docs/migration.md says how to move."
        ),
    )
    assert behind.picture(draft_id) == before
    assert problem(post(api, draft_id, None, {"planData": plan}))[:2] == (401, "UNAUTHENTICATED")


def test_a_body_that_is_larger_than_any_plan(api: Api, behind: Behind, settings: Settings) -> None:
    body = {"planData": "x" * settings.max_body_bytes, "userId": "author"}
    assert problem(post(api, behind.drafts.new(), AUTHOR, body))[:2] == (413, "REQUEST_TOO_LARGE")


def test_an_unknown_draft(api: Api) -> None:
    assert problem(post(api, "no-such-draft", AUTHOR)) == (404, "NOT_FOUND", "There is no such draft.")


@pytest.mark.parametrize("draft_id", ["with space", "slash/inside", "ünï", "a%2Fb", "100%"])
def test_odd_ids_in_the_path(api: Api, draft_id: str) -> None:
    path = f"/api/plans/{httpx.QueryParams({'': draft_id})}".replace("/=", "/").replace("+", "%20")
    answer = api.client.post(f"{path}/submit", json={"draftId": draft_id}, headers=AUTHOR.headers)
    assert problem(answer)[:2] == (404, "NOT_FOUND")


def test_not_ones_own_draft(api: Api, behind: Behind) -> None:
    draft_id = behind.drafts.new()
    before = behind.picture(draft_id)
    assert problem(post(api, draft_id, STRANGER))[:2] == (404, "NOT_FOUND")
    assert problem(post(api, draft_id, AUDITOR))[:2] == (403, "FORBIDDEN")
    assert problem(post(api, draft_id, AUTHOR, userId="reviewer"))[:2] == (403, "FORBIDDEN")
    assert behind.picture(draft_id) == before


def test_no_plan_that_could_be_published(api: Api, behind: Behind) -> None:
    draft_id = behind.drafts.new(plan="{}")
    assert problem(post(api, draft_id, AUTHOR))[:2] == (422, "INVALID_PLAN")
    assert behind.drafts.row(draft_id)["status"] == "draft"


def test_in_approval_with_other_content(api: Api, behind: Behind) -> None:
    draft_id = behind.drafts.new()
    process_id = submitted(api, draft_id, AUTHOR)
    behind.drafts.edit(draft_id, plan=edited(name="Edited"))
    answer = post(api, draft_id, AUTHOR)
    assert answer.json()["processId"] == process_id
    assert problem(answer)[:2] == (409, "ALREADY_SUBMITTED")


def test_approved_already(api: Api, behind: Behind) -> None:
    draft_id = behind.drafts.new()
    submitted(api, draft_id, AUTHOR)
    approved(api, draft_id, REVIEWER)
    before = behind.picture(draft_id)
    assert problem(post(api, draft_id, AUTHOR))[:2] == (409, "ALREADY_DECIDED")
    assert behind.picture(draft_id) == before


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_other_methods(api: Api, method: str) -> None:
    answer = api.client.request(method, "/api/plans/x/submit", headers=AUTHOR.headers)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize(
    ("setting", "value"),
    [("camunda_url", f"{DEAD}/engine-rest"), ("retool_database_url", "postgresql://127.0.0.1:9/x")],
)
def test_a_system_that_is_away(settings: Settings, behind: Behind, setting: str, value: str) -> None:
    draft_id = behind.drafts.new()
    changed = settings.model_dump() | {setting: value, "retool_timeout": 1}
    with serving(type(settings)(_env_file=None, **changed)) as api:
        status_code, code, _ = problem(post(api, draft_id, AUTHOR))
    assert (status_code, code) in ((503, "UPSTREAM_UNREACHABLE"), (504, "UPSTREAM_TIMEOUT"))
    assert behind.drafts.row(draft_id)["status"] == "draft"
