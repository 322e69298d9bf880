"""The FHIR store: versions, conditional writes, searches, batches, digits."""

import json
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from time import sleep
from typing import Any

import httpx
import pytest

from fhir_client.server import NO_VERSION
from plandiff.plan_document import PROCESS_TAG, plan_id_for
from tests.serving import GOLD

FHIR = {"Content-Type": "application/fhir+json"}
STALE = (409, 412)  # HAPI says the one, Aidbox the other
UNFIT = (400, 422)


def plan(plan_id: str, name: str = "A plan", **fields: object) -> dict[str, Any]:
    return {"resourceType": "InsurancePlan", "id": plan_id, "status": "draft", "name": name, **fields}


def put(store: httpx.Client, resource: dict[str, Any], version: str | None = None) -> httpx.Response:
    """Write as this service does."""
    headers = FHIR if version is None else {**FHIR, "If-Match": f'W/"{version}"'}
    return store.put(f"/InsurancePlan/{resource['id']}", content=json.dumps(resource), headers=headers)


def written(store: httpx.Client, resource: dict[str, Any], version: str | None = None) -> str:
    """Write what must be taken; the version it became."""
    answer = put(store, resource, version)
    assert answer.status_code in (200, 201), answer.text
    became: str = answer.json()["meta"]["versionId"]
    return became


def batch(store: httpx.Client, *urls: str) -> list[dict[str, Any]]:
    """The entries of a batch of reads."""
    entries = [{"request": {"method": "GET", "url": url}} for url in urls]
    bundle = {"resourceType": "Bundle", "type": "batch", "entry": entries}
    answer = store.post("", content=json.dumps(bundle), headers=FHIR)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["entry"])


def status_of(entry: dict[str, Any]) -> str:
    """Of an entry of a batch's answer. Aidbox's have no `response` where they succeeded."""
    status: str = entry.get("response", {"status": "200"})["status"]
    return status[:3]


def search(store: httpx.Client, ids: list[str], caching: str, **more: str) -> dict[str, Any]:
    form = {"_id": ",".join(ids), "_count": str(len(ids)), **more}
    answer = store.post("/InsurancePlan/_search", data=form, headers={"Cache-Control": caching})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def ids_in(bundle: dict[str, Any]) -> list[str]:
    return [entry["resource"]["id"] for entry in bundle.get("entry", [])]


@pytest.fixture
def plan_id() -> str:
    return str(uuid.uuid4())


def test_a_plan_is_created_under_our_id(store: httpx.Client, plan_id: str) -> None:
    answer = put(store, plan(plan_id))
    assert answer.status_code == 201
    assert answer.json()["id"] == plan_id
    assert answer.json()["meta"]["lastUpdated"][-6:] == "+00:00" or answer.json()["meta"]["lastUpdated"][-1] == "Z"
    assert store.get(f"/InsurancePlan/{plan_id}").json()["name"] == "A plan"


@pytest.mark.parametrize("draft_id", ["1234567890123456789", "Plan/2027 Ä", "x" * 255, "a_b"])
def test_every_id_we_make_is_taken(draft_id: str, store: httpx.Client) -> None:
    plan_id = plan_id_for(f"{draft_id}{uuid.uuid4().int}")
    assert put(store, plan(plan_id)).status_code == 201


def test_what_is_missing_is_404(store: httpx.Client, plan_id: str) -> None:
    assert store.get(f"/InsurancePlan/{plan_id}").status_code == 404
    version = written(store, plan(plan_id))
    assert store.get(f"/InsurancePlan/{plan_id}/_history/{version}").status_code == 200
    assert store.get(f"/InsurancePlan/{plan_id}/_history/987654321").status_code == 404


def test_a_deleted_plan_is_gone_and_can_be_written_again(store: httpx.Client, plan_id: str) -> None:
    first = written(store, plan(plan_id))
    store.delete(f"/InsurancePlan/{plan_id}").raise_for_status()
    assert store.get(f"/InsurancePlan/{plan_id}").status_code in (404, 410)
    assert store.get(f"/InsurancePlan/{plan_id}/_history/{first}").json()["name"] == "A plan"
    assert written(store, plan(plan_id)) != first


def test_versions_are_strings_that_stay_readable(store: httpx.Client, plan_id: str) -> None:
    first = written(store, plan(plan_id, "One"))
    second = written(store, plan(plan_id, "Two"), first)
    assert isinstance(first, str)
    assert first != second
    for version, name in ((first, "One"), (second, "Two")):
        found = store.get(f"/InsurancePlan/{plan_id}/_history/{version}").json()
        assert (found["name"], found["meta"]["versionId"]) == (name, version)


