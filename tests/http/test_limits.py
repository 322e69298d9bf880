"""What is refused before any system is asked anything: each limit just reached and just passed; how many at once."""

import json
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from api.settings import Settings
from tests.serving import AUTHOR, REVIEWER, SECOND_REVIEWER, Api, Someone, serving
from tests.wiretap import meanwhile, noting, tapped

SMALL = {
    "max_tokens": 120,
    "max_depth": 4,
    "max_introspection_depth": 4,
    "max_root_fields": 3,
    "max_aliases": 2,
    "max_directives": 2,
    "max_selections": 20,
    "max_cost": 300,
}
WITHIN = {
    "depth": "{ drafts { items { id name } } }",
    "root fields": "{ viewer { id } a: __typename __typename }",
    "aliases, __typename too": "{ a: __typename b: __typename }",
    "directives": "{ viewer @skip(if: false) { id @include(if: true) } }",
    "selections": "{ viewer { " + "id " * 19 + "} }",
    "cost": "{ drafts(limit: 14) { items { planData aidboxId id name status revision createdBy updatedAt } } }",
    "introspection": "{ __schema { types { name } } }",
}
CHAIN = "query Q { viewer { ...A ...A } } " + " ".join(
    f"fragment {one} on Person {{ ...{other} ...{other} ...{other} }}"
    for one, other in zip("ABCDEFGH", "BCDEFGHI", strict=True)
)
PAST: dict[str, tuple[str, str, str]] = {
    "tokens": (
        "{ viewer { " + "id " * 120 + "} }",
        "TOO_MANY_TOKENS",
        "The query has more than 120 tokens, the limit.",
    ),
    "depth": (
        "{ drafts { items { basePlan { draft { id } } } } }",
        "QUERY_TOO_DEEP",
        "The query has 5 levels of fields; the limit is 4.",
    ),
    "depth in fragments": (
        "{ drafts { ...A }} fragment A on DraftPage { items { ...B } } fragment B on Draft { basePlan { draft { id }}}",
        "QUERY_TOO_DEEP",
        "The query has 5 levels of fields; the limit is 4.",
    ),
    "root fields": (
        "{ viewer { id } a: __typename b: __typename __typename }",
        "TOO_MANY_ROOT_FIELDS",
        "The query has 4 fields at its root; the limit is 3.",
    ),
    "root fields in fragments": (
        "{ ...A ...A } fragment A on Query { viewer { id } __typename }",
        "TOO_MANY_ROOT_FIELDS",
        "The query has 4 fields at its root; the limit is 3.",
    ),
    "aliases, __typename too": (
        "{ a: __typename b: __typename viewer { c: __typename } }",
        "TOO_MANY_ALIASES",
        "The query has 3 aliases; the limit is 2.",
    ),
    "directives": (
        "{ viewer @skip(if: false) { id @include(if: true) @skip(if: false) } }",
        "TOO_MANY_DIRECTIVES",
        "The query has 3 directives; the limit is 2.",
    ),
    "selections": (
        "{ viewer { " + "id " * 20 + "} }",
        "QUERY_TOO_LARGE",
        "The query has 21 fields and fragments; the limit is 20.",
    ),
    "fragments that multiply": (
        CHAIN + " fragment I on Person { id }",
        "QUERY_TOO_LARGE",
        "The query has 32805 fields and fragments; the limit is 20.",
    ),
    "cost": (
        "{ drafts(limit: 100) { items { planData } } }",
        "QUERY_TOO_COSTLY",
        "The query has 1002 values that its answer could have; the limit is 300. Ask for drafts(limit: 29).",
    ),
    "cost of lists in lists": (
        "{ drafts(limit: 10) { items { history(limit: 50) { at } } } }",
        "QUERY_TOO_COSTLY",
        (
            "The query has 512 values that its answer could have; the limit is 300. Ask for drafts(limit: 5) or"
            " history(limit: 28)."
        ),
    ),
    "introspection": (
        "{ __schema { types { fields { type { ofType { name } } } } } }",
        "INTROSPECTION_TOO_DEEP",
        "The query has 6 levels of fields about the schema; the limit is 4.",
    ),
}


@pytest.fixture(scope="module")
def calls() -> list[httpx.Request]:
    """What was asked of engine and store."""
    return []


@pytest.fixture(scope="module")
def small(settings: Settings, calls: list[httpx.Request]) -> Iterator[Api]:
    """The API with small limits."""
    with serving(settings.model_copy(update=SMALL), transports=tapped(noting(calls))) as api:
        yield api


