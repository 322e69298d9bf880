"""Databases of another encoding, and with settings that are not the defaults."""

import uuid
from collections.abc import Iterator

import pytest
from psycopg import sql

from api.settings import Settings
from tests.serving import AUTHOR, GOLD, REVIEWER, Api, Someone
from tests.tables.databases import database, served
from tests.tables.shapes import Shape, Table
from tests.verbs import COMPLETE, WITHDRAW, codes, open_task, perform, submitted

SETTINGS = {
    "TimeZone": "Asia/Kolkata",
    "DateStyle": "German, DMY",
    "IntervalStyle": "sql_standard",
    "client_encoding": "LATIN1",
    "bytea_output": "escape",
    "standard_conforming_strings": "off",
    "escape_string_warning": "off",
    "extra_float_digits": "-15",
    "default_transaction_isolation": "serializable",
    "lc_messages": "C",
    "transform_null_equals": "on",
    "row_security": "off",
    "quote_all_identifiers": "on",
    "plan_cache_mode": "force_generic_plan",
    "client_min_messages": "debug1",
    "xmloption": "document",
}
ENCODINGS = ("LATIN1", "WIN1252", "SQL_ASCII", "KOI8R", "EUC_JP")
OUTSIDE = "a\u0f40💡"  # in none of them but the one that has no encoding
LIFE = """query Life($name: String) { drafts(filter: {nameContains: $name}, sort: [{by: UPDATED_AT}]) {
  totalCount items { id name status revision planData createdBy updatedAt } } }"""
MINE = "query M($me: ID) { drafts(filter: {createdBy: $me}, sort: [{by: NAME}]) { items { id name } } }"
CREATE = """mutation Create($input: CreateDraftFromPlanInput!) { createDraftFromPlan(input: $input) {
  draft { id name } userErrors { code message field } } }"""


@pytest.fixture(scope="module", params=[*ENCODINGS, "other settings"])
def place(request: pytest.FixtureRequest, settings: Settings) -> Iterator[tuple[Table, Api, str]]:
    url = settings.retool_database_url.get_secret_value()
    encoding = request.param if request.param in ENCODINGS else "UTF8"
    given = {} if request.param in ENCODINGS else SETTINGS
    with database(url, encoding=encoding, settings=given) as own, served(settings, own, Shape("other")) as (table, api):
        yield table, api, encoding


def test_the_life_of_a_draft(place: tuple[Table, Api, str]) -> None:
    table, api, _ = place
    name = f"Plan {uuid.uuid4().hex}"
    draft_id = table.insert(id=str(uuid.uuid4()), name=name, plan_data=GOLD, created_by="author",
                            updated_at="2026-03-01 12:00:00.123456+00")  # fmt: skip
    (item,) = api.ask(LIFE, AUTHOR, name=name)["drafts"]["items"]
    assert (item["updatedAt"], item["status"]) == ("2026-03-01T12:00:00.123456Z", "DRAFT")
    submitted(api, draft_id, AUTHOR)
    assert perform(api, WITHDRAW, AUTHOR, draftId=draft_id)["draft"]["status"] == "WITHDRAWN"
    submitted(api, draft_id, AUTHOR)
    assert perform(api, COMPLETE, REVIEWER, taskId=open_task(api, draft_id), approved=True)["status"] == "APPROVED"
    made = perform(api, CREATE, AUTHOR, planId=draft_id, name=f"{name} again")
    assert (made["userErrors"], made["draft"]["name"]) == ([], f"{name} again")
    assert [each["status"] for each in api.ask(LIFE, AUTHOR, name=name)["drafts"]["items"]] == ["APPROVED", "DRAFT"]


def test_a_sign_outside_the_encoding_is_in_no_draft(place: tuple[Table, Api, str]) -> None:
    """Neither in an id, nor in a filter, nor in a person's id; and it takes no others with it."""
    table, api, _ = place
    draft_id = table.insert(id=str(uuid.uuid4()), name="Plain", plan_data=GOLD, created_by="author")
    assert api.ask("query D($id: ID!) { draft(id: $id) { id } }", AUTHOR, id=OUTSIDE) == {"draft": None}
    both = api.ask("query D($ids: [ID!]) { drafts(ids: $ids) { items { id } } }", AUTHOR, ids=[OUTSIDE, draft_id])
    assert both["drafts"]["items"] == [None, {"id": draft_id}]
    count = "query C($filter: DraftFilter) { drafts(filter: $filter) { totalCount items { id } } }"
    outside = f"{OUTSIDE}{uuid.uuid4().hex}"  # no other test's, in a database that can hold it
    for key in ("createdBy", "nameContains", "aidboxId"):
        assert api.ask(count, AUTHOR, filter={key: outside}) == {"drafts": {"totalCount": 0, "items": []}}
    asked = "query P($n: String) { pendingTasks(filter: {draftNameContains: $n}) { totalCount } }"
    assert api.ask(asked, REVIEWER, n=outside) == {"pendingTasks": {"totalCount": 0}}


def test_a_sign_outside_the_encoding_can_not_be_written(place: tuple[Table, Api, str]) -> None:
    table, api, encoding = place
    source = table.insert(id=str(uuid.uuid4()), name="Source", plan_data=GOLD, created_by="author")
    submitted(api, source, AUTHOR)
    perform(api, COMPLETE, REVIEWER, taskId=open_task(api, source), approved=True)
    name = f"{OUTSIDE} {uuid.uuid4().hex}"
    made = perform(api, CREATE, AUTHOR, planId=source, name=name)
    if encoding in ("UTF8", "SQL_ASCII"):
        assert (made["draft"]["name"], made["userErrors"]) == (name, [])
        return
    told = {
        "code": "INVALID",
        "message": "The drafts table does not accept this name; choose another.",
        "field": "name",
    }
    assert made == {"draft": None, "userErrors": [told]}


def test_bytes_of_another_encoding_hide_no_other_draft(place: tuple[Table, Api, str]) -> None:
    """A database without an encoding takes them."""
    table, api, encoding = place
    if encoding != "SQL_ASCII":
        assert codes(perform(api, WITHDRAW, AUTHOR, draftId="no such")) == ["NOT_FOUND"]
        return
    who = Someone(f"author-{uuid.uuid4().hex}")
    good = table.insert(id=str(uuid.uuid4()), name="A", plan_data=GOLD, created_by=who.id)
    odd = table.insert(id=str(uuid.uuid4()), name="B", plan_data=GOLD, created_by=who.id)
    renamed = sql.SQL("UPDATE {} SET name = E'B\\xfc' WHERE id = %s").format(sql.Identifier(*table.parts))
    table.connection.execute(renamed, [odd])
    page = api.ask(MINE, who, me=who.id)
    assert page["drafts"]["items"] == [{"id": good, "name": "A"}, {"id": odd, "name": "B\ufffd"}]
    submitted(api, odd, who)
    assert perform(api, COMPLETE, REVIEWER, taskId=open_task(api, odd), approved=True)["status"] == "APPROVED"
