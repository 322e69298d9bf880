"""Arguments and inputs of the wrong size, type or shape: what each is answered, and that none is an error of ours."""

from typing import Any

import pytest

from tests.serving import ADMIN, AUTHOR, Api, Drafts

INVALID = "INVALID"
UNFIT = "GRAPHQL_VALIDATION_FAILED"

# query, variables → the code of the one error, and whether it was executed at all
WRONG: dict[str, tuple[str, dict[str, object], str, bool]] = {
    "limit -1": ("{ pendingTasks(limit: -1) { totalCount } }", {}, INVALID, True),
    "limit 1001": ("{ drafts(limit: 1001) { totalCount } }", {}, INVALID, True),
    "limit 2^31": ("{ drafts(limit: 2147483648) { totalCount } }", {}, UNFIT, False),
    "limit 2^31 by variable": ("query Q($n: Int!) { drafts(limit: $n) { totalCount } }", {"n": 2**31}, UNFIT, False),
    "limit null": ("query Q($n: Int) { drafts(limit: $n) { totalCount } }", {"n": None}, UNFIT, True),
    "limit null in the query": ("{ drafts(limit: null) { totalCount } }", {}, UNFIT, False),
    "limit 1.5": ("query Q($n: Int!) { drafts(limit: $n) { totalCount } }", {"n": 1.5}, UNFIT, False),
    "limit as text": ('{ pendingTasks(limit: "5") { totalCount } }', {}, UNFIT, False),
    "offset -1": ("{ pendingTasks(offset: -1) { totalCount } }", {}, INVALID, True),
    "offset 2^31": ("{ pendingTasks(offset: 2147483648) { totalCount } }", {}, UNFIT, False),
    "instant without offset": (
        '{ pendingTasks(filter: {dueBefore: "2027-01-01T00:00:00"}) { totalCount } }', {}, UNFIT, False,
    ),
    "instant without offset by variable": (
        "query Q($t: DateTime) { pendingTasks(filter: {dueBefore: $t}) { totalCount } }",
        {"t": "2027-01-01T00:00:00"}, UNFIT, False,
    ),
    "instant that is a date": ('{ pendingTasks(filter: {dueBefore: "2027-01-01"}) { totalCount } }', {}, UNFIT, False),
    "instant before year 1": (
        '{ pendingTasks(filter: {dueBefore: "0001-01-01T00:00:00+14:00"}) { totalCount } }', {}, UNFIT, False,
    ),
    "instant after year 9999": (
        '{ pendingTasks(filter: {createdAfter: "9999-12-31T23:59:59-14:00"}) { totalCount } }', {}, UNFIT, False,
    ),
    "instant that is a number": (
        "query Q($t: DateTime) { pendingTasks(filter: {dueBefore: $t}) { totalCount } }", {"t": 5}, UNFIT, False,
    ),
    "NUL in a step": (
        "query Q($s: String) { pendingTasks(filter: {step: $s}) { totalCount } }", {"s": "a\x00"}, INVALID, True,
    ),
    "NUL in a submitter": (
        "query Q($s: ID) { pendingTasks(filter: {submittedBy: $s}) { totalCount } }", {"s": "\x00"}, INVALID, True,
    ),
    "NUL in an author": (
        "query Q($s: ID) { drafts(filter: {createdBy: $s}) { totalCount } }", {"s": "a\x00b"}, INVALID, True,
    ),
    "NUL in a name": (
        "query Q($s: String) { drafts(filter: {nameContains: $s}) { totalCount } }", {"s": "\x00"}, INVALID, True,
    ),
    "NUL in a plan": (
        "query Q($s: ID) { drafts(filter: {aidboxId: $s}) { totalCount } }", {"s": "\x00"}, INVALID, True,
    ),
    "status nobody has": ("{ drafts(filter: {status: [LOST]}) { totalCount } }", {}, UNFIT, False),
    "status null in the list": ("{ drafts(filter: {status: [null]}) { totalCount } }", {}, UNFIT, False),
    "filter nobody has": ("{ drafts(filter: {colour: 1}) { totalCount } }", {}, UNFIT, False),
    "filter that is a list": ("{ drafts(filter: [1]) { totalCount } }", {}, UNFIT, False),
    "sort by nothing": ("{ drafts(sort: [{descending: true}]) { totalCount } }", {}, UNFIT, False),
    "sort by null": ("{ drafts(sort: [null]) { totalCount } }", {}, UNFIT, False),
    "ids with null": ("{ drafts(ids: [null]) { totalCount } }", {}, UNFIT, False),
    "id that is an object": ("query Q($i: ID!) { draft(id: $i) { id } }", {"i": {}}, UNFIT, False),
    "id that is a list": ("query Q($i: ID!) { draft(id: $i) { id } }", {"i": ["a", "b"]}, UNFIT, False),
    "id that is true": ("query Q($i: ID!) { draft(id: $i) { id } }", {"i": True}, UNFIT, False),
    "id that is null": ("query Q($i: ID!) { draft(id: $i) { id } }", {"i": None}, UNFIT, False),
    "id that is absent": ("query Q($i: ID!) { draft(id: $i) { id } }", {}, UNFIT, False),
    "history of 101": ('{ plan(id: "no-such-plan") { history(limit: "x") { id } } }', {}, UNFIT, False),
    "input absent": ("mutation { submitForApproval { status } }", {}, UNFIT, False),
    "input null": ("mutation { submitForApproval(input: null) { status } }", {}, UNFIT, False),
    "input empty": ("mutation { submitForApproval(input: {}) { status } }", {}, UNFIT, False),
    "input by an absent variable": (
        "mutation M($input: SubmitForApprovalInput!) { submitForApproval(input: $input) { status } }", {}, UNFIT, False,
    ),
    "approved null": (
        'mutation { completeApproval(input: {taskId: "x", approved: null}) { status } }', {}, UNFIT, False,
    ),
    "approved absent": ('mutation { completeApproval(input: {taskId: "x"}) { status } }', {}, UNFIT, False),
    "approved null by variable": (
        "mutation M($a: Boolean!) { completeApproval(input: {taskId: \"x\", approved: $a}) { status } }",
        {"a": None}, UNFIT, False,
    ),
    "approved as text": (
        'mutation { completeApproval(input: {taskId: "x", approved: "true"}) { status } }', {}, UNFIT, False,
    ),
    "approved as number": (
        'mutation { completeApproval(input: {taskId: "x", approved: 1}) { status } }', {}, UNFIT, False,
    ),
    "a field nobody has": ("{ pendingTasks { totalCount nobody } }", {}, UNFIT, False),
    "no closing brace": ("{ viewer { id }", {}, "GRAPHQL_PARSE_FAILED", False),
    "nothing but a comment": ("# nothing", {}, "GRAPHQL_PARSE_FAILED", False),
    "two operations, none named": ("query A { viewer { id } } query B { viewer { id } }", {}, UNFIT, False),
    "only a fragment": ("fragment F on Person { id }", {}, UNFIT, False),
    "an entity without a type": ("{ _entities(representations: [{id: 1}]) { __typename } }", {}, INVALID, True),
    "an entity of no type": (
        '{ _entities(representations: [{__typename: "Nobody", id: 1}]) { __typename } }', {}, INVALID, True,
    ),
    "an entity without a key": (
        '{ _entities(representations: [{__typename: "Draft"}]) { __typename } }', {}, INVALID, True,
    ),
    "an entity that is no object": ("{ _entities(representations: [7]) { __typename } }", {}, INVALID, True),
}  # fmt: skip

