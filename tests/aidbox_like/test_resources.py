"""Reading, creating, searching, batches, validation, digits and access, each as README.md's table has it."""

import json
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.aidbox_like.conftest import Connect, Plan, address, batch, put, said, written
from tests.aidbox_like.switches import Operation, Switches

FORBIDDEN = said("forbidden", "Forbidden")


def test_what_is_missing_is_404_with_an_id(aidbox: httpx.Client, plan: Plan) -> None:
    answer = aidbox.get(address(plan))
    words = f"Resource InsurancePlan/{plan['id']} not found"
    assert (answer.status_code, answer.json()) == (404, said("not-found", words))
    written(aidbox, plan)
    for version in ("1", "178246", "abc"):
        assert aidbox.get(f"{address(plan)}/_history/{version}").status_code == 404
    assert aidbox.get("/Nothing/1").status_code == 404


def test_an_id_in_a_post_is_the_resources(aidbox: httpx.Client, plan: Plan) -> None:
    made = aidbox.post("/InsurancePlan", json=plan)
    assert (made.status_code, made.json()["id"]) == (201, plan["id"])
    version = made.json()["meta"]["versionId"]
    assert made.headers["ETag"] == version
    assert made.headers["Location"] == f"{Switches().base_url}{address(plan)}/_history/{version}"
    assert made.headers["Last-Modified"] == made.json()["meta"]["lastUpdated"]
    again = aidbox.post("/InsurancePlan", json={**plan, "name": "Two"})
    assert (again.status_code, again.json()["issue"][0]["code"]) == (409, "conflict")
    assert aidbox.get(address(plan)).json()["name"] == "One"
    aidbox.delete(address(plan)).raise_for_status()
    assert aidbox.post("/InsurancePlan", json=plan).status_code == 201


def test_a_post_without_id_is_given_one(aidbox: httpx.Client) -> None:
    made = aidbox.post("/InsurancePlan", json={"name": "Without"})
    assert made.status_code == 201
    assert aidbox.get(f"/InsurancePlan/{made.json()['id']}").json() == made.json()


@pytest.mark.parametrize("body_id", [{}, {"id": "another"}])
def test_the_id_in_the_body_of_a_put_does_not_count(aidbox: httpx.Client, body_id: Plan) -> None:
    plan_id = str(uuid4())
    answer = aidbox.put(f"/InsurancePlan/{plan_id}", json={"name": "One", **body_id})
    assert (answer.status_code, answer.json()["id"]) == (201, plan_id)


@pytest.mark.parametrize("way", ["GET", "POST"])
def test_a_search_has_pages_at_another_host(aidbox: httpx.Client, way: str) -> None:
    plans = [{"name": "One", "id": str(uuid4())} for _ in range(5)]
    for each in plans:
        written(aidbox, each)
    asked = {"_id": ",".join(str(each["id"]) for each in plans), "_count": "2"}
    found: list[str] = []
    for page, relations in ((1, ["first", "self", "next"]), (2, None), (3, ["first", "self", "previous"])):
        paged = {**asked, "_page": str(page)}
        answer = (
            aidbox.get("/InsurancePlan", params=paged)
            if way == "GET"
            else aidbox.post("/InsurancePlan/_search", data=paged)
        )
        bundle = answer.json()
        assert (bundle["type"], bundle["total"]) == ("searchset", 5)
        assert relations in (None, [link["relation"] for link in bundle["link"]])
        assert all(link["url"].startswith(f"{Switches().base_url}/InsurancePlan?") for link in bundle["link"])
        found += [entry["resource"]["id"] for entry in bundle["entry"]]
    assert sorted(found) == sorted(str(each["id"]) for each in plans)


def test_a_search_sees_what_was_just_written(aidbox: httpx.Client, plan: Plan) -> None:
    other = {**plan, "id": str(uuid4())}
    asked = {"_id": f"{plan['id']},{other['id']}"}
    written(aidbox, plan)
    assert aidbox.get("/InsurancePlan", params=asked).json()["total"] == 1
    written(aidbox, other)
    assert aidbox.get("/InsurancePlan", params=asked).json()["total"] == 2


def test_a_long_line_is_414(aidbox: httpx.Client) -> None:
    assert aidbox.get("/InsurancePlan", params={"_id": "x" * 8000}).status_code == 200
    assert aidbox.get("/InsurancePlan", params={"_id": "x" * 8200}).status_code == 414


def test_post_search_may_be_missing(connect: Connect, plan: Plan) -> None:
    answer = connect(has_post_search=False).post("/InsurancePlan/_search", data={"_id": plan["id"]})
    assert answer.status_code == 404


