"""Addresses. None but the root redirects: what follows a redirect may send its key where nobody should read it."""

import json
import re
from urllib.parse import urljoin

import pytest

from api import __version__
from api.settings import Settings
from tests.serving import AUTHOR, Api, serving

PATHS = (
    "/graphql",
    "/version",
    "/live",
    "/ready",
    "/metrics",
    "/graphiql",
    "/graphiql/page.js",
    "/api/plans/x/submit",
    "/nowhere",
)
TERMINATED = {"Host": "localhost", "X-Forwarded-Proto": "https", "X-Forwarded-For": "10.0.0.1"}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("end", ["", "/", "//", "%2F", "/?a=b", "/."])
@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "OPTIONS"])
def test_nothing_redirects(api: Api, method: str, path: str, end: str) -> None:
    request = api.client.build_request(method, api.client.base_url.copy_with(raw_path=(path + end).encode()))
    request.headers.update({**TERMINATED, **AUTHOR.headers, "Accept": "*/*"})
    answer = api.client.send(request)
    assert "location" not in answer.headers
    assert not 300 <= answer.status_code < 400
    if end in ("/", "//"):
        assert answer.status_code == 404
        assert method == "HEAD" or answer.json()["detail"].startswith("Not found.")


def test_the_page_names_everything_relatively(settings: Settings) -> None:
    with serving(settings, below="/a/b") as api:
        page = api.client.get("/a/b/graphql", headers={"Accept": "text/html"})
        found = re.search(r'id="configuration">(.*?)</script>', page.text, re.DOTALL)
        assert found is not None
        configuration = json.loads(found[1])
        files = [*re.findall(r'(?:src|href)="([^":]*)"', page.text), *configuration["workers"].values()]
        assert len(files) >= 5
        for name in files:
            assert api.client.get(urljoin("/a/b/graphql", name)).status_code == 200
        assert urljoin("/a/b/graphql", configuration["endpoint"]) == "/a/b/graphql"
        assert api.client.get("/graphql").status_code == 404


@pytest.mark.parametrize("below", ["", "/a/b"])
def test_the_root_leads_browsers_to_graphiql(settings: Settings, below: str) -> None:
    with serving(settings, below=below) as api:
        answer = api.client.get(f"{below}/", headers={"Accept": "text/html,application/xhtml+xml", **TERMINATED})
        assert (answer.status_code, answer.headers["location"]) == (307, "graphql")
        assert api.client.get(urljoin(f"{below}/", "graphql"), headers={"Accept": "text/html"}).status_code == 200


def test_the_root_tells_programs_where_things_are(api: Api, settings: Settings) -> None:
    expected = (
        f"plan-api {__version__}. GraphQL: /graphql. Submit a draft: POST /api/plans/{{id}}/submit."
        " Health: /live, /ready. Version: /version.\n"
    )
    assert api.client.get("/").text == expected
    assert api.client.get("/version").json() == {"version": __version__}
    with serving(settings.model_copy(update={"graphiql": False})) as bare:
        assert bare.client.get("/", headers={"Accept": "text/html"}).text == expected
