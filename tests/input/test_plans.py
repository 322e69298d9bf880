"""Plans no author should have written: shown as they are, refused at submission, and never an error of ours."""

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import psycopg
import pytest

from api.settings import Settings
from tests.conftest import Systems
from tests.serving import AUTHOR, GOLD, Api, serving

TABLE = "drafts_as_text"
SUBMIT = """mutation M($id: ID!) { submitForApproval(input: {draftId: $id}) {
  processId status userErrors { code field } } }"""
READ = "query Q($id: ID!) { draft(id: $id) { id name revision status planData } }"


def nested(levels: int) -> str:
    return '{"resourceType": "InsurancePlan", "name": "x", "deep": ' + "[" * levels + "]" * levels + "}"


REFUSED = {
    "null": "null",
    "a number": "7",
    "a text": '"InsurancePlan"',
    "an array": "[]",
    "an array with a plan in it": f"[{GOLD}]",
    "an empty object": "{}",
    "another resource": '{"resourceType": "Patient", "name": "x"}',
    "resourceType a list": '{"resourceType": ["InsurancePlan"], "name": "x"}',
    "no name and no identifier": '{"resourceType": "InsurancePlan"}',
    "a status there is not": '{"resourceType": "InsurancePlan", "name": "x", "status": "approved"}',
    "status a list": '{"resourceType": "InsurancePlan", "name": "x", "status": ["active"]}',
    "status an object": '{"resourceType": "InsurancePlan", "name": "x", "status": {"a": 1}}',
    "too deep": nested(100),
    "far too deep": nested(10_000),
    "absurdly deep": nested(400_000),
    "too big": json.dumps({"resourceType": "InsurancePlan", "name": "x" * 1_000_001}),
    "too big in bytes": json.dumps({"resourceType": "InsurancePlan", "name": "é" * 600_000}, ensure_ascii=False),
    "nothing": "",
    "no JSON": "Gold plan, 1500 deductible",
    "HTML": "<html></html>",
    "half of some JSON": '{"resourceType": "InsurancePlan", "name": "x',
    "more than JSON": '{"resourceType": "InsurancePlan", "name": "x"} {}',
    "NaN": '{"resourceType": "InsurancePlan", "name": "x", "extension": [{"valueDecimal": NaN}]}',
    "Infinity": '{"resourceType": "InsurancePlan", "name": "x", "extension": [{"valueDecimal": Infinity}]}',
    "a whole number of 5000 digits": '{"resourceType": "InsurancePlan", "name": "x", "a": ' + "9" * 5000 + "}",
    "a huge exponent": '{"resourceType": "InsurancePlan", "name": "x", "a": 1e999999}',
    "an absurd exponent": '{"resourceType": "InsurancePlan", "name": "x", "a": 1e999999999999999999999}',
    "a tiny exponent": '{"resourceType": "InsurancePlan", "name": "x", "a": 1e-999999999}',
    "a lone surrogate": '{"resourceType": "InsurancePlan", "name": "\\ud800"}',
    "NUL": '{"resourceType": "InsurancePlan", "name": "a\\u0000b"}',
    "a mark of byte order": '\ufeff{"resourceType": "InsurancePlan", "name": "x"}',
}


@dataclass(frozen=True)
class TextDrafts:
    """An API whose drafts table keeps plans as text, so that anything can stand there; and that table."""

    api: Api
    connection: psycopg.Connection[Any]

    def new(self, plan: str, name: str = "Odd") -> str:
        draft_id = str(uuid.uuid4())
        self.connection.execute(
            f"INSERT INTO {TABLE} (id, name, plan_data, created_by) VALUES (%s, %s, %s, %s)",  # noqa: S608  # our own name
            [draft_id, name, plan, AUTHOR.id],
        )
        return draft_id

    def row(self, draft_id: str) -> tuple[Any, ...] | None:
        return self.connection.execute(f"SELECT * FROM {TABLE} WHERE id = %s", [draft_id]).fetchone()  # noqa: S608  # as above


