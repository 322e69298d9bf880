"""Conditional GETs: a polling client that has the answer is told so; answers are one person's, and errors nobody's."""

import hashlib
import json

import httpx
import pytest

from tests.serving import AUTHOR, REVIEWER, Api, Drafts, Someone

RESPONSE_JSON = "application/graphql-response+json"
QUERY = "query Draft($id: ID!) { viewer { id } draft(id: $id) { id name } }"
VARY = "Accept, Authorization, X-API-Key, X-User-Id, X-User-Groups"


def get(api: Api, draft_id: str, someone: Someone = AUTHOR, query: str = QUERY, **headers: str) -> httpx.Response:
    """A GET query. Header names are given with underscores."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    parameters = {"query": query, "variables": json.dumps({"id": draft_id})}
    return api.client.get("/graphql", params=parameters, headers={"Accept": RESPONSE_JSON, **someone.headers, **named})


def test_an_answer_that_did_not_change_is_not_sent_again(api: Api, drafts: Drafts) -> None:
    draft_id = drafts.new("First")
    first = get(api, draft_id)
    told = {"viewer": {"id": "author"}, "draft": {"id": draft_id, "name": "First"}}
    assert (first.status_code, first.json()) == (200, {"data": told})
    assert (first.headers["Cache-Control"], first.headers["Vary"]) == ("private, no-cache", VARY)
    again = get(api, draft_id, If_None_Match=first.headers["ETag"])
    assert (again.status_code, again.content) == (304, b"")
    assert [again.headers[name] for name in ("ETag", "Cache-Control", "Vary")] == [
        first.headers["ETag"],
        "private, no-cache",
        VARY,
    ]
    assert "Content-Type" not in again.headers

    drafts.edit(draft_id, name="Second")
    changed = get(api, draft_id, If_None_Match=first.headers["ETag"])
    assert (changed.status_code, changed.json()["data"]["draft"]["name"]) == (200, "Second")
    assert changed.headers["ETag"] != first.headers["ETag"]


@pytest.mark.parametrize("condition", ["{}", "W/{}", '"another", W/{} , "third"', "*"])
def test_conditions_that_hold(api: Api, drafts: Drafts, condition: str) -> None:
    draft_id = drafts.new()
    condition = condition.format(get(api, draft_id).headers["ETag"])
    assert get(api, draft_id, If_None_Match=condition).status_code == 304


@pytest.mark.parametrize("condition", ['"another"', "", "W/", '"', "*, *", "nonsense", '"a" "b'])
def test_conditions_that_do_not(api: Api, drafts: Drafts, condition: str) -> None:
    assert get(api, drafts.new(), If_None_Match=condition).status_code == 200


def test_an_answer_is_one_persons_and_of_one_media_type(api: Api, drafts: Drafts) -> None:
    draft_id = drafts.new()
    mine = get(api, draft_id).headers["ETag"]
    other = get(api, draft_id, REVIEWER, If_None_Match=mine)
    assert (other.status_code, other.json()["data"]["viewer"]) == (200, {"id": "reviewer"})
    assert get(api, draft_id, If_None_Match=mine, Accept="application/json").status_code == 200


def test_an_operation_named_by_its_hash(api: Api, drafts: Drafts) -> None:
    draft_id = drafts.new()
    named = {"persistedQuery": {"version": 1, "sha256Hash": hashlib.sha256(QUERY.encode()).hexdigest()}}
    parameters = {"extensions": json.dumps(named), "variables": json.dumps({"id": draft_id})}
    registered = api.client.get("/graphql", params={**parameters, "query": QUERY}, headers=AUTHOR.headers)
    headers = {**AUTHOR.headers, "If-None-Match": registered.headers["ETag"]}
    assert api.client.get("/graphql", params=parameters, headers=headers).status_code == 304


def test_errors_and_posts_have_no_etag(api: Api, drafts: Drafts) -> None:
    wrong = "query Wrong($id: ID!) { draft(id: $id) { id } drafts(limit: -1) { totalCount } }"
    draft_id = drafts.new()
    partly = get(api, draft_id, query=wrong, If_None_Match="*")
    assert (partly.status_code, partly.json()["data"]) == (200, {"draft": {"id": draft_id}, "drafts": None})
    for answer in (
        partly,
        get(api, draft_id, query="{", If_None_Match="*"),
        get(api, draft_id, query="{", If_None_Match="*", Accept="application/json"),
        api.client.get("/graphql", params={"query": QUERY}, headers={"X-User-Id": "x" * 500, "If-None-Match": "*"}),
        api.post(QUERY, AUTHOR, id=draft_id),
    ):
        assert answer.status_code in (200, 400, 401)
        assert "ETag" not in answer.headers
        assert answer.headers["Cache-Control"] == "no-store"