def test_a_stale_write_is_refused(store: httpx.Client, plan_id: str) -> None:
    first = written(store, plan(plan_id, "One"))
    second = written(store, plan(plan_id, "Two"), first)
    assert put(store, plan(plan_id, "Three"), first).status_code in STALE
    now = store.get(f"/InsurancePlan/{plan_id}").json()
    assert (now["name"], now["meta"]["versionId"]) == ("Two", second)


def test_a_first_write_is_refused_where_a_plan_is(store: httpx.Client, plan_id: str) -> None:
    """On a version that no plan has: HAPI takes it where nothing is; a store that does not is asked without."""

    def write(number: int) -> int:
        return put(store, plan(plan_id, f"Writer {number}"), NO_VERSION).status_code

    with ThreadPoolExecutor(6) as pool:
        statuses = sorted(pool.map(write, range(6)))
    assert statuses[0] in (201, *STALE)
    assert set(statuses[1:]) <= set(STALE)
    assert store.get(f"/InsurancePlan/{plan_id}").status_code == (200 if statuses[0] == 201 else 404)


def test_of_many_writes_on_one_version_one_wins(store: httpx.Client, plan_id: str) -> None:
    first = written(store, plan(plan_id))

    def write(number: int) -> int:
        return put(store, plan(plan_id, f"Writer {number}"), first).status_code

    with ThreadPoolExecutor(6) as pool:
        statuses = sorted(pool.map(write, range(6)))
    assert statuses[0] == 200
    assert all(status in STALE for status in statuses[1:])
    assert len(store.get(f"/InsurancePlan/{plan_id}/_history").json()["entry"]) == 2


def test_the_same_plan_again_is_no_failure(store: httpx.Client, plan_id: str) -> None:
    """Whether it makes a version differs, so this service compares before it writes."""
    first = written(store, plan(plan_id))
    second = written(store, plan(plan_id), first)
    assert store.get(f"/InsurancePlan/{plan_id}").json()["meta"]["versionId"] == second


READS: dict[str, Callable[[httpx.Client, str, str], httpx.Response]] = {
    "read": lambda store, plan_id, _: store.get(f"/InsurancePlan/{plan_id}"),
    "vread": lambda store, plan_id, version: store.get(f"/InsurancePlan/{plan_id}/_history/{version}"),
    "history": lambda store, plan_id, _: store.get(f"/InsurancePlan/{plan_id}/_history"),
    "search": lambda store, plan_id, _: store.post("/InsurancePlan/_search", data={"_id": plan_id}),
}


@pytest.mark.parametrize("way", READS)
def test_digits_are_kept(way: str, store: httpx.Client, plan_id: str) -> None:
    exact = GOLD.replace(json.loads(GOLD)["id"], plan_id)
    assert '"value": 1500.00' in exact
    answer = store.put(f"/InsurancePlan/{plan_id}", content=exact.encode(), headers=FHIR)
    read = READS[way](store, plan_id, answer.json()["meta"]["versionId"])
    assert '"value":1500.00' in read.text.replace(" ", "")
    found = json.loads(read.content, parse_float=Decimal)
    kept = found["entry"][0]["resource"] if "entry" in found else found
    assert spelled(kept) == spelled(json.loads(exact, parse_float=Decimal))


def spelled(resource: dict[str, Any]) -> str:
    """Everything but meta as text, so that 1500.00 and 1500.0 are two."""
    return json.dumps({name: resource[name] for name in resource if name != "meta"}, sort_keys=True, default=str)


@pytest.mark.parametrize(
    "wrong",
    [{"nickname": "unknown"}, {"status": "approved"}, {"period": {"start": "not a date"}}, {"name": ["A", "B"]}],
)
def test_what_is_no_plan_is_refused_in_words(wrong: dict[str, object], store: httpx.Client, plan_id: str) -> None:
    answer = put(store, {**plan(plan_id), **wrong})
    assert answer.status_code in UNFIT
    issues = answer.json()["issue"]
    assert all(issue.get("diagnostics") or issue.get("details", {}).get("text") for issue in issues)
    assert store.get(f"/InsurancePlan/{plan_id}").status_code == 404


def test_a_tag_is_kept_by_the_version_it_was_written_with(store: httpx.Client, plan_id: str) -> None:
    """Later versions may inherit it; earlier ones never get it. By this our own write is known again."""
    tag = {"system": PROCESS_TAG, "code": str(uuid.uuid4())}
    first = written(store, plan(plan_id, "One"))
    second = written(store, plan(plan_id, "Two", meta={"tag": [tag]}), first)
    kept = store.get(f"/InsurancePlan/{plan_id}/_history/{second}").json()["meta"]["tag"]
    assert [(each["system"], each["code"]) for each in kept] == [(tag["system"], tag["code"])]
    assert "tag" not in store.get(f"/InsurancePlan/{plan_id}/_history/{first}").json()["meta"]


