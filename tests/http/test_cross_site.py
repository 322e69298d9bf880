"""What pages of other sites can do with a visitor's browser: nothing, unless their origin is named."""

import json
from collections.abc import Iterator
from urllib.parse import quote

import httpx
import pytest

from api.settings import Settings
from tests.serving import AUTHOR, Api, Drafts, serving

EVIL, APP = "https://evil.example", "https://app.example.com"
QUERY = "{ viewer { id } }"
ASKED = f"/graphql?query={quote(QUERY)}"
CROSS = {"Sec-Fetch-Site": "cross-site"}
PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type,authorization"}
FORMS = (
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "text/plain",
    "text/plain; charset=utf-8",
)


@pytest.fixture(scope="module")
def named(settings: Settings) -> Iterator[Api]:
    """The API that lets pages of APP read it."""
    with serving(settings.model_copy(update={"cors_origins": frozenset({APP})})) as api:
        yield api


def of_cors(response: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in response.headers.items() if name.startswith("access-control-")}


def refused(response: httpx.Response) -> bool:
    return response.status_code == 403 and response.json()["errors"][0]["extensions"]["code"] == "CROSS_SITE_REFUSED"


# Reading from another site


@pytest.mark.parametrize("origin", [EVIL, "null", "http://localhost:3000", APP])
def test_no_origin_is_named_by_itself(api: Api, origin: str) -> None:
    answered = api.client.post("/graphql", json={"query": QUERY}, headers={**AUTHOR.headers, "Origin": origin})
    asked_first = api.client.options("/graphql", headers={"Origin": origin, **PREFLIGHT})
    assert of_cors(answered) == of_cors(asked_first) == {}
    assert asked_first.status_code in (403, 405)


def test_a_named_origin_may_read(named: Api) -> None:
    asked_first = named.client.options("/graphql", headers={"Origin": APP, **PREFLIGHT})
    assert (asked_first.status_code, asked_first.headers["Access-Control-Allow-Origin"]) == (200, APP)
    assert "access-control-allow-credentials" not in asked_first.headers
    answered = named.client.post("/graphql", json={"query": QUERY}, headers={**AUTHOR.headers, "Origin": APP, **CROSS})
    assert (answered.status_code, answered.headers["Access-Control-Allow-Origin"]) == (200, APP)
    assert "Origin" in answered.headers["Vary"]


@pytest.mark.parametrize(
    "origin", [EVIL, APP + ".evil.example", APP.upper(), "http://app.example.com", APP + ":444", "null"]
)
def test_another_origin_may_not(named: Api, origin: str) -> None:
    asked_first = named.client.options("/graphql", headers={"Origin": origin, **PREFLIGHT})
    assert (asked_first.status_code, asked_first.headers.get("Access-Control-Allow-Origin")) == (400, None)
    answered = named.client.post("/graphql", json={"query": QUERY}, headers={**AUTHOR.headers, "Origin": origin})
    assert "access-control-allow-origin" not in answered.headers


# Acting from another site


@pytest.mark.parametrize("kind", FORMS)
@pytest.mark.parametrize("marks", [CROSS, {"Sec-Fetch-Site": "same-site"}, {"Origin": EVIL}, {"Origin": "null"}])
def test_a_form_can_do_nothing(api: Api, drafts: Drafts, kind: str, marks: dict[str, str]) -> None:
    draft_id = drafts.new()
    before = drafts.row(draft_id)
    mutation = f'mutation {{ submitForApproval(input: {{draftId: "{draft_id}"}}) {{ status }} }}'
    bodies = (json.dumps({"query": mutation}), f"query={quote(mutation)}")
    for body in bodies:
        sent = {**AUTHOR.headers, "Content-Type": kind, **marks}
        assert refused(api.client.post("/graphql", content=body, headers=sent))
        address = f"/api/plans/{draft_id}/submit"
        rest = api.client.post(address, content=json.dumps({"draftId": draft_id}), headers=sent)
        assert rest.status_code == 415
    assert refused(api.client.get(f"/graphql?query={quote(mutation)}", headers={**AUTHOR.headers, **marks}))
    assert drafts.row(draft_id) == before


@pytest.mark.parametrize("marks", [CROSS, {"Origin": EVIL}, {"Sec-Fetch-Site": "same-site"}])
def test_a_link_or_an_image_asks_nothing(api: Api, marks: dict[str, str]) -> None:
    assert refused(api.client.get(ASKED, headers={**AUTHOR.headers, "Accept": "*/*", **marks}))


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"Accept": "application/graphql-response+json, application/graphql+json, application/json, */*"},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {**CROSS, "Apollo-Require-Preflight": "true"},
        {**CROSS, "X-Apollo-Operation-Name": "Q"},
        {**CROSS, "Content-Type": "application/json"},
    ],
)
def test_plain_get_clients_go_on_working(api: Api, sent: dict[str, str]) -> None:
    """Programs say nothing of sites; pages of ours say so; others had to ask first."""
    answer = api.client.get(ASKED, headers={**AUTHOR.headers, **sent})
    assert (answer.status_code, answer.json()) == (200, {"data": {"viewer": {"id": "author"}}})


# What every answer says


@pytest.mark.parametrize(
    "path", ["/graphql", ASKED, "/live", "/ready", "/nowhere", "/api/plans/x/submit", "/graphiql/x.js"]
)
def test_every_answer_can_not_be_framed_guessed_or_traced_to_a_server(api: Api, path: str) -> None:
    for method in ("GET", "POST", "TRACE"):
        headers = api.client.request(method, path, headers=AUTHOR.headers).headers
        assert "server" not in headers
        assert "x-powered-by" not in headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize(("method", "path"), [("TRACE", "/graphql"), ("GET", "/api/plans/x/submit"), ("POST", "/live")])
def test_a_method_that_is_none_is_told_in_json(api: Api, method: str, path: str) -> None:
    response = api.client.request(method, path, headers=AUTHOR.headers)
    assert response.status_code == 405
    assert response.headers["Allow"]
    assert "json" in response.headers["Content-Type"]


def test_the_page_may_be_switched_off(settings: Settings, api: Api) -> None:
    html = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8", **AUTHOR.headers}
    assert api.client.get("/graphql", headers=html).headers["Content-Type"].startswith("text/html")
    with serving(settings.model_copy(update={"graphiql": False})) as off:
        page = off.client.get("/graphql", headers=html)
        assert (page.status_code, page.headers["Content-Type"]) == (400, "application/json; charset=utf-8")
        assert off.client.get("/graphiql/x.js", headers=html).json()["code"] == "NOT_FOUND"
        answer = off.client.get(ASKED, headers=html)
        assert answer.json() == {"data": {"viewer": {"id": "author"}}}