RIGHT: dict[str, tuple[str, dict[str, object], object]] = {
    "limit 0": ("{ pendingTasks(limit: 0) { items { id } } }", {}, {"pendingTasks": {"items": []}}),
    "limit 1000": ('{ drafts(limit: 1000, filter: {nameContains: "\\u0001"}) { items { id } totalCount } }', {},
                   {"drafts": {"items": [], "totalCount": 0}}),
    "the largest offset": (
        """{ pendingTasks(limit: 1000, offset: 2147483647) { items { id } }
             drafts(limit: 1000, offset: 2147483647) { items { id } } }""",
        {}, {"pendingTasks": {"items": []}, "drafts": {"items": []}},
    ),
    "the largest offset into ids": (
        '{ drafts(ids: ["a"], offset: 2147483647) { items { id } totalCount } }', {},
        {"drafts": {"items": [], "totalCount": 1}},
    ),
    "no ids": ("{ drafts(ids: []) { items { id } totalCount } }", {}, {"drafts": {"items": [], "totalCount": 0}}),
    "no status": ("{ drafts(filter: {status: []}) { items { id } totalCount } }", {},
                  {"drafts": {"items": [], "totalCount": 0}}),
    "the earliest instant": ('{ pendingTasks(filter: {dueBefore: "0001-01-01T00:00:00Z"}) { totalCount } }', {},
                             {"pendingTasks": {"totalCount": 0}}),
    "the latest instant": ('{ pendingTasks(filter: {createdAfter: "9999-12-31T23:59:59Z"}) { totalCount } }', {},
                           {"pendingTasks": {"totalCount": 0}}),
    "odd letters": (
        """query Q($s: String) { pendingTasks(filter: {step: $s}) { totalCount }
             drafts(filter: {nameContains: $s}) { totalCount } }""",
        {"s": "'\"\\%_\n💡\ue000" * 100}, {"pendingTasks": {"totalCount": 0}, "drafts": {"totalCount": 0}},
    ),
    "a long submitter": (
        "query Q($s: ID) { pendingTasks(filter: {submittedBy: $s}) { totalCount } }", {"s": "x" * 10_000},
        {"pendingTasks": {"totalCount": 0}},
    ),
    "a huge history": ('{ plan(id: "no-such-plan") { history(limit: 2147483647) { id } } }', {}, {"plan": None}),
    "the smallest priority": ("{ pendingTasks(filter: {minPriority: 2147483647}) { totalCount } }", {},
                              {"pendingTasks": {"totalCount": 0}}),
}  # fmt: skip

