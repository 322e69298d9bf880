"""Version ids, versioned updates, deletions and histories, each as README.md's table has it."""

from itertools import pairwise
from uuid import uuid4

import httpx
import pytest

from tests.aidbox_like.conftest import Connect, Plan, address, batch, put, said, written
from tests.aidbox_like.interactions import CREATED_AT
from tests.aidbox_like.switches import SERVICE_AGENT

MISMATCH = said("conflict", "Version Id mismatch")
CLASH = said("conflict", "could not serialize access due to concurrent update")


def test_version_ids_are_of_one_sequence_with_gaps(aidbox: httpx.Client, plan: Plan) -> None:
    other = {**plan, "id": str(uuid4())}
    versions = [
        written(aidbox, plan),
        written(aidbox, other),
        written(aidbox, plan, name="Two"),
        written(aidbox, other, name="Two"),
    ]
    numbers = [int(version) for version in versions]
    assert all(later - earlier > 1 for earlier, later in pairwise(numbers))


def test_a_version_has_one_id_everywhere(aidbox: httpx.Client, plan: Plan) -> None:
    first, second = written(aidbox, plan), written(aidbox, plan, name="Two")
    read = aidbox.get(address(plan))
    assert (read.json()["meta"]["versionId"], read.headers["ETag"]) == (second, second)
    for version, name in ((first, "One"), (second, "Two")):
        found = aidbox.get(f"{address(plan)}/_history/{version}").json()
        assert (found["meta"]["versionId"], found["name"]) == (version, name)
    history = aidbox.get(f"{address(plan)}/_history").json()["entry"]
    assert [entry["resource"]["meta"]["versionId"] for entry in history] == [second, first]
    (found,) = aidbox.get("/InsurancePlan", params={"_id": plan["id"]}).json()["entry"]
    assert found["resource"] == read.json()
    entries = batch(aidbox, address(plan), f"InsurancePlan/{plan['id']}/_history/{first}")
    assert [entry["resource"]["meta"]["versionId"] for entry in entries] == [second, first]


def test_what_was_there_before_keeps_its_order(connect: Connect, aidbox: httpx.Client, plan: Plan) -> None:
    """A store that sees the newest version first numbers the older ones below it."""
    names = ["One", "Two", "Three"]
    for name in names:
        written(aidbox, plan, name=name)
    newest = int(connect().get(address(plan)).json()["meta"]["versionId"])
    history = connect().get(f"{address(plan)}/_history").json()["entry"]
    told = [int(entry["resource"]["meta"]["versionId"]) for entry in history]
    assert told == sorted(told, reverse=True)
    assert told[0] == newest


@pytest.mark.parametrize("form", ["{}", '"{}"', 'W/"{}"'])
def test_an_update_of_the_current_version_is_taken(aidbox: httpx.Client, plan: Plan, form: str) -> None:
    version = written(aidbox, plan)
    assert put(aidbox, plan, form.format(version), name="Two").status_code == 200
    assert aidbox.get(address(plan)).json()["name"] == "Two"


@pytest.mark.parametrize("stale", ["earlier", "another's", "1"])
def test_an_update_of_another_version_is_412(aidbox: httpx.Client, plan: Plan, stale: str) -> None:
    versions = {"earlier": written(aidbox, plan), "another's": written(aidbox, {**plan, "id": str(uuid4())})}
    current = written(aidbox, plan, name="Two")
    answer = put(aidbox, plan, f'W/"{versions.get(stale, stale)}"', name="Three")
    assert (answer.status_code, answer.json()) == (412, MISMATCH)
    assert aidbox.get(address(plan)).json()["meta"]["versionId"] == current


def test_any_version_is_updated_and_none_is_412(aidbox: httpx.Client, plan: Plan) -> None:
    assert put(aidbox, plan, "*").status_code == 412
    written(aidbox, plan)
    assert put(aidbox, plan, "*", name="Two").status_code == 200


@pytest.mark.parametrize("was_deleted", [False, True])
@pytest.mark.parametrize(("is_taken", "status", "after"), [(True, 201, 200), (False, 412, 404)])
def test_an_update_of_a_version_where_nothing_is(
    connect: Connect, plan: Plan, *, was_deleted: bool, is_taken: bool, status: int, after: int
) -> None:
    store = connect(takes_if_match_where_nothing_is=is_taken)
    if was_deleted:
        written(store, plan)
        assert store.delete(address(plan)).status_code == 200
    assert put(store, plan, 'W/"0"').status_code == status
    assert store.get(address(plan)).status_code == (410 if was_deleted and not is_taken else after)


def test_writes_of_the_service_clash_at_random(connect: Connect, plan: Plan) -> None:
    """As drawn by the seed: the refusal is that of a stale version, and nothing is written."""
    by_service = {"User-Agent": SERVICE_AGENT}

    def draw(seed: int) -> list[int]:
        store, asked = connect(clashes=0.5, seed=seed), {**plan, "id": str(uuid4())}
        return [store.put(address(asked), json=asked, headers=by_service).status_code for _ in range(8)]

    assert draw(1) == draw(1) != draw(2)
    always = connect(clashes=1.0)
    refused = always.put(address(plan), json=plan, headers=by_service)
    assert (refused.status_code, refused.json()) == (412, CLASH)
    assert always.get(address(plan)).status_code == 404
    assert put(always, plan).status_code == 201


