"""What PostgreSQL can hold and Python, JSON or a memory can not: such a row never takes the others with it."""

import uuid
from collections.abc import Iterator

import pytest
from psycopg import sql

from api.settings import Settings
from api.upstreams.retool.records import TOO_LARGE
from tests.serving import AUDITOR, AUTHOR, GOLD, REVIEWER, Api, Drafts, Someone, serving
from tests.tables.shapes import Shape, Table, drop, make
from tests.verbs import COMPLETE, SUBMIT, WITHDRAW, open_task, perform, submitted

LIST = """query List($sort: [DraftSort!], $limit: Int! = 50, $offset: Int! = 0) {
  drafts(sort: $sort, limit: $limit, offset: $offset) { totalCount items { name updatedAt } } }"""
INSTANTS = {
    "infinity": "9999-12-31T23:59:59.999999Z",
    "294276-12-31 23:59:59+00": "9999-12-31T23:59:59.999999Z",
    "10000-01-01 00:00:00+00": "9999-12-31T23:59:59.999999Z",
    "9999-12-31 23:59:59.999999+00": "9999-12-31T23:59:59.999999Z",
    "2026-03-01 12:00:00+00": "2026-03-01T12:00:00Z",
    "0001-01-01 00:00:00+00": "0001-01-01T00:00:00Z",
    "0044-03-15 12:00:00+00 BC": "0001-01-01T00:00:00Z",
    "-infinity": "0001-01-01T00:00:00Z",
}
BOMBS = {
    "long": "[" + ",".join(["1e131071"] * 100) + "]",
    "negative": "[" + ",".join(["-9e130000"] * 40) + "]",
    "small": "[" + ",".join(["1e-16383"] * 100) + "]",
    "a little too small": "[" + ",".join(["1e-41"] * 10_000) + "]",
    "nested": '{"a": {"b": [' + ",".join(["1e131071"] * 20) + "]}}",
    "very many": "[" + ",".join(["1e131071"] * 10_000) + "]",
    "a long text": '"' + "x" * 5_000_000 + '"',
}
ONE = "query D($id: ID!) { draft(id: $id) { %s } }"
BLANKS = ("", " ", "\t\n", "\u00a0", "\u3000 \u2003")


@pytest.fixture
def world(settings: Settings, drafts: Drafts) -> Iterator[tuple[Table, Api]]:
    table = make(drafts.connection, settings, Shape("values", {"id": "uuid PRIMARY KEY"}, ids="uuid"))
    with serving(table.settings) as api:
        yield table, api
    drop(table)


@pytest.mark.parametrize("updated_at", ["timestamptz", "timestamp"])
def test_instants_that_python_has_not(updated_at: str, settings: Settings, drafts: Drafts) -> None:
    """They are shown as the nearest it has, and sorted as they are; pages follow each other."""
    table = make(drafts.connection, settings, Shape("instants", {"updated_at": updated_at}))
    for instant in INSTANTS:
        table.insert(name=instant, plan_data=GOLD, created_by="author", updated_at=instant)
    by_name = [{"by": "UPDATED_AT", "descending": True}, {"by": "NAME"}]
    with serving(table.settings) as api:
        page = api.ask(LIST, AUTHOR, sort=by_name)["drafts"]
        pages = [api.ask(LIST, AUTHOR, sort=by_name, limit=3, offset=start)["drafts"]["items"] for start in (0, 3, 6)]
    drop(table)
    assert page["totalCount"] == len(INSTANTS)
    assert page["items"] == [{"name": name, "updatedAt": shown} for name, shown in INSTANTS.items()]
    assert [item for part in pages for item in part] == page["items"]


@pytest.mark.parametrize("plan", BOMBS.values(), ids=BOMBS)
def test_a_plan_too_large_to_be_read_is_one_drafts_error(world: tuple[Table, Api], plan: str) -> None:
    table, api = world
    good = table.insert(name="A", plan_data=GOLD, created_by="author")
    bad = table.insert(name="B", plan_data=plan, created_by="author")
    for fields in ("revision", "planData", "name revision planData"):
        answer = api.post(f"{{ drafts(sort: [{{by: NAME}}]) {{ items {{ id {fields} }} }} }}", AUDITOR)
        assert len(answer.content) < 20_000
        body = answer.json()
        assert [item and item["id"] for item in body["data"]["drafts"]["items"]] == [good, None]
        told = {(error["message"], error["extensions"]["code"], tuple(error["path"][:3])) for error in body["errors"]}
        assert told == {(TOO_LARGE, "INVALID_PLAN", ("drafts", "items", 1))}
    assert api.ask(ONE % "name status updatedAt", AUTHOR, id=bad)["draft"]["name"] == "B"
    before = table.row(bad, "status", "camunda_process_id")
    payload = perform(api, SUBMIT, AUTHOR, draftId=bad)
    assert payload["userErrors"] == [{"code": "INVALID_PLAN", "message": TOO_LARGE, "field": "draftId"}]
    assert table.row(bad, "status", "camunda_process_id") == before