@pytest.mark.parametrize("name", WITHIN)
def test_what_just_reaches_a_limit_is_answered(small: Api, name: str) -> None:
    small.ask(WITHIN[name], AUTHOR)


@pytest.mark.parametrize("name", PAST)
def test_what_passes_it_is_refused_with_both_numbers(small: Api, calls: list[httpx.Request], name: str) -> None:
    calls.clear()
    query, code, message = PAST[name]
    response = small.post(query, AUTHOR)
    (error,) = response.json()["errors"]
    assert (response.status_code, error["message"], error["extensions"]["code"]) == (400, message, code)
    assert "data" not in response.json()
    assert calls == []


def test_a_limit_in_a_variable_is_counted(small: Api, calls: list[httpx.Request]) -> None:
    asked = "query Q($limit: Int!) { drafts(limit: $limit) { items { planData } } }"
    small.ask(asked, AUTHOR, limit=29)
    calls.clear()
    answer = small.answer(asked, AUTHOR, limit=30)
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["QUERY_TOO_COSTLY"]
    assert calls == []


def test_a_list_of_entities_costs_what_all_of_them_cost(small: Api) -> None:
    query = "query E($of: [_Any!]!) { _entities(representations: $of) { ... on Draft { planData name status } } }"
    few, many = ([{"__typename": "Draft", "id": "x"}] * count for count in (24, 25))
    assert small.ask(query, AUTHOR, of=few) == {"_entities": [None] * 24}
    (error,) = small.answer(query, AUTHOR, of=many)["errors"]
    assert error["extensions"]["code"] == "QUERY_TOO_COSTLY"
    assert error["message"] == (
        "The query has 301 values that its answer could have; the limit is 300. Ask for fewer fields or shorter lists."
    )


BOMBS = {
    "a cycle of two": "{ draft(id: 1) { ...A } } fragment A on Draft { ...B } fragment B on Draft { ...A }",
    "a cycle of itself": "{ viewer { ...A } } fragment A on Person { id ...A ...A ...A ...A ...A ...A ...A ...A }",
    "twelve that spread each other": "{ draft(id: 1) { ...A } } "
    + " ".join(
        f"fragment {one} on Draft {{ {' '.join('...' + other for other in 'ABCDEFGHIJKL')} }}" for one in "ABCDEFGHIJKL"
    ),
    "ten that double": "{ viewer { ...F0 ...F0 } } "
    + " ".join(f"fragment F{i} on Person {{ ...F{i + 1} ...F{i + 1} }}" for i in range(20))
    + " fragment F20 on Person { id }",
    "deep and wide": "{ draft(id: 1) { ...F0 } } "
    + " ".join(f"fragment F{i} on Draft {{ currentPlan {{ draft {{ ...F{i + 1} ...F{i + 1} }} }} }}" for i in range(9))
    + " fragment F9 on Draft { id }",
}


@pytest.mark.parametrize("name", BOMBS)
def test_under_a_kilobyte_of_fragments_is_a_small_matter(api: Api, name: str) -> None:
    assert len(BOMBS[name]) < 1_500
    response = api.post(BOMBS[name], AUTHOR)
    assert response.status_code == 400
    assert len(response.content) < 2_000
    expected = {"QUERY_TOO_LARGE", "QUERY_TOO_DEEP", "GRAPHQL_VALIDATION_FAILED"}
    assert {error["extensions"]["code"] for error in response.json()["errors"]} <= expected


ALIKE = {
    "a field": "{ viewer { " + "id " * 990 + "} }",
    "an object": "{ drafts { items { " + "basePlan { id } " * 300 + "} } }",
    "fragments": "{ viewer { "
    + " ".join(f"...F{number}" for number in range(300))
    + " } } "
    + " ".join(f"fragment F{number} on Person {{ id }}" for number in range(300)),
    "inline fragments": "{ viewer { " + "... on Person { id } " * 400 + "} }",
}
SOMEWHAT_ALIKE = {
    "a field": "{ viewer { " + "id " * 130 + "} }",
    "fragments of components": "{ drafts(limit: 1) { items { "
    + " ".join(f"...F{number}" for number in range(30))
    + " } } } "
    + " ".join(f"fragment F{number} on Draft {{ id currentPlan {{ id name }} }}" for number in range(30)),
}