def test_the_history_begins_with_the_newest(store: httpx.Client, plan_id: str) -> None:
    versions = [written(store, plan(plan_id, "1"))]
    for name in ("2", "3"):
        versions.append(written(store, plan(plan_id, name), versions[-1]))
    entries = store.get(f"/InsurancePlan/{plan_id}/_history").json()["entry"]
    assert [entry["resource"]["meta"]["versionId"] for entry in entries] == versions[::-1]
    (entry,) = batch(store, f"InsurancePlan/{plan_id}/_history?_count=2")
    limited = [held["resource"]["name"] for held in entry["resource"]["entry"]]
    assert limited == ["3", "2"]


def test_a_batch_keeps_its_order_and_its_failures_apart(store: httpx.Client) -> None:
    ids = [str(uuid.uuid4()) for _ in range(5)]
    versions = {plan_id: written(store, plan(plan_id)) for plan_id in ids[:4]}
    urls = [f"InsurancePlan/{plan_id}/_history/{versions.get(plan_id, '1')}" for plan_id in reversed(ids)]
    entries = batch(store, *urls)
    assert [status_of(entry) for entry in entries] == ["404", "200", "200", "200", "200"]
    assert [entry["resource"]["id"] for entry in entries[1:]] == ids[3::-1]


@pytest.mark.parametrize("caching", ["no-store", "no-cache"])
def test_a_search_finds_a_hundred_ids_on_one_page(store: httpx.Client, caching: str) -> None:
    ids = [str(uuid.uuid4()) for _ in range(100)]
    entries = [
        {"resource": plan(plan_id), "request": {"method": "PUT", "url": f"InsurancePlan/{plan_id}"}} for plan_id in ids
    ]
    bundle = {"resourceType": "Bundle", "type": "batch", "entry": entries}
    assert store.post("", content=json.dumps(bundle), headers=FHIR).status_code == 200
    found = search(store, ids, caching)
    assert sorted(ids_in(found)) == sorted(ids)
    assert "next" not in [link["relation"] for link in found.get("link", [])]


@pytest.mark.parametrize("caching", ["no-store", "no-cache"])
def test_a_search_leaves_out_what_is_not_there(store: httpx.Client, plan_id: str, caching: str) -> None:
    written(store, plan(plan_id))
    assert ids_in(search(store, [plan_id, str(uuid.uuid4())], caching)) == [plan_id]


@pytest.mark.parametrize("caching", ["no-store", "no-cache"])
def test_a_search_sees_what_was_just_written(store: httpx.Client, plan_id: str, caching: str) -> None:
    """With either: HAPI gives the same set again for a minute otherwise."""
    other = str(uuid.uuid4())
    written(store, plan(plan_id))
    assert ids_in(search(store, [plan_id, other], caching)) == [plan_id]
    written(store, plan(other))
    assert sorted(ids_in(search(store, [plan_id, other], caching))) == sorted([plan_id, other])


def test_a_search_for_elements_tells_the_header_alone(store: httpx.Client, plan_id: str) -> None:
    version = written(store, {**plan(plan_id, "One"), "alias": ["Left out"]})
    (entry,) = search(store, [plan_id], "no-store", _elements="id,meta,name,status")["entry"]
    found = entry["resource"]
    assert found["meta"]["versionId"] == version
    assert found["meta"]["lastUpdated"]
    assert {key: value for key, value in found.items() if key != "meta"} == {
        "resourceType": "InsurancePlan",
        "id": plan_id,
        "name": "One",
        "status": "draft",
    }


def test_reads_of_a_batch_may_name_elements(store: httpx.Client, plan_id: str) -> None:
    """HAPI leaves nothing out there, all the same."""
    version = written(store, plan(plan_id, "One"))
    urls = [f"InsurancePlan/{plan_id}/_history/{version}", f"InsurancePlan/{plan_id}/_history"]
    one, history = batch(store, *(f"{url}?_elements=id,meta,name,status" for url in urls))
    assert (one["resource"]["name"], one["resource"]["meta"]["versionId"]) == ("One", version)
    assert [entry["resource"]["name"] for entry in history["resource"]["entry"]] == ["One"]