def test_a_plan_that_became_too_large_is_not_published(world: tuple[Table, Api]) -> None:
    table, api = world
    draft_id = table.insert(name="Grows", plan_data=GOLD, created_by="author")
    submitted(api, draft_id, AUTHOR)
    grown = sql.SQL("UPDATE {} SET plan_data = %s WHERE id = %s").format(sql.Identifier(*table.parts))
    table.connection.execute(grown, [BOMBS["very many"], draft_id])
    payload = perform(api, COMPLETE, REVIEWER, taskId=open_task(api, draft_id), approved=True)
    assert (payload["status"], payload["reason"]) == ("CONFLICT", "Draft changed since it was submitted")
    assert table.row(draft_id, "status") == ("conflict",)


@pytest.mark.parametrize(
    "value",
    [
        "1" + "0" * 29,
        "0." + "1" * 16_000,
        "1" * 2_900,
        '"' + "long " * 20_000 + '"',
        "[" + ", ".join(["12.50"] * 60_000) + "]",
        "[" + ", ".join(["0." + "1" * 30] * 20_000) + "]",
    ],
    ids=["30 digits", "many decimals", "many digits", "text", "amounts", "decimals"],
)
def test_what_is_only_long_is_shown_to_the_digit(world: tuple[Table, Api], value: str) -> None:
    table, api = world
    draft_id = table.insert(name="Long", plan_data=f'{{"value": {value}}}', created_by="author")
    text = api.post(ONE % "planData", AUTHOR, id=draft_id).text
    assert f'{{"value": {value}}}' in text


@pytest.mark.parametrize("blank", BLANKS)
def test_blank_is_null_in_every_column(world: tuple[Table, Api], blank: str) -> None:
    """Nobody wrote it, so it is anybody's; it is in no approval, and edits no plan."""
    table, api = world
    name = uuid.uuid4().hex
    draft_id = table.insert(name=name, plan_data=GOLD, created_by=blank, aidbox_id=blank, camunda_process_id=blank)
    someone = Someone(f"someone-{name}")
    fields = "createdBy aidboxId camundaProcessId approval { state } currentPlan { id }"
    assert api.ask(ONE % fields, someone, id=draft_id)["draft"] == {
        "createdBy": None,
        "aidboxId": None,
        "camundaProcessId": None,
        "approval": {"state": "NOT_SUBMITTED"},
        "currentPlan": None,
    }
    listed = "query L($n: String) { drafts(filter: {nameContains: $n}) { totalCount items { id } } }"
    assert api.ask(listed, someone, n=name) == {"drafts": {"totalCount": 1, "items": [{"id": draft_id}]}}
    process_id = submitted(api, draft_id, someone)
    assert table.row(draft_id, "status", "camunda_process_id") == ("submitted", process_id)
    assert api.ask(listed, Someone("another"), n=name)["drafts"]["totalCount"] == 0
    assert perform(api, WITHDRAW, someone, draftId=draft_id)["draft"]["status"] == "WITHDRAWN"


LOOKED_AT = """CREATE SEQUENCE {table}_looks;
CREATE FUNCTION {table}_seen(author text, value text) RETURNS text STABLE LANGUAGE plpgsql AS
  $$ BEGIN IF author = 'somebody' THEN PERFORM nextval('{table}_looks'); END IF; RETURN value; END $$;
CREATE VIEW {table}_view AS SELECT id, {table}_seen(created_by, name) AS name, status, plan_data,
  {table}_seen(created_by, aidbox_id) AS aidbox_id, camunda_process_id, created_by, updated_at FROM {table}"""
NO_LONGER = "DROP VIEW {table}_view; DROP FUNCTION {table}_seen; DROP SEQUENCE {table}_looks"


def test_names_of_others_drafts_are_not_looked_at(settings: Settings, drafts: Drafts) -> None:
    """A view notes whether a name or a plan's reference of somebody's is looked at: how long that takes would tell."""
    table = make(drafts.connection, settings, Shape("looked at"))
    name, connection = table.parts[0], drafts.connection
    connection.execute(LOOKED_AT.format(table=name).encode())
    for number in range(20):
        table.insert(name=f"Secret {number}", plan_data=GOLD, created_by="somebody", aidbox_id="p")
    mine = table.insert(name="Secret of mine", plan_data=GOLD, created_by="author", aidbox_id="p")
    query = "query Q($f: DraftFilter) { drafts(filter: $f) { totalCount items { id } } }"
    looks = f"SELECT is_called FROM {name}_looks".encode()  # noqa: S608  # a name of our own
    with serving(table.settings.model_copy(update={"drafts_table": f"{name}_view"})) as api:
        for given in (
            {"nameContains": "secret"},
            {"aidboxId": "p"},
            {"nameContains": "S", "createdBy": "author"},
            {"aidboxId": "p", "createdBy": "author", "status": ["DRAFT"]},
        ):
            assert api.ask(query, AUTHOR, f=given) == {"drafts": {"totalCount": 1, "items": [{"id": mine}]}}
        by_author = connection.execute(looks).fetchone()
        assert api.ask(query, AUDITOR, f={"nameContains": "secret"})["drafts"]["totalCount"] == 21
        by_auditor = connection.execute(looks).fetchone()
    connection.execute(NO_LONGER.format(table=name).encode())
    drop(table)
    assert (by_author, by_auditor) == ((False,), (True,))