@pytest.mark.parametrize("name", ALIKE)
def test_fields_are_not_compared_without_end(api: Api, name: str) -> None:
    """Pair by pair: a thousand take most of a second, in which nobody else is answered."""
    response = api.post(ALIKE[name], AUTHOR)
    (error,) = response.json()["errors"]
    told = "The query repeats the same fields or fragments too often; select each once."
    assert (response.status_code, error["message"], error["extensions"]["code"]) == (400, told, "QUERY_TOO_LARGE")


@pytest.mark.parametrize("name", SOMEWHAT_ALIKE)
def test_what_generated_queries_repeat_is_answered(api: Api, name: str) -> None:
    api.ask(SOMEWHAT_ALIKE[name], AUTHOR)


def test_many_mistakes_are_told_as_mistakes(api: Api) -> None:
    answer = api.answer("{ viewer { " + " ".join(f"x{number}" for number in range(100)) + " } }", AUTHOR)
    assert {error["extensions"]["code"] for error in answer["errors"]} == {"GRAPHQL_VALIDATION_FAILED"}


ENTITIES = "query E($of: [_Any!]!) { _entities(representations: $of) { __typename } }"
DRAFT, TASK = {"__typename": "Draft", "id": "x"}, {"__typename": "Task", "id": "x"}


@pytest.mark.parametrize(
    ("query", "variables", "field"),
    [
        (ENTITIES, {"of": [DRAFT] * 1001}, "representations"),
        (ENTITIES, {"of": [TASK] * 101}, "representations"),
        ("query S($by: [DraftSort!]) { drafts(sort: $by) { totalCount } }", {"by": [{"by": "NAME"}] * 11}, "sort"),
        ("query S($by: [TaskSort!]) { pendingTasks(sort: $by) { totalCount } }", {"by": [{"by": "NAME"}] * 11}, "sort"),
    ],
)
def test_lists_that_are_too_long(api: Api, query: str, variables: dict[str, Any], field: str) -> None:
    answer = api.answer(query, AUTHOR, **variables)
    (error,) = answer["errors"]
    assert (error["extensions"]["code"], error["extensions"]["field"]) == ("INVALID", field)
    (values,) = variables.values()
    shorter = dict.fromkeys(variables, values[: 10 if field == "sort" else 100])
    assert "errors" not in api.answer(query, AUTHOR, **shorter)


@pytest.mark.parametrize(
    ("limit", "who", "status", "code"),
    [
        ("max_requests_per_caller", REVIEWER, 429, "TOO_MANY_REQUESTS"),
        ("max_requests_per_caller", SECOND_REVIEWER, 200, None),
        ("max_requests", SECOND_REVIEWER, 503, "OVERLOADED"),
    ],
)
def test_requests_at_once(settings: Settings, limit: str, who: Someone, status: int, code: str | None) -> None:
    """One more while one is under way; it is told when to come again, and may then."""
    second: list[httpx.Response] = []
    asked = "{ pendingTasks(limit: 1) { totalCount } }"

    def ask_again() -> None:
        second.append(api.post("{ viewer { id } }", who))

    transports = meanwhile("camunda", "POST .*/task/count", ask_again)
    with serving(settings.model_copy(update={limit: 1}), transports=transports) as api:
        assert api.post(asked, REVIEWER).status_code == 200
        assert api.post(asked, REVIEWER).status_code == 200
    (response,) = second
    body = response.json()
    assert (response.status_code, [error["extensions"]["code"] for error in body.get("errors", [])]) == (
        status,
        [code] if code else [],
    )
    assert response.headers.get("Retry-After") == ("1" if code else None)


def test_a_request_over_the_limit_of_its_caller_waits_for_a_slot(settings: Settings) -> None:
    """The second is answered when the first has ended, within the second for which it waits."""
    second: list[Future[httpx.Response]] = []
    transports = meanwhile(
        "camunda", "POST .*/task/count", lambda: second.append(pool.submit(api.post, "{ viewer { id } }", REVIEWER))
    )
    changed = settings.model_copy(update={"max_requests_per_caller": 1})
    with serving(changed, transports=transports) as api, ThreadPoolExecutor(1) as pool:
        assert api.post("{ pendingTasks(limit: 1) { totalCount } }", REVIEWER).status_code == 200
        response = second[0].result()
    assert (response.status_code, response.json()) == (200, {"data": {"viewer": {"id": REVIEWER.id}}})


MANY = "{ pendingTasks(limit: 100) { items { id } } }"
FEW = "{ pendingTasks(limit: 1) { items { id } } }"


