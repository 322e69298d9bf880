"""Queries that people ask by nature cost less than the default limit allows; others are told what to lower."""

import pytest

from tests.serving import REVIEWER, Api

FIELDS = "kind label path pointer precisionOnly before after beforeText afterText"
CONFLICT = "label path base mine theirs baseText mineText theirsText"
SUMMARY = "changeSummary { added removed changed precisionOnly total headline }"
NATURAL = {
    "inbox with summaries": f"""{{ pendingTasks(limit: 50) {{ totalCount items {{ id name createdAt dueAt priority
      assignee {{ id name }} submittedBy {{ id name }} hasConflict draft {{ id name status {SUMMARY} }} }} }} }}""",
    "inbox with the first ten changes": f"""{{ pendingTasks(limit: 50) {{ totalCount items {{ id name
      draft {{ name changes(limit: 10) {{ {FIELDS} }} }} }} }} }}""",
    "four tasks with their changes": """{ pendingTasks(limit: 4) { items { draft {
      changes { kind label path before after } } } } }""",
    "one draft with everything": f"""{{ draft(id: "x") {{ id name status revision planData planDataText createdBy
      updatedAt {SUMMARY} changes {{ {FIELDS} }} conflicts {{ {CONFLICT} }} basePlan {{ versionId resource }}
      currentPlan {{ versionId resource history(limit: 20) {{ versionId publishedAt }} }}
      history {{ kind at by {{ id }} step comment reason planVersionId }}
      approval {{ state submittedAt decisions {{ decidedAt decidedBy {{ id }} comment }} }} }} }}""",
    "drafts with approval and history": """{ drafts(limit: 50) { totalCount items { id name status updatedAt
      approval { state submittedAt submittedBy { id } } history(limit: 5) { kind at by { id } comment } } } }""",
}
ENTITIES = """query E($of: [_Any!]!) { _entities(representations: $of) {
  ... on Draft { id name status approval { state } changeSummary { headline } } } }"""


@pytest.mark.parametrize("query", NATURAL.values(), ids=NATURAL.keys())
def test_they_are_answered(api: Api, query: str) -> None:
    assert "data" in api.answer(query, REVIEWER)


def test_entities_of_a_gateway_are_answered(api: Api) -> None:
    representations = [{"__typename": "Draft", "id": f"none-{number}"} for number in range(200)]
    assert api.answer(ENTITIES, REVIEWER, of=representations) == {"data": {"_entities": [None] * 200}}


def test_what_is_too_much_is_told_with_what_to_lower(api: Api) -> None:
    query = "{ pendingTasks(limit: 200) { items { draft { changes(limit: 40) { before after } } } } }"
    (error,) = api.answer(query, REVIEWER)["errors"]
    assert error["message"] == (
        "The query has 160402 values that its answer could have; the limit is 100000."
        " Ask for pendingTasks(limit: 124) or changes(limit: 24)."
    )
    lowered = [query.replace("limit: 200", "limit: 124"), query.replace("limit: 40", "limit: 24")]
    assert all("data" in api.answer(each, REVIEWER) for each in lowered)