NULLS = """query Q { pendingTasks(userId: null, sort: null, filter: {step: null, unassigned: null, dueBefore: null,
  createdAfter: null, minPriority: null, submittedBy: null}) { totalCount }
  drafts(ids: null, sort: null, filter: {status: null, createdBy: null, nameContains: null, aidboxId: null})
  { totalCount } }"""
ABSENT = "query Q { pendingTasks(sort: [], filter: {}) { totalCount } drafts(sort: [], filter: {}) { totalCount } }"


@pytest.mark.parametrize("name", WRONG)
def test_what_can_not_be_taken_is_told_as_the_clients(api: Api, name: str) -> None:
    query, variables, code, is_executed = WRONG[name]
    response = api.post(query, ADMIN, **variables)
    body: dict[str, Any] = response.json()
    assert [error["extensions"]["code"] for error in body["errors"]] == [code]
    assert all(error["extensions"]["requestId"] == response.headers["X-Request-Id"] for error in body["errors"])
    assert (response.status_code, "data" in body) == ((200, True) if is_executed else (400, False))


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_at_the_edge_is_taken(api: Api, name: str) -> None:
    query, variables, expected = RIGHT[name]
    assert api.ask(query, ADMIN, **variables) == expected


def test_a_null_condition_is_an_absent_one(api: Api, drafts: Drafts) -> None:
    drafts.new()
    assert api.ask(NULLS, ADMIN) == api.ask(ABSENT, ADMIN)
    assert api.ask(NULLS, ADMIN)["drafts"]["totalCount"] > 0


def test_a_wrong_input_changes_nothing(api: Api, drafts: Drafts) -> None:
    draft_id = drafts.new()
    before = drafts.row(draft_id)
    for fields in ("userId: {}", 'comment: ["a"]', "revision: 7", 'colour: "red"'):
        query = f'mutation {{ submitForApproval(input: {{draftId: "{draft_id}", {fields}}}) {{ processId }} }}'
        assert api.post(query, AUTHOR).status_code == 400
    assert drafts.row(draft_id) == before


@pytest.mark.parametrize(
    ("comment", "code"), [("x" * 1501, INVALID), ("a\x00b", INVALID), ("bell \x07", INVALID), ("\u202e", INVALID)]
)
def test_a_comment_that_can_not_be_kept_is_refused(api: Api, drafts: Drafts, comment: str, code: str) -> None:
    draft_id = drafts.new()
    before = drafts.row(draft_id)
    query = """mutation M($id: ID!, $comment: String) { submitForApproval(input: {draftId: $id, comment: $comment}) {
      processId userErrors { code field } } }"""
    payload = api.ask(query, AUTHOR, id=draft_id, comment=comment)["submitForApproval"]
    assert payload == {"processId": None, "userErrors": [{"code": code, "field": "comment"}]}
    assert drafts.row(draft_id) == before


def test_many_wrong_things_are_told_in_one_answer_of_bounded_size(api: Api) -> None:
    query = "{ " + " ".join(f"nobody{number}" for number in range(2000)) + " }"
    response = api.post(query, ADMIN)
    assert response.status_code == 400
    assert len(response.json()["errors"]) <= 101