@pytest.fixture(scope="module")
def texts(systems: Systems, settings: Settings) -> Iterator[TextDrafts]:
    with psycopg.connect(systems.retool_database_url, autocommit=True) as connection:
        connection.execute(
            f"CREATE TABLE IF NOT EXISTS {TABLE} (id uuid PRIMARY KEY, name text, status text DEFAULT 'draft',"
            " plan_data text, aidbox_id text, camunda_process_id text, created_by text, updated_at timestamptz"
            " DEFAULT now())"
        )
        with serving(settings.model_copy(update={"drafts_table": TABLE})) as api:
            yield TextDrafts(api, connection)


@pytest.mark.parametrize("plan", REFUSED.values(), ids=REFUSED)
def test_a_plan_that_is_none_is_shown_and_refused(texts: TextDrafts, engine: httpx.Client, plan: str) -> None:
    draft_id = texts.new(plan)
    before = texts.row(draft_id)
    shown = texts.api.post(READ, AUTHOR, id=draft_id)
    assert shown.status_code == 200
    assert '"errors"' not in shown.text
    payload = texts.api.ask(SUBMIT, AUTHOR, id=draft_id)["submitForApproval"]
    expected = {"processId": None, "status": None, "userErrors": [{"code": "INVALID_PLAN", "field": "draftId"}]}
    assert payload == expected
    old = texts.api.client.post(f"/api/plans/{draft_id}/submit", json={"draftId": draft_id}, headers=AUTHOR.headers)
    assert (old.status_code, old.json()["code"]) == (422, "INVALID_PLAN")
    assert texts.row(draft_id) == before
    assert engine.get("/process-instance", params={"businessKey": draft_id}).json() == []


@pytest.mark.parametrize("name", ["no JSON", "nothing", "half of some JSON", "more than JSON", "NaN"])
def test_a_text_that_is_no_json_is_shown_as_text(texts: TextDrafts, name: str) -> None:
    draft_id = texts.new(REFUSED[name])
    assert texts.api.ask(READ, AUTHOR, id=draft_id)["draft"]["planData"] == REFUSED[name]


def test_of_a_doubled_key_the_last_one_counts_everywhere(texts: TextDrafts) -> None:
    plan = '{"resourceType": "Patient", "name": "first", "resourceType": "InsurancePlan", "name": "last"}'
    draft_id = texts.new(plan)
    assert texts.api.ask(READ, AUTHOR, id=draft_id)["draft"]["planData"]["name"] == "last"


def test_a_page_with_odd_plans_in_it_is_a_page(texts: TextDrafts) -> None:
    mark = uuid.uuid4().hex
    for plan in (*list(REFUSED.values())[:12], "no JSON", GOLD):
        texts.new(plan, name=mark)
    query = "query Q($mark: String) { drafts(filter: {nameContains: $mark}) { totalCount items { id planData } } }"
    page = texts.api.ask(query, AUTHOR, mark=mark)["drafts"]
    assert (page["totalCount"], len(page["items"])) == (14, 14)


def test_a_row_with_nulls_is_a_draft(texts: TextDrafts) -> None:
    draft_id = str(uuid.uuid4())
    texts.connection.execute(
        f"INSERT INTO {TABLE} (id, status, updated_at) VALUES (%s, NULL, NULL)",  # noqa: S608  # our own name
        [draft_id],
    )
    draft = texts.api.ask(READ, AUTHOR, id=draft_id)["draft"]
    assert (draft["name"], draft["status"], draft["planData"]) == ("", "DRAFT", None)
    payload = texts.api.ask(SUBMIT, AUTHOR, id=draft_id)["submitForApproval"]
    assert [error["code"] for error in payload["userErrors"]] in (["INVALID_PLAN"], ["FORBIDDEN"])
