"""Ids that are none, for every id argument there is: never an error of ours, never one of an upstream."""

import json

import pytest

from tests.serving import ADMIN, Api

IDS = {
    "empty": "",
    "blank": "   ",
    "quotes": "'\"`",
    "SQL": "'; DROP TABLE benefit_plan_drafts; --",
    "slashes": "a/b\\c",
    "parent": "..",
    "self": ".",
    "path": "../../metadata",
    "query": "x?_count=1&y#z",
    "percent": "%2e%2e%2f%00",
    "newlines": "a\r\nX-Injected: 1\n",
    "NUL": "a\x00b",
    "unicode": "план-💡-é",
    "wide": "１２３",
    "private": "\ue000\uffff",
    "digits": "9" * 400,
    "negative": "-1",
    "braces": "{00000000-0000-0000-0000-000000000000}",
    "wildcards": "%_*",
    "commas": "a,b,c",
    "JSON": '{"value":1}',
    "long": "x" * 10_000,
    "a little long": "y" * 300,
}

READS = {
    "task": "query Q($id: ID!) { task(id: $id) { id } }",
    "draft": "query Q($id: ID!) { draft(id: $id) { id approval { state } currentPlan { id } } }",
    "plan": "query Q($id: ID!) { plan(id: $id) { id history { versionId } draft { id } } }",
    "plan's version": 'query Q($id: ID!) { plan(id: "a-plan", versionId: $id) { id } }',
    "plan and version": "query Q($id: ID!) { plan(id: $id, versionId: $id) { id } }",
    "approvalStatus": "query Q($id: ID!) { approvalStatus(draftId: $id) { state } }",
}
REFERENCES = {
    "Draft": '{"__typename": "Draft", "id": ID}',
    "Task": '{"__typename": "Task", "id": ID}',
    "PlanVersion": '{"__typename": "PlanVersion", "id": ID, "versionId": ID}',
}
MUTATIONS = {
    "submitForApproval": ("draftId", ""),
    "withdrawSubmission": ("draftId", ""),
    "retryPublication": ("draftId", ""),
    "completeApproval": ("taskId", "approved: true"),
    "requestChanges": ("taskId", 'comment: "More"'),
    "claimTask": ("taskId", ""),
    "unclaimTask": ("taskId", ""),
    "reassignTask": ("taskId", 'userId: "somebody"'),
}


@pytest.mark.parametrize("query", READS.values(), ids=READS)
@pytest.mark.parametrize("odd", IDS.values(), ids=IDS)
def test_a_read_by_what_is_no_id_is_null(api: Api, query: str, odd: str) -> None:
    (found,) = api.ask(query, ADMIN, id=odd).values()
    assert found is None


@pytest.mark.parametrize("odd", IDS.values(), ids=IDS)
def test_a_list_by_what_is_no_id_has_null_in_its_place(api: Api, odd: str) -> None:
    query = "query Q($ids: [ID!]) { drafts(ids: $ids) { items { id } totalCount } }"
    assert api.ask(query, ADMIN, ids=[odd, odd]) == {"drafts": {"items": [None, None], "totalCount": 2}}


@pytest.mark.parametrize("reference", REFERENCES.values(), ids=REFERENCES)
@pytest.mark.parametrize("odd", IDS.values(), ids=IDS)
def test_a_federation_key_that_is_none_is_null(api: Api, reference: str, odd: str) -> None:
    query = "query Q($of: [_Any!]!) { _entities(representations: $of) { __typename } }"
    representation = json.loads(reference.replace("ID", json.dumps(odd)))
    assert api.ask(query, ADMIN, of=[representation]) == {"_entities": [None]}


@pytest.mark.parametrize("name", MUTATIONS)
@pytest.mark.parametrize("odd", IDS.values(), ids=IDS)
def test_a_mutation_of_what_is_no_id_is_not_found(api: Api, name: str, odd: str) -> None:
    field, others = MUTATIONS[name]
    query = (
        f"mutation M($id: ID!) {{ {name}(input: {{{field}: $id {others}}})"
        " { __typename userErrors { code field } } }"
    )
    payload = api.ask(query, ADMIN, id=odd)[name]
    assert payload["userErrors"] == [{"code": "NOT_FOUND", "field": field}]


@pytest.mark.parametrize("odd", IDS.values(), ids=IDS)
def test_somebody_who_is_no_person_is_refused(api: Api, odd: str) -> None:
    is_name = odd.strip() != "" and len(odd) <= 255 and odd.isprintable()
    answer = api.answer("query Q($id: ID!) { pendingTasks(userId: $id) { totalCount } }", ADMIN, id=odd)
    if is_name:
        assert answer == {"data": {"pendingTasks": {"totalCount": 0}}}
    else:
        assert answer["data"] == {"pendingTasks": None}
        (error,) = answer["errors"]
        assert error["extensions"].items() >= {"code": "INVALID", "field": "userId"}.items()


@pytest.mark.parametrize("odd", IDS.values(), ids=IDS)
def test_the_old_route_says_not_found_or_what_is_wrong(api: Api, odd: str) -> None:
    path = submit_path(odd)
    response = api.client.post(path, json={"draftId": odd, "userId": None}, headers=ADMIN.headers)
    told = response.json()
    if odd == "" or len(odd) > 255:
        assert (response.status_code, told["code"]) == (400, "INVALID")
    else:
        assert (response.status_code, told["code"]) == (404, "NOT_FOUND")


def submit_path(draft_id: str) -> str:
    """The route's path with an id in it, every character but letters and digits escaped."""
    escaped = "".join(f"%{byte:02X}" for byte in draft_id.encode())
    return f"/api/plans/{escaped}/submit"


@pytest.mark.parametrize("surrogate", [r"\ud800", r"\udfff", r"a\udc00\ud800"])
def test_a_lone_surrogate_is_no_text(api: Api, surrogate: str) -> None:
    headers = {"Content-Type": "application/json", **ADMIN.headers}
    in_variables = (
        f'{{"query": "query Q($id: ID!) {{ draft(id: $id) {{ id }} }}", "variables": {{"id": "{surrogate}"}}}}'
    )
    escaped = surrogate.replace("\\", "\\\\")
    in_query = f'{{"query": "{{ draft(id: \\"{escaped}\\") {{ id }} }}"}}'
    for body, code in ((in_variables, "BAD_REQUEST"), (in_query, "GRAPHQL_PARSE_FAILED")):
        response = api.client.post("/graphql", content=body, headers=headers)
        (error,) = response.json()["errors"]
        assert error["extensions"]["code"] == code
    response = api.client.post("/api/plans/x/submit", content=f'{{"draftId": "{surrogate}"}}', headers=headers)
    assert (response.status_code, response.json()["code"]) == (400, "INVALID")
