"""Requests of any form: bodies, ids, variables, headers and addresses that fit nothing."""

import json
import string
from contextlib import suppress
from typing import Any

import httpx
from hypothesis import strategies as st

from tests.fuzz.conftest import Try, check
from tests.serving import ADMIN, AUTHOR, Api

MANY = """query Many($id: ID!, $ids: [ID!], $text: String, $of: [_Any!]!) {
  draft(id: $id) { id history { kind } } task(id: $id) { id } plan(id: $id) { id }
  one: plan(id: $id, versionId: $id) { id }
  approvalStatus(draftId: $id) { state } drafts(ids: $ids) { items { id } }
  page: drafts(filter: {nameContains: $text, createdBy: $id, aidboxId: $id}, limit: 1) { totalCount items { id } }
  pendingTasks(filter: {step: $text, submittedBy: $id}, limit: 1) { totalCount items { id } }
  _entities(representations: $of) { __typename } }"""
VERBS = """mutation Verbs($id: ID!, $text: String!) {
  submitForApproval(input: {draftId: $id, revision: $text, comment: $text, userId: $id}) { userErrors { code } }
  withdrawSubmission(input: {draftId: $id}) { userErrors { code } }
  retryPublication(input: {draftId: $id}) { userErrors { code } }
  claimTask(input: {taskId: $id}) { userErrors { code } }
  reassignTask(input: {taskId: $id, userId: $text}) { userErrors { code } }
  requestChanges(input: {taskId: $id, comment: $text}) { userErrors { code } }
  rebaseDraft(input: {draftId: $id, revision: $text}) { userErrors { code } }
  createDraftFromPlan(input: {planId: $id, versionId: $id, name: $text, id: $text}) { userErrors { code } } }"""
ODD = st.sampled_from(
    ["", " ", "\x00", "%00", "..", "../../x", "';--", "\\", '"', "*", "?", "$", "\u200b", "\u202e", "é", "ａ", "null"]
)
IDS = st.one_of(ODD, st.text(max_size=40), st.integers().map(str), st.uuids().map(str), st.just("x" * 70_000))
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20)),
    lambda inner: st.one_of(st.lists(inner, max_size=5), st.dictionaries(st.text(max_size=10), inner, max_size=5)),
    max_leaves=20,
)
PARAMETERS = ("query", "variables", "operationName", "extensions", "documentId", "persistedQuery")
TEXTS = st.one_of(
    st.just("{ viewer { id } }"), st.text(max_size=30), st.text('{}()[]:$!@."#|&=,abc 1\\u\n', max_size=60)
)
BODIES = st.one_of(
    JSON,
    st.dictionaries(st.sampled_from(PARAMETERS), st.one_of(JSON, TEXTS), max_size=6),
    st.fixed_dictionaries({"query": TEXTS, "variables": JSON}),
)
KINDS = ["*/*", "application/json;q=1e9", "application/json;charset=utf-16", "text/html", "bearer", "gzip", "null", "*"]
VALUES = st.one_of(
    st.text(string.printable, max_size=40).map(str.strip).map(str.encode),
    st.binary(max_size=30),
    st.sampled_from(KINDS).map(str.encode),
    st.binary(max_size=30),
    st.sampled_from(KINDS).map(str.encode),
)
NAMES = (
    *("Accept", "Content-Type", "X-User-Id", "X-User-Groups", "X-Request-Id", "Authorization", "X-API-Key", "Origin"),
    *("Sec-Fetch-Site", "Accept-Encoding", "If-None-Match", "Content-Encoding", "Accept-Charset", "Cookie"),
)


def test_ids(fuzzed: Api, attempt: Try[Any]) -> None:
    def ask(drawn: tuple[str, str, str]) -> None:
        one, text, kind = drawn
        of = [{"__typename": kind, "id": one, "versionId": one}]
        check(_post(fuzzed, MANY, {"id": one, "ids": [one, text], "text": text, "of": of}))

    attempt(st.tuples(IDS, IDS, st.sampled_from(["Draft", "Task", "PlanVersion"])), ask)


def test_ids_in_mutations(fuzzed: Api, attempt: Try[Any]) -> None:
    attempt(st.tuples(IDS, IDS), lambda drawn: check(_post(fuzzed, VERBS, {"id": drawn[0], "text": drawn[1]})))


def _post(api: Api, query: str, variables: dict[str, object]) -> httpx.Response:
    body = json.dumps({"query": query, "variables": variables})  # escapes, so that lone surrogates can be sent
    headers = {"Content-Type": "application/json", "Accept": "application/graphql-response+json", **ADMIN.headers}
    return api.client.post("/graphql", content=body, headers=headers)


def test_bodies(fuzzed: Api, attempt: Try[Any]) -> None:
    sent = {"Content-Type": "application/json", **AUTHOR.headers}
    attempt(BODIES, lambda body: check(fuzzed.client.post("/graphql", content=json.dumps(body), headers=sent)))


def test_bytes(fuzzed: Api, attempt: Try[Any]) -> None:
    sent = {"Content-Type": "application/json", **AUTHOR.headers}
    attempt(st.binary(max_size=200), lambda body: check(fuzzed.client.post("/graphql", content=body, headers=sent)))


def test_addresses(fuzzed: Api, attempt: Try[Any]) -> None:
    parameters = st.dictionaries(st.sampled_from(PARAMETERS), st.one_of(TEXTS, JSON.map(json.dumps)), max_size=4)
    sent = {"Accept": "application/json", **AUTHOR.headers}
    attempt(parameters, lambda given: check(fuzzed.client.get("/graphql", params=given, headers=sent)))


def test_headers(fuzzed: Api, attempt: Try[Any]) -> None:
    """Answers may be HTML, for who asks for it, or refusals of the server itself for what is no header."""

    def ask(headers: dict[str, bytes]) -> None:
        given = [(name.encode(), value) for name, value in headers.items()]
        address, body = "/graphql?query={viewer{id}}", b'{"query": "{viewer{id}}"}'
        for method in ("GET", "POST"):
            with suppress(httpx.LocalProtocolError):  # what httpx itself does not send
                response = fuzzed.client.request(method, address, content=body, headers=given)
                assert response.status_code < 500, response.text
                if "json" in response.headers.get("Content-Type", ""):
                    check(response)

    attempt(st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=6), ask)


def test_the_rest_route(fuzzed: Api, attempt: Try[Any]) -> None:
    def ask(drawn: tuple[str, Any]) -> None:
        draft_id, body = drawn
        address = httpx.URL(str(fuzzed.client.base_url)).copy_with(
            raw_path=b"/api/plans/" + _quoted(draft_id) + b"/submit"
        )
        sent = {"Content-Type": "application/json", **AUTHOR.headers}
        response = fuzzed.client.post(address, content=json.dumps(body), headers=sent)
        assert response.status_code < 500
        assert response.json()["code"]

    ids = IDS.filter(lambda one: len(one) < 1_000)
    attempt(st.tuples(ids, st.one_of(JSON, st.fixed_dictionaries({"draftId": ids}))), ask)


def _quoted(text: str) -> bytes:
    return "".join(f"%{byte:02X}" for byte in text.encode("utf-8", "surrogatepass")).encode()