def test_large_answers_take_turns(settings: Settings) -> None:
    """While one is put together, small ones are answered, and a second large one waits."""
    done: list[str] = []

    def ask(name: str, query: str) -> None:
        assert "errors" not in api.answer(query, REVIEWER)
        done.append(name)

    def others() -> None:
        second.append(pool.submit(ask, "second", MANY))
        for _ in range(5):
            ask("small", FEW)
        done.append("first may go on")

    second: list[Future[None]] = []
    transports = meanwhile("camunda", "POST .*/task", others)
    changed = settings.model_copy(update={"max_cost_at_once": 100})
    with serving(changed, transports=transports) as api, ThreadPoolExecutor(1) as pool:
        ask("first", MANY)
        second[0].result()
    assert done[:6] == ["small"] * 5 + ["first may go on"]
    assert sorted(done[6:]) == ["first", "second"]


def test_a_large_answer_that_would_wait_too_long_is_told_to_come_back(settings: Settings) -> None:
    told: list[httpx.Response] = []
    transports = meanwhile("camunda", "POST .*/task", lambda: told.append(api.post(MANY, REVIEWER)))
    changed = settings.model_copy(update={"max_cost_at_once": 100, "request_seconds": 2, "camunda_timeout": 10})
    with serving(changed, transports=transports) as api:
        assert "errors" not in api.answer(MANY, REVIEWER)
    (response,) = told
    assert (response.status_code, response.headers["Retry-After"]) == (503, "1")
    (error,) = response.json()["errors"]
    assert (error["extensions"]["code"], "data" in response.json()) == ("OVERLOADED", False)


def test_a_list_of_operations_is_refused(api: Api) -> None:
    for body in ([], [{"query": "{ viewer { id } }"}] * 3):
        response = api.client.post("/graphql", json=body, headers=AUTHOR.headers)
        assert (response.status_code, response.json()["errors"][0]["extensions"]["code"]) == (400, "BATCH_REFUSED")


def test_names_like_a_wrong_one_are_not_told(settings: Settings, api: Api) -> None:
    for query, told in (
        ("{ viewr { id } }", "Cannot query field 'viewr' on type 'Query'."),
        ("{ drafts(limt: 1) { totalCount } }", "Unknown argument 'limt' on field 'Query.drafts'."),
    ):
        assert [error["message"] for error in api.answer(query, AUTHOR)["errors"]] == [told]
    with serving(settings.model_copy(update={"suggestions": True})) as telling:
        assert "Did you mean 'viewer'?" in json.dumps(telling.answer("{ viewr { id } }", AUTHOR))


def test_the_schema_is_for_who_is_signed_in_and_may_be_kept_from_all(settings: Settings, api: Api) -> None:
    asked = "{ __schema { queryType { name } } }"
    assert api.ask(asked, AUTHOR) == {"__schema": {"queryType": {"name": "Query"}}}
    assert api.client.post("/graphql", json={"query": asked}).status_code == 401
    with serving(settings.model_copy(update={"introspection": False})) as silent:
        for query in (
            asked,
            '{ __type(name: "Draft") { name } }',
            "{ viewer { id } ...A } fragment A on Query { __schema { queryType { name } } }",
        ):
            answer = silent.answer(query, AUTHOR)
            assert [error["extensions"]["code"] for error in answer["errors"]] == ["INTROSPECTION_OFF"]
        assert silent.ask("{ __typename viewer { __typename } }", AUTHOR)["__typename"] == "Query"


def test_a_text_has_a_largest_length_and_variables_a_largest_number_of_values(api: Api, settings: Settings) -> None:
    limit = settings.max_tokens * 20
    for length in (limit, limit + 1):
        query = "{ viewer { id } } #"
        answer = api.answer(query + "x" * (length - len(query)), AUTHOR)
        told = [(error["extensions"]["code"], error["message"]) for error in answer.get("errors", [])]
        message = f"The query has {length} characters; the limit is {limit}. Use variables."
        assert told == ([] if length == limit else [("QUERY_TOO_LARGE", message)])
    query = "query Q($ids: [ID!]) { drafts(ids: $ids) { items { id } } }"
    for values in (9_999, 10_000):  # and the list itself
        answer = api.answer(query, AUTHOR, ids=[""] * values)
        told = [(error["extensions"]["code"], error["message"]) for error in answer.get("errors", [])]
        message = "The variables have more than 10000 values, the limit."
        assert ("QUERY_TOO_LARGE", message) in told if values == 10_000 else ("QUERY_TOO_LARGE", message) not in told