@pytest.mark.parametrize("has_response", [False, True])
def test_successes_of_a_batch_may_have_no_response(connect: Connect, plan: Plan, *, has_response: bool) -> None:
    store = connect(success_entries_have_response=has_response)
    version = written(store, plan)
    found, missing = batch(store, f"/InsurancePlan/{plan['id']}", f"InsurancePlan/{uuid4()}")
    told = {"response": {"status": "200", "etag": version}} if has_response else {}
    assert found == {"resource": store.get(address(plan)).json(), **told}
    assert (missing["response"], missing["resource"]["id"]) == ({"status": "404"}, "not-found")


def test_entries_of_a_batch_fail_for_themselves(connect: Connect, plan: Plan) -> None:
    other = str(uuid4())
    store = connect(failing=lambda _operation, path: 503 if other in path else None)
    written(store, plan)
    entries = batch(store, f"InsurancePlan/{plan['id']}", f"InsurancePlan/{other}", f"InsurancePlan/{plan['id']}")
    assert ["response" in entry for entry in entries] == [False, True, False]
    assert entries[1]["response"] == {"status": "503"}


def test_a_batch_writes_in_its_order_and_sees_no_conditions(aidbox: httpx.Client, plan: Plan) -> None:
    entries = [
        {
            "resource": {**plan, "name": name},
            "request": {"method": "PUT", "url": f"InsurancePlan/{plan['id']}", "ifMatch": 'W/"1"'},
        }
        for name in ("One", "Two", "Three")
    ]
    answer = aidbox.post("", json={"resourceType": "Bundle", "type": "batch", "entry": entries})
    assert [entry["resource"]["name"] for entry in answer.json()["entry"]] == ["One", "Two", "Three"]
    assert aidbox.get(address(plan)).json()["name"] == "Three"


def test_elements_of_versions_may_be_refused(connect: Connect, plan: Plan) -> None:
    store = connect(takes_elements_of_versions=False)
    version = written(store, plan)
    for url in (f"{address(plan)}/_history", f"{address(plan)}/_history/{version}"):
        assert store.get(url, params={"_elements": "id,meta"}).status_code == 400
    assert store.get("/InsurancePlan", params={"_id": plan["id"], "_elements": "id,meta"}).status_code == 200


ARRAY, NO_ARRAY = "The property must be an array", "The property must not be an array"
REFUSED: dict[str, tuple[Plan, list[tuple[str, str]]]] = {
    "an unknown field": ({"nickname": "x"}, [("nickname", "Unrecognized property 'nickname'")]),
    "an unknown field below": (
        {"plan": [{}, {"copay": 1}]},
        [("plan[0]", "The property must not be empty")],
    ),
    "deep down": (
        {"plan": [{"type": {"text": "x"}}, {"copay": 1}]},
        [("plan[1].copay", "Unrecognized property 'copay'")],
    ),
    "an unknown code": ({"status": "approved"}, [("status", "")]),
    "a wrong date": ({"period": {"start": "soon"}}, [("period.start", "")]),
    "one for a list": ({"alias": "x"}, [("alias", ARRAY)]),
    "a list for one": ({"name": ["A"]}, [("name", NO_ARRAY)]),
    "R5's contact": ({"contact": [{"name": [{"text": "x"}]}]}, [("contact[0].name", NO_ARRAY)]),
    "two at once": (
        {"alias": "x", "type": {"text": "x"}},
        [("type", ARRAY), ("alias", ARRAY)],
    ),
    "null": ({"status": None}, [("status", "The property must not be null")]),
    "an empty list": ({"alias": []}, [("alias", "The property must not be empty")]),
    "nothing required": (
        {"coverage": [{"type": {"text": "x"}}]},
        [("coverage[0].benefit", "The property 'benefit' is required")],
    ),
    "no name": ({"name": None}, [("name", ""), ("", "")]),
    "a reference to nothing": (
        {"ownedBy": {"reference": "Organization/nobody"}},
        [("ownedBy", "Referenced resource Organization/nobody does not exist")],
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_valid_is_422_with_its_place(aidbox: httpx.Client, plan: Plan, case: str) -> None:
    changes, expected = REFUSED[case]
    answer = put(aidbox, {**plan, **changes})
    assert answer.status_code == 422
    outcome = answer.json()
    assert (outcome["text"]["div"], "id" in outcome) == ("Invalid resource", False)
    found = [(issue["severity"], issue["code"], issue["expression"]) for issue in outcome["issue"]]
    places = [f"InsurancePlan.{place}".rstrip(".") for place, _ in expected]
    assert found == [("fatal", "invalid", [place]) for place in places]
    for issue, (_, words) in zip(outcome["issue"], expected, strict=True):
        assert issue["diagnostics"] == words if words else issue["diagnostics"]
    assert aidbox.get(address(plan)).status_code == 404


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ("text", {"diagnostics": "Unrecognized property 'nickname'"}),
        ("object", {"diagnostics": {"type": "unknown-key", "path": "nickname"}}),
        ("absent", {}),
    ],
)
def test_the_words_of_a_refusal_have_three_forms(connect: Connect, plan: Plan, form: str, told: Plan) -> None:
    (issue,) = put(connect(diagnostics=form), plan, nickname="x").json()["issue"]
    assert issue == {"severity": "fatal", "code": "invalid", "expression": ["InsurancePlan.nickname"], **told}


