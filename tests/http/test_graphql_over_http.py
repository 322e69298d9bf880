"""GraphQL over HTTP: statuses, headers and bodies of what is well asked, badly asked and not asked at all."""

import gzip
import json
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from api.settings import Settings
from tests.serving import AUTHOR, Api, Drafts, serving
from tests.wiretap import failing, tapped

JSON = "application/json"
RESPONSE_JSON = "application/graphql-response+json"
VIEWER = {"data": {"viewer": {"id": "author"}}}
QUERY = "{ viewer { id } }"


def post(api: Api, content: bytes | str, **headers: str) -> httpx.Response:
    """POST a body as it is. Header names are given with underscores."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return api.client.post("/graphql", content=content, headers={"Content-Type": JSON, **AUTHOR.headers, **named})


def get(api: Api, params: dict[str, str], **headers: str) -> httpx.Response:
    return api.client.get("/graphql", params=params, headers={"Accept": RESPONSE_JSON, **AUTHOR.headers, **headers})


def code_of(response: httpx.Response) -> str:
    (error,) = response.json()["errors"]
    assert error["extensions"]["requestId"] == response.headers["X-Request-Id"]
    return str(error["extensions"]["code"])


@pytest.mark.parametrize("accept", [JSON, RESPONSE_JSON])
def test_an_answer_has_the_type_that_was_asked_for(api: Api, accept: str) -> None:
    response = post(api, json.dumps({"query": QUERY}), Accept=accept)
    assert (response.status_code, response.json()) == (200, VIEWER)
    assert response.headers["Content-Type"] == f"{accept}; charset=utf-8"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Cache-Control"] == "no-store"


# what is sent → status under response+json, status under json, code
UNEXECUTED = {
    "a syntax error": ({"query": "{"}, 400, 200, "GRAPHQL_PARSE_FAILED"),
    "an unknown field": ({"query": "{ nobody }"}, 400, 200, "GRAPHQL_VALIDATION_FAILED"),
    "an unknown operation": ({"query": QUERY, "operationName": "X"}, 400, 200, "GRAPHQL_VALIDATION_FAILED"),
    "a variable too few": (
        {"query": "query Q($i: ID!) { draft(id: $i) { id } }"}, 400, 200, "GRAPHQL_VALIDATION_FAILED",
    ),
    "a subscription": ({"query": "subscription { viewer { id } }"}, 400, 400, "BAD_REQUEST"),
    "no query": ({}, 400, 400, "BAD_REQUEST"),
    "an empty query": ({"query": ""}, 400, 400, "BAD_REQUEST"),
    "query null": ({"query": None}, 400, 400, "BAD_REQUEST"),
    "query 7": ({"query": 7}, 400, 400, "BAD_REQUEST"),
    "variables a list": ({"query": QUERY, "variables": []}, 400, 400, "BAD_REQUEST"),
    "variables a text": ({"query": QUERY, "variables": "{}"}, 400, 400, "BAD_REQUEST"),
    "operationName 7": ({"query": QUERY, "operationName": 7}, 400, 400, "BAD_REQUEST"),
    "extensions a text": ({"query": QUERY, "extensions": "x"}, 400, 400, "BAD_REQUEST"),
}  # fmt: skip


@pytest.mark.parametrize("name", UNEXECUTED)
def test_what_is_not_executed_has_no_data(api: Api, name: str) -> None:
    body, status, status_of_old, code = UNEXECUTED[name]
    for accept, expected in ((RESPONSE_JSON, status), (JSON, status_of_old)):
        response = post(api, json.dumps(body), Accept=accept)
        assert (response.status_code, code_of(response)) == (expected, code)
        assert set(response.json()) == {"errors"}
        assert response.headers["Content-Type"] == f"{accept}; charset=utf-8"


@pytest.mark.parametrize(
    "body",
    [
        "null", "7", '"x"', "", " ", "{", "{]", "nonsense", "true",
        '{"query": "{ viewer { id } }"} trailing', '{"query": "{ viewer { id } }", "variables": NaN}',
        '{"query": "{ viewer { id } }", "variables": {"a": Infinity}}',
        '{"query": "{ viewer { id } }", "variables": {"a": 1e999999}}',
        '{"query": "{ viewer { id } }", "variables": {"a": ' + "9" * 5000 + "}}",
        '{"query": "{ viewer { id } }", "variables": {"a": -Infinity}}',
        b'{"query": "{ viewer { id } } # \xff"}', "\ufeff{}".encode(),
        '{"query": "{ viewer { id } }"}'.encode("utf-16"),
        '{"query": "{ viewer { id } }", "variables": ' + '{"a":' * 100_000 + "1" + "}" * 100_000 + "}",
        '{"query": "{ viewer { id } }", "variables": {"a": ' + "[" * 100_000 + "]" * 100_000 + "}}",
    ],
)  # fmt: skip
def test_a_body_that_is_no_request_is_400(api: Api, body: str | bytes) -> None:
    response = post(api, body, Accept=RESPONSE_JSON)
    assert (response.status_code, code_of(response)) == (400, "BAD_REQUEST")
    assert len(response.content) < 1000


@pytest.mark.parametrize(
    "extra",
    [
        '"variables": null', '"variables": {}', '"operationName": null', '"operationName": ""', '"extensions": null',
        '"extensions": {"a": 1}', '"unknown": 1',
    ],
)  # fmt: skip
def test_what_does_not_matter_does_not_hurt(api: Api, extra: str) -> None:
    response = post(api, f'{{"query": "{QUERY}", {extra}}}')
    assert (response.status_code, response.json()) == (200, VIEWER)


@pytest.mark.parametrize(
    "query",
    [
        "{ viewer " * 2000 + "{ id }" + "}" * 2000,
        "{ drafts(filter: {status: " + "[" * 2000 + "]" * 2000 + "}) { totalCount } }",
        "query Q($a: " + "[" * 2000 + "ID" + "]" * 2000 + ") { viewer { id } }",
        "{ " + "viewer { id } " * 2000 + "}",
        "{ task(id: 1) { draft " + "{ currentPlan { draft " * 10 + "{ id }" + "}}" * 10 + "} }",
        "fragment A on Query { ...A } { ...A }",
        "{ ...B } fragment A on Query { ...B } fragment B on Query { ...A }",
    ],
    ids=["fields", "a list", "a type", "too many words", "too deep", "a circle", "a wider circle"],
)  # fmt: skip
def test_a_query_that_is_too_much_is_refused(api: Api, query: str) -> None:
    response = post(api, json.dumps({"query": query}), Accept=RESPONSE_JSON)
    assert response.status_code == 400
    codes = {error["extensions"]["code"] for error in response.json()["errors"]}
    assert codes <= {"QUERY_TOO_DEEP", "TOO_MANY_TOKENS", "GRAPHQL_VALIDATION_FAILED"}
    assert len(response.content) < 100_000


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"])
def test_another_method_is_405_and_told_which_are_right(api: Api, method: str) -> None:
    response = api.client.request(method, "/graphql", headers={"Accept": RESPONSE_JSON, **AUTHOR.headers})
    assert (response.status_code, response.headers["Allow"]) == (405, "GET, POST")


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/graphql", "multipart/form-data; boundary=x", "", "nonsense"]
)
def test_another_kind_of_body_is_415(api: Api, kind: str) -> None:
    response = post(api, json.dumps({"query": QUERY}), Content_Type=kind)
    assert (response.status_code, code_of(response)) == (415, "BAD_REQUEST")


def test_a_compressed_body_is_415(api: Api) -> None:
    response = post(api, gzip.compress(json.dumps({"query": QUERY}).encode()), Content_Encoding="gzip")
    assert (response.status_code, code_of(response)) == (415, "BAD_REQUEST")
    assert response.headers["Accept-Encoding"] == "identity"


def chunks(count: int) -> Iterator[bytes]:
    yield b'{"query": "' + QUERY.encode() + b'"'
    for _ in range(count):
        yield b" " * 1000
    yield b"}"


def test_a_body_that_is_too_big_is_413_however_it_comes(api: Api) -> None:
    headers = {"Content-Type": JSON, **AUTHOR.headers}
    whole = api.client.post("/graphql", content=b"".join(chunks(1001)), headers=headers)
    chunked = api.client.post("/graphql", content=chunks(1001), headers=headers)
    for response in (whole, chunked):
        assert (response.status_code, code_of(response)) == (413, "REQUEST_TOO_LARGE")
    fitting = api.client.post("/graphql", content=chunks(900), headers=headers)
    assert (fitting.status_code, fitting.json()) == (200, VIEWER)


def test_a_get_asks_a_query(api: Api) -> None:
    query = "query A($id: ID!) { draft(id: $id) { id } } query B { viewer { id } }"
    params = {"query": query, "operationName": "A", "variables": '{"id": "no-such-draft"}'}
    assert get(api, params).json() == {"data": {"draft": None}}
    assert get(api, {**params, "operationName": "B", "variables": ""}).json() == VIEWER


def test_empty_parameters_of_a_get_are_absent(api: Api) -> None:
    params = {"query": QUERY, "operationName": "", "variables": "", "extensions": ""}
    response = get(api, params)
    assert (response.status_code, response.json()) == (200, VIEWER)


@pytest.mark.parametrize(
    "params",
    [{}, {"query": ""}, {"query": QUERY, "variables": "nonsense"}, {"query": QUERY, "variables": "[]"},
     {"query": QUERY, "variables": "null null"}, {"variables": "{}"}],
)  # fmt: skip
def test_a_get_that_is_no_request_is_400(api: Api, params: dict[str, str]) -> None:
    response = get(api, params)
    assert (response.status_code, code_of(response)) == (400, "BAD_REQUEST")


def test_a_get_changes_nothing(api: Api, drafts: Drafts) -> None:
    draft_id = drafts.new()
    before = drafts.row(draft_id)
    mutation = f'mutation M {{ submitForApproval(input: {{draftId: "{draft_id}"}}) {{ processId }} }}'
    for params in (
        {"query": mutation},
        {"query": f"query Q {{ viewer {{ id }} }} {mutation}", "operationName": "M"},
    ):
        for accept in (RESPONSE_JSON, JSON):
            response = get(api, params, Accept=accept)
            assert (response.status_code, response.headers["Allow"], code_of(response)) == (405, "POST", "BAD_REQUEST")
    assert drafts.row(draft_id) == before


def test_an_unknown_field_named_mutation_is_no_mutation(api: Api) -> None:
    response = get(api, {"query": "{ mutation }"})
    assert (response.status_code, code_of(response)) == (400, "GRAPHQL_VALIDATION_FAILED")


def test_several_operations_need_a_name(api: Api) -> None:
    response = post(
        api, json.dumps({"query": "query A { viewer { id } } query B { viewer { id } }"}), Accept=RESPONSE_JSON
    )
    assert (response.status_code, code_of(response)) == (400, "GRAPHQL_VALIDATION_FAILED")


@pytest.mark.parametrize("accept", ["text/plain", "application/json;q=0", "image/*"])
def test_nothing_we_have_is_406(api: Api, accept: str) -> None:
    response = post(api, json.dumps({"query": QUERY}), Accept=accept)
    assert (response.status_code, code_of(response)) == (406, "BAD_REQUEST")
    assert response.headers["Content-Type"].startswith(JSON)


def test_a_browser_gets_the_page_and_a_program_the_answer(api: Api) -> None:
    browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
    page = api.client.get("/graphql", headers={"Accept": browser})
    assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "graphiql" in page.text.lower()
    assert get(api, {"query": QUERY}, Accept="*/*").json() == VIEWER


@pytest.mark.parametrize("body", ["", "nonsense", "[" * 100_000, json.dumps({"query": QUERY}), "x" * 50_000])
def test_nobody_is_401_whatever_is_sent(api: Api, body: str) -> None:
    response = api.client.post("/graphql", content=body, headers={"Content-Type": JSON})
    assert (response.status_code, code_of(response)) == (401, "UNAUTHENTICATED")
    assert response.headers["WWW-Authenticate"].startswith("Bearer")
    old = api.client.post("/api/plans/x/submit", content=body)
    assert (old.status_code, old.json()["code"]) == (401, "UNAUTHENTICATED")
    assert old.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("user_id", ["", "x" * 256, "a\tb"])
def test_a_name_that_is_none_is_401(api: Api, user_id: str) -> None:
    response = post(api, json.dumps({"query": QUERY}), X_User_Id=user_id)
    assert (response.status_code, code_of(response)) == (401, "UNAUTHENTICATED")


@pytest.mark.parametrize("path", ["/graphql", "/live", "/ready", "/nowhere", "/api/plans/x/submit"])
def test_every_answer_names_its_request(api: Api, path: str) -> None:
    mine = uuid.uuid4().hex
    assert api.client.get(path, headers={"X-Request-Id": mine}).headers["X-Request-Id"] == mine
    first, second = (api.client.get(path).headers["X-Request-Id"] for _ in range(2))
    assert first != second


@pytest.mark.parametrize("odd", ["", "a b", "x" * 65, "<script>", "a;b", "ü"])
def test_a_request_id_that_could_do_harm_is_replaced(api: Api, odd: str) -> None:
    response = api.client.get("/live", headers=[(b"X-Request-Id", odd.encode())])
    assert response.headers["X-Request-Id"] != odd
    assert len(response.headers["X-Request-Id"]) == 32


def test_a_path_that_is_none_is_a_problem_in_json(api: Api) -> None:
    response = api.client.get("/nowhere")
    assert (response.status_code, response.json()["code"]) == (404, "NOT_FOUND")


BROKEN_STORE = tapped(failing(lambda request: ZeroDivisionError(f"secret of {request}")), system="aidbox")


def test_what_nobody_expected_is_masked_and_logged(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    query = '{ viewer { id } plan(id: "some-plan") { id } }'
    with serving(settings, transports=BROKEN_STORE) as api:
        response = api.post(query, AUTHOR)
    body: dict[str, Any] = response.json()
    assert (response.status_code, body["data"]) == (200, {"viewer": {"id": "author"}, "plan": None})
    assert code_of(response) == "INTERNAL_ERROR"
    assert "secret" not in response.text
    (record,) = [record for record in caplog.records if record.getMessage() == "unexpected error"]
    assert record.exc_info
    assert record.exc_info[0] is ZeroDivisionError


def test_what_nobody_expected_outside_of_graphql_is_masked_too(
    settings: Settings, drafts: Drafts, caplog: pytest.LogCaptureFixture
) -> None:
    draft_id = drafts.new(aidbox_id="some-plan")
    before = drafts.row(draft_id)
    with serving(settings, transports=BROKEN_STORE) as api:
        response = api.client.post(
            f"/api/plans/{draft_id}/submit",
            json={"draftId": draft_id},
            headers={"X-Request-Id": "mine", **AUTHOR.headers},
        )
    assert (response.status_code, code_of(response)) == (500, "INTERNAL_ERROR")
    assert response.headers["X-Request-Id"] == "mine"
    assert "secret" not in response.text
    assert any(record.exc_info and record.exc_info[0] is ZeroDivisionError for record in caplog.records)
    assert drafts.row(draft_id) == before