def test_nothing_is_carried_over_from_the_version_before(aidbox: httpx.Client, plan: Plan) -> None:
    tag, label = {"system": "urn:one", "code": "tag"}, {"system": "urn:one", "code": "label"}
    first = written(aidbox, plan, meta={"tag": [tag], "security": [label], "profile": ["http://example.com/plan"]})
    written(aidbox, plan, name="Two")
    assert {"tag", "security", "profile"}.isdisjoint(aidbox.get(address(plan)).json()["meta"])
    meta = aidbox.get(f"{address(plan)}/_history/{first}").json()["meta"]
    assert (meta["tag"], meta["security"], meta["profile"]) == ([tag], [label], ["http://example.com/plan"])


def test_meta_says_when_a_resource_was_created(aidbox: httpx.Client, plan: Plan) -> None:
    """In an extension that the client can not set; the client's own stay."""
    first = put(aidbox, plan).json()["meta"]
    assert sorted(first) == ["extension", "lastUpdated", "versionId"]
    created = {"url": CREATED_AT, "valueInstant": first["lastUpdated"]}
    assert first["extension"] == [created]
    own = {"url": "http://example.com/own", "valueString": "mine"}
    sent = {"extension": [own, {"url": CREATED_AT, "valueInstant": "2001-01-01T00:00:00Z"}]}
    assert put(aidbox, plan, meta=sent).json()["meta"]["extension"] == [own, created]


def test_a_deletion_answers_with_what_was_deleted(aidbox: httpx.Client, plan: Plan) -> None:
    first = written(aidbox, plan)
    deleted = aidbox.delete(address(plan))
    assert deleted.status_code == 200
    body = deleted.json()
    assert (body["name"], int(body["meta"]["versionId"]) > int(first)) == ("One", True)
    gone = aidbox.get(address(plan))
    assert (gone.status_code, gone.json()["issue"][0]["code"]) == (410, "deleted")
    for _ in range(2):
        again = aidbox.delete(address(plan))
        assert (again.status_code, again.content) == (204, b"")


def test_a_deletion_of_another_version_is_412(aidbox: httpx.Client, plan: Plan) -> None:
    first = written(aidbox, plan)
    second = written(aidbox, plan, name="Two")
    answer = aidbox.delete(address(plan), headers={"If-Match": first})
    assert (answer.status_code, answer.json()) == (412, MISMATCH)
    assert aidbox.delete(address(plan), headers={"If-Match": second}).status_code == 200


@pytest.mark.parametrize("by_pages_of", [1, 2, 100])
def test_a_history_has_deletions_with_a_resource(aidbox: httpx.Client, plan: Plan, by_pages_of: int) -> None:
    """Newest first; the type alone in `request.url`; no `response`, no `fullUrl`."""
    written(aidbox, plan)
    written(aidbox, plan, name="Two")
    deleted = aidbox.delete(address(plan)).json()
    entries: list[Plan] = []
    for page in range(1, 3 // by_pages_of + 2):
        bundle = aidbox.get(f"{address(plan)}/_history", params={"_count": by_pages_of, "_page": page}).json()
        assert (bundle["type"], bundle["total"]) == ("history", 3)
        entries += bundle["entry"]
    assert [entry["request"]["method"] for entry in entries] == ["DELETE", "PUT", "POST"]
    assert {entry["request"]["url"] for entry in entries} == {"InsurancePlan"}
    assert [entry["resource"]["name"] for entry in entries] == ["Two", "Two", "One"]
    assert entries[0]["resource"] == deleted
    assert {tuple(entry) for entry in entries} == {("resource", "request")}


def test_a_history_at_an_instant_is_what_was_current_then(aidbox: httpx.Client, plan: Plan) -> None:
    """A deletion with its resource, and its own version id."""
    versions = [written(aidbox, plan), written(aidbox, plan, name="Two")]
    versions.append(aidbox.delete(address(plan)).json()["meta"]["versionId"])
    times = [entry["resource"]["meta"]["lastUpdated"] for entry in _history(aidbox, plan, {})]
    found = [_history(aidbox, plan, {"_at": at}) for at in reversed(times)]
    assert [[entry["resource"]["meta"]["versionId"] for entry in entries] for entries in found] == [
        [version] for version in versions
    ]
    assert [entries[0]["request"]["method"] for entries in found] == ["POST", "PUT", "DELETE"]
    assert _history(aidbox, plan, {"_at": "1970-01-01T00:00:00Z"}) == []


def _history(aidbox: httpx.Client, plan: Plan, params: dict[str, str]) -> list[Plan]:
    entries: list[Plan] = aidbox.get(f"{address(plan)}/_history", params=params).json()["entry"]
    return entries


def test_the_history_of_what_never_was_is_empty(aidbox: httpx.Client, plan: Plan) -> None:
    answer = aidbox.get(f"{address(plan)}/_history")
    assert (answer.status_code, answer.json()["total"], answer.json()["entry"]) == (200, 0, [])


def test_there_is_no_history_of_all(aidbox: httpx.Client) -> None:
    assert aidbox.get("/_history").status_code == 404


def test_the_history_of_a_type_can_be_off(connect: Connect, plan: Plan) -> None:
    store = connect(has_history=False)
    version = written(store, plan)
    told = {"severity": "fatal", "code": "not-supported"}
    words = "History is disabled for resource type InsurancePlan"
    answer = store.get(f"{address(plan)}/_history")
    assert answer.status_code == 422
    assert answer.json()["issue"] == [{**told, "diagnostics": words}]
    (entry,) = batch(store, f"InsurancePlan/{plan['id']}/_history")
    assert entry == {"resource": answer.json(), "response": {"status": "422"}}
    assert store.get(f"{address(plan)}/_history/{version}").status_code == 200