@pytest.mark.parametrize("body", ["", "{", "[]", '"x"', '{"resourceType": "Patient"}'])
def test_what_is_no_such_resource_is_422(aidbox: httpx.Client, plan: Plan, body: str) -> None:
    answer = aidbox.put(address(plan), content=body)
    assert (answer.status_code, answer.json()["issue"][0]["code"]) == (422, "invalid")


def test_validation_always_answers_200(aidbox: httpx.Client, plan: Plan) -> None:
    good = aidbox.post("/InsurancePlan/$validate", json=plan)
    assert (good.status_code, good.json()["id"]) == (200, "allok")
    bad = aidbox.post("/InsurancePlan/$validate", json={**plan, "alias": "x"})
    assert (bad.status_code, bad.json()["id"]) == (200, "validationfail")
    assert bad.json()["issue"] == [
        {"severity": "fatal", "code": "invalid", "expression": ["InsurancePlan.alias"], "diagnostics": ARRAY}
    ]
    assert aidbox.get(address(plan)).status_code == 404


@pytest.mark.parametrize(
    ("keeps", "spelled"),
    [
        (True, ["1500.00", "1500.0", "0.000000001", "12345678901234567890.123456789"]),
        (False, ["1500.0", "1500.0", "0.000000001", "12345678901234567000"]),
    ],
)
def test_decimals_keep_their_digits_or_are_doubles(
    connect: Connect, plan: Plan, *, keeps: bool, spelled: list[str]
) -> None:
    store = connect(keeps_digits=keeps)
    amounts = ["1500.00", "1500.0", "0.000000001", "12345678901234567890.123456789"]
    costs = ",".join(f'{{"type": {{"text": "x"}}, "cost": {{"value": {amount}}}}}' for amount in amounts)
    text = json.dumps(plan)[:-1] + f', "plan": [{{"generalCost": [{costs}]}}]}}'
    assert store.put(address(plan), content=text).status_code == 201
    found: Any = json.loads(store.get(address(plan)).content, parse_float=str, parse_int=str)
    assert [cost["cost"]["value"] for cost in found["plan"][0]["generalCost"]] == spelled


def test_basic_authentication(connect: Connect, plan: Plan) -> None:
    store = connect(client=("plan-api", "Geheim-123"))
    assert store.get(address(plan)).status_code == 401
    assert store.get(address(plan), auth=("plan-api", "wrong")).status_code == 401
    assert store.get(address(plan), auth=("plan-api", "Geheim-123")).status_code == 404


ASKED: dict[Operation, tuple[str, str]] = {
    Operation.READ: ("GET", "/InsurancePlan/{id}"),
    Operation.VREAD: ("GET", "/InsurancePlan/{id}/_history/1"),
    Operation.HISTORY: ("GET", "/InsurancePlan/{id}/_history"),
    Operation.SEARCH: ("GET", "/InsurancePlan?_id={id}"),
    Operation.CREATE: ("POST", "/InsurancePlan"),
    Operation.UPDATE: ("PUT", "/InsurancePlan/{id}"),
    Operation.DELETE: ("DELETE", "/InsurancePlan/{id}"),
    Operation.TRANSACTION: ("POST", ""),
}


@pytest.mark.parametrize("denied", ASKED)
def test_what_no_policy_allows_is_403(connect: Connect, plan: Plan, denied: Operation) -> None:
    """As a request, and as an entry of a batch that is allowed itself; everything else goes on."""
    store = connect(denied=frozenset({denied}))
    bundle = {"resourceType": "Bundle", "type": "batch", "entry": []}
    for operation, (method, path) in ASKED.items():
        body = bundle if operation is Operation.TRANSACTION else plan
        content = body if method in ("PUT", "POST") else None
        answer = store.request(method, path.format(id=plan["id"]), json=content)
        assert (answer.status_code == 403) == (operation is denied), operation
        assert answer.status_code != 403 or answer.json() == FORBIDDEN
    method, path = ASKED[denied]
    if denied is not Operation.TRANSACTION:
        entry = {"request": {"method": method, "url": path.format(id=plan["id"])}, "resource": plan}
        answer = store.post("", json={**bundle, "entry": [entry]})
        assert answer.json()["entry"] == [{"resource": FORBIDDEN, "response": {"status": "403"}}]
