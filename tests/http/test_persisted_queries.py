"""Operations by name: trusted ones from a folder or a manifest, nothing but these where that is wanted, and APQ."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.app import build_app
from api.errors import Misconfigured
from api.settings import Settings
from tests.serving import AUTHOR, Api, serving

WHO = "query Who { viewer { id } }"
GROUPS = "query Groups { viewer { groups } }"
ANSWERS = {WHO: {"viewer": {"id": "author"}}, GROUPS: {"viewer": {"groups": []}}}


def hash_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def by_hash(text: str, digest: str | None = None) -> dict[str, Any]:
    """Apollo's extension for a text."""
    return {"persistedQuery": {"version": 1, "sha256Hash": digest or hash_of(text)}}


def sent(api: Api, **body: object) -> httpx.Response:
    return api.client.post("/graphql", json=body, headers=AUTHOR.headers)


def code_of(response: httpx.Response) -> str | None:
    errors = response.json().get("errors")
    return errors[0]["extensions"]["code"] if errors else None


FILES: dict[str, object] = {
    "apollo.json": {
        "format": "apollo-persisted-query-manifest",
        "version": 1,
        "operations": [{"id": "who", "name": "Who", "type": "query", "body": WHO}],
    },
    "relay.json": {"who": WHO},
}


def trusted_at(folder: Path, kind: str) -> Path:
    """WHO under the id `who`, in one of the three ways."""
    if kind == "folder":
        (folder / "who.graphql").write_text(WHO, "utf-8")
        return folder
    (folder / kind).write_text(json.dumps(FILES[kind]), "utf-8")
    return folder / kind


@pytest.fixture(scope="module", params=["folder", *FILES])
def only(request: pytest.FixtureRequest, settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """The API that executes nothing but WHO."""
    where = trusted_at(tmp_path_factory.mktemp("operations"), request.param)
    with serving(settings.model_copy(update={"persisted_operations": where, "persisted_only": True})) as api:
        yield api


def test_a_trusted_operation_has_several_names(only: Api) -> None:
    for body in (
        {"documentId": "who"},
        {"documentId": f"sha256:{hash_of(WHO)}"},
        {"extensions": by_hash(WHO)},
        {"query": WHO},
        {"query": WHO, "extensions": by_hash(WHO)},
    ):
        assert sent(only, **body).json() == {"data": ANSWERS[WHO]}
    got = only.client.get("/graphql", params={"documentId": "who"}, headers=AUTHOR.headers)
    assert got.json() == {"data": ANSWERS[WHO]}


def test_nothing_else_is_executed(only: Api) -> None:
    for query in (GROUPS, WHO + " ", "{ __schema { queryType { name } } }", "{"):
        assert (sent(only, query=query).status_code, code_of(sent(only, query=query))) == (
            400,
            "PERSISTED_QUERY_REQUIRED",
        )
    registering = sent(only, query=GROUPS, extensions=by_hash(GROUPS))
    assert code_of(registering) == "PERSISTED_QUERY_REQUIRED"
    assert code_of(sent(only, extensions=by_hash(GROUPS))) == "PERSISTED_QUERY_NOT_FOUND"
    assert code_of(sent(only, documentId="nobody")) == "PERSISTED_QUERY_NOT_FOUND"
    assert code_of(sent(only, documentId="who", query=GROUPS)) == "BAD_REQUEST"


def test_trusted_beside_others(settings: Settings, tmp_path: Path) -> None:
    with serving(settings.model_copy(update={"persisted_operations": trusted_at(tmp_path, "folder")})) as api:
        assert sent(api, documentId="who").json() == {"data": ANSWERS[WHO]}
        assert sent(api, query=GROUPS).json() == {"data": ANSWERS[GROUPS]}


@pytest.mark.parametrize("content", ["{", "[]", '{"who": 7}', '{"who": "{"}', '{"who": "{ nobody }"}'])
def test_a_manifest_that_is_none_stops_the_start(settings: Settings, tmp_path: Path, content: str) -> None:
    where = tmp_path / "operations.json"
    where.write_text(content, "utf-8")
    with pytest.raises(Misconfigured, match="PERSISTED_OPERATIONS"):
        build_app(settings.model_copy(update={"persisted_operations": where}))


# APQ


def test_a_client_registers_by_hash(settings: Settings) -> None:
    with serving(settings) as api:
        missing = sent(api, extensions=by_hash(WHO))
        assert (missing.status_code, missing.json()["errors"][0]["message"]) == (200, "PersistedQueryNotFound")
        assert code_of(missing) == "PERSISTED_QUERY_NOT_FOUND"
        assert sent(api, query=WHO, extensions=by_hash(WHO)).json() == {"data": ANSWERS[WHO]}
        assert sent(api, extensions=by_hash(WHO, hash_of(WHO).upper())).json() == {"data": ANSWERS[WHO]}
        params = {"extensions": json.dumps(by_hash(WHO))}
        assert api.client.get("/graphql", params=params, headers=AUTHOR.headers).json() == {"data": ANSWERS[WHO]}


def test_a_hash_of_something_else_registers_nothing(settings: Settings) -> None:
    with serving(settings) as api:
        wrong = sent(api, query=GROUPS, extensions=by_hash(WHO))
        assert (wrong.status_code, code_of(wrong)) == (400, "PERSISTED_QUERY_HASH_MISMATCH")
        assert code_of(sent(api, extensions=by_hash(WHO))) == "PERSISTED_QUERY_NOT_FOUND"


@pytest.mark.parametrize("named", [7, [], {}, {"version": 2, "sha256Hash": "x"}, {"version": 1, "sha256Hash": 7}, "x"])
def test_a_name_that_is_none(api: Api, named: object) -> None:
    response = sent(api, query=WHO, extensions={"persistedQuery": named})
    assert (response.status_code, code_of(response)) == (400, "BAD_REQUEST")


def test_no_room(settings: Settings) -> None:
    with serving(settings.model_copy(update={"registered_queries_bytes": 0})) as api:
        told = sent(api, extensions=by_hash(WHO))
        assert told.json()["errors"][0]["message"] == "PersistedQueryNotSupported"
        assert sent(api, query=WHO, extensions=by_hash(WHO)).json() == {"data": ANSWERS[WHO]}
        assert code_of(sent(api, extensions=by_hash(WHO))) == "PERSISTED_QUERY_NOT_SUPPORTED"


def test_registered_queries_have_bounded_room(settings: Settings) -> None:
    """Each may have a tenth of it; the last ten are kept."""
    with serving(settings.model_copy(update={"registered_queries_bytes": 300})) as api:
        texts = [f"query Who{number} {{ viewer {{ id }} }}" for number in range(10, 30)]
        for text in texts:
            assert len(text) == 29
            assert sent(api, query=text, extensions=by_hash(text)).json() == {"data": ANSWERS[WHO]}
        known = [code_of(sent(api, extensions=by_hash(text))) is None for text in texts]
        assert known == [False] * 10 + [True] * 10
        large = "query LargerThanATenth { viewer { id groups } }"
        assert sent(api, query=large, extensions=by_hash(large)).status_code == 200
        assert code_of(sent(api, extensions=by_hash(large))) == "PERSISTED_QUERY_NOT_FOUND"