@pytest.mark.slow
def test_the_store_speaks_r4(store: httpx.Client) -> None:
    # HAPI takes seconds to put it together anew, and would do so for the usual `no-cache`
    stated = store.get("/metadata", headers={"Cache-Control": "max-age=60"})
    assert stated.json()["fhirVersion"].startswith("4.0.")


# Provenance


def provenance(plan_id: str, version: str, **fields: object) -> dict[str, Any]:
    """As this service writes it, with what matters of it."""
    agent = {"who": {"identifier": {"system": "urn:plan-api:person", "value": "ann"}, "display": "ann"}}
    return {
        "resourceType": "Provenance",
        "id": f"of.{plan_id}.{version}",
        "meta": {"tag": [{"system": "urn:plan-api:draft", "code": f"of.{plan_id}"}]},
        "target": [
            {
                "reference": f"InsurancePlan/{plan_id}/_history/{version}",
                "identifier": {"system": "urn:plan-api:version", "value": version},
            }
        ],
        "recorded": "2026-11-27T12:00:00.123Z",
        "agent": [agent],
        **fields,
    }


def put_provenance(store: httpx.Client, resource: dict[str, Any], version: str | None) -> int:
    headers = FHIR if version is None else {**FHIR, "If-Match": f'W/"{version}"'}
    return store.put(f"/Provenance/{resource['id']}", content=json.dumps(resource), headers=headers).status_code


def test_a_provenance_is_written_on_the_condition_that_there_is_none(store: httpx.Client, plan_id: str) -> None:
    """Some stores take no condition where nothing is; none replaces what is there."""
    sent = provenance(plan_id, written(store, plan(plan_id)))
    if put_provenance(store, sent, NO_VERSION) in STALE:
        assert store.get(f"/Provenance/{sent['id']}").status_code == 404
        assert put_provenance(store, sent, None) == 201
    assert put_provenance(store, {**sent, "recorded": "2026-11-28T12:00:00Z"}, NO_VERSION) in STALE
    found = store.get(f"/Provenance/{sent['id']}").json()
    assert {name: found[name] for name in ("target", "agent")} == {name: sent[name] for name in ("target", "agent")}
    assert found["recorded"].startswith("2026-11-27T12:00:00.123")


def test_a_provenance_is_found_by_its_tag_and_by_its_plan(store: httpx.Client, plan_id: str) -> None:
    """At once, also when the same was searched for a moment ago."""
    versions = [written(store, plan(plan_id, name)) for name in ("one", "two")]
    by_tag = {"_tag": f"urn:plan-api:draft|of.{plan_id},urn:plan-api:draft|of.none", "_count": "100"}

    def found() -> list[str]:
        answer = store.post("/Provenance/_search", data=by_tag, headers={"Cache-Control": "no-cache"})
        return sorted(entry["resource"]["id"] for entry in answer.json().get("entry", []))

    assert found() == []
    for number, version in enumerate(versions, 1):
        assert put_provenance(store, provenance(plan_id, version), None) == 201
        assert found() == sorted(f"of.{plan_id}.{each}" for each in versions[:number])
    by_plan = store.get("/Provenance", params={"target": f"InsurancePlan/{plan_id}"}).json()
    assert sorted(entry["resource"]["id"] for entry in by_plan["entry"]) == found()


def test_a_provenance_of_what_is_not_there_is_refused(store: httpx.Client, plan_id: str) -> None:
    assert put_provenance(store, provenance(plan_id, "1"), None) in UNFIT


def test_a_history_tells_what_was_current_at_an_instant(store: httpx.Client, plan_id: str) -> None:
    """The first entry; a deletion as such; none before the first version. No `_count`: with it HAPI has no entries."""
    first, second = (written(store, plan(plan_id, name)) for name in ("one", "two"))
    times = [
        store.get(f"/InsurancePlan/{plan_id}/_history/{version}").json()["meta"]["lastUpdated"]
        for version in (first, second)
    ]
    store.delete(f"/InsurancePlan/{plan_id}").raise_for_status()
    sleep(0.1)
    gone = datetime.now(UTC).isoformat()
    told = []
    for at in ("1970-01-01T00:00:00Z", *times, gone):
        instant = datetime.fromisoformat(at).astimezone(UTC).isoformat(timespec="milliseconds")
        (entry,) = batch(store, f"InsurancePlan/{plan_id}/_history?_at={instant.replace('+00:00', 'Z')}")
        entries = entry["resource"].get("entry", [])
        told.append(
            [entries[0]["request"]["method"] == "DELETE", (entries[0].get("resource") or {}).get("name")]
            if entries
            else []
        )
    assert told[:3] == [[], [False, "one"], [False, "two"]]
    assert told[3][0] is True
