"""Tables with rules of their own: what they refuse is not reported as done, and the incident has PostgreSQL's words."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from psycopg import sql

from api.settings import Settings
from tests.commands.running import run
from tests.serving import ADMIN, AUTHOR, GOLD, REVIEWER, Api, Drafts, Someone, serving
from tests.tables.shapes import Shape, Table, drop, make
from tests.verbs import COMPLETE, RETRY, SUBMIT, WITHDRAW, open_task, perform, rejected, status, submitted

THEIRS = {
    "draft": "Entwurf",
    "submitted": "in Prüfung",
    "approved": "published",
    "rejected": "Rejected",
    "withdrawn": "draft again",
    "conflict": "stale",
}
MAPPED = ",".join(f"{ours}:{theirs}" for ours, theirs in THEIRS.items())
ALL_THEIRS = [*THEIRS.values(), "returned"]
FOUR = "text DEFAULT 'draft' CONSTRAINT four CHECK (status IN ('draft', 'submitted', 'approved', 'rejected'))"
CREATE = """mutation Create($input: CreateDraftFromPlanInput!) { createDraftFromPlan(input: $input) {
  draft { id name } userErrors { code message field } } }"""
COUNT = "query C($status: [DraftStatus!]) { drafts(filter: {status: $status}) { totalCount items { status } } }"
REFUSED = "The drafts database refused a statement: run `plan-api check`, and see the log"
NOT_KEPT = "The drafts database has not kept what was written: run `plan-api check`, and see the log"


@contextmanager
def table_of(drafts: Drafts, settings: Settings, types: dict[str, str], **changed: Any) -> Iterator[tuple[Table, Api]]:
    table = make(drafts.connection, settings.model_copy(update=changed), Shape("rules", types))
    try:
        with serving(table.settings) as api:
            yield table, api
    finally:
        drop(table)


def quoted(words: list[str]) -> str:
    return ", ".join(f"'{word}'" for word in words)


def told_by(answer: dict[str, Any]) -> list[tuple[str, str]]:
    return [(error["message"], error["extensions"]["code"]) for error in answer["errors"]]


@pytest.mark.parametrize(
    "kind", ["text CHECK (status IN ({}))", "enum", "varchar(11) CHECK (status = ANY(ARRAY[{}]))", "domain"]
)
def test_a_table_with_other_words_for_statuses(settings: Settings, drafts: Drafts, kind: str) -> None:
    """Each status is written, read, filtered and counted under the table's own."""
    connection, word = drafts.connection, uuid.uuid4().hex[:12]
    if kind in ("enum", "domain"):
        made = "ENUM ({})" if kind == "enum" else "AS text CHECK (VALUE IN ({}))"
        what = "TYPE" if kind == "enum" else "DOMAIN"
        as_enum = "AS " if kind == "enum" else ""
        connection.execute(f"CREATE {what} status_{word} {as_enum}{made.format(quoted(ALL_THEIRS))}".encode())
    types = {"status": f"status_{word}" if kind in ("enum", "domain") else kind.format(quoted(ALL_THEIRS))}
    with table_of(drafts, settings, types, draft_statuses=THEIRS) as (table, api):
        draft_id = table.insert(name="A", plan_data=GOLD, created_by="author", status="Entwurf")
        table.insert(name="B", plan_data=GOLD, created_by="author", status="stale")
        submitted(api, draft_id, AUTHOR)
        assert table.row(draft_id, "status") == ("in Prüfung",)
        assert api.ask(COUNT, AUTHOR, status=["SUBMITTED"])["drafts"] == {
            "totalCount": 1,
            "items": [{"status": "SUBMITTED"}],
        }
        assert perform(api, WITHDRAW, AUTHOR, draftId=draft_id)["draft"]["status"] == "WITHDRAWN"
        assert table.row(draft_id, "status") == ("draft again",)
        assert api.ask(COUNT, AUTHOR, status=["DRAFT"])["drafts"]["totalCount"] == 0
        assert api.ask(COUNT, AUTHOR, status=["CONFLICT", "WITHDRAWN"])["drafts"]["totalCount"] == 2
        submitted(api, draft_id, AUTHOR)
        assert rejected(api, draft_id)["status"] == "REJECTED"
        assert table.row(draft_id, "status") == ("Rejected",)
        submitted(api, draft_id, AUTHOR)
        payload = perform(api, COMPLETE, REVIEWER, taskId=open_task(api, draft_id), approved=True)
        assert (payload["status"], payload["draft"]["status"]) == ("APPROVED", "APPROVED")
        assert table.row(draft_id, "status") == ("published",)
        new = perform(api, CREATE, AUTHOR, planId=payload["plan"]["id"])
        assert new["userErrors"] == []
        assert table.row(new["draft"]["id"], "status") == ("Entwurf",)
        lines = run(settings, "check", DRAFTS_TABLE=table.parts[0], DRAFT_STATUSES=MAPPED).lines
        assert [line for line in lines if line.startswith("wrong")] == []
        lines = run(settings, "check", DRAFTS_TABLE=table.parts[0]).lines
        assert any(line.startswith("wrong   ") and "returned" not in line and "withdrawn" in line for line in lines)
    if kind in ("enum", "domain"):
        connection.execute(f"DROP {what} status_{word}".encode())


def test_a_status_that_is_refused_is_no_success(settings: Settings, drafts: Drafts, engine: httpx.Client) -> None:
    """The draft stays in approval, the incident has PostgreSQL's words, and once the table is mended it goes on."""
    with table_of(drafts, settings, {"status": FOUR}) as (table, api):
        draft_id = table.insert(name="A", plan_data=GOLD, created_by="author")
        process_id = submitted(api, draft_id, AUTHOR)
        answer = api.answer(WITHDRAW, AUTHOR, input={"draftId": draft_id})
        assert answer["data"] == {"withdrawSubmission": None}
        assert "four" not in str(answer)
        (incident,) = engine.get("/incident", params={"processInstanceId": process_id}).json()
        words = f'{REFUSED}; the system says: new row for relation "{table.parts[0]}" violates check constraint "four"'
        assert incident["incidentMessage"] == words
        told = status(api, draft_id)
        assert (told["draftStatus"], told["problem"]) == ("SUBMITTED", REFUSED)
        dropped = sql.SQL("ALTER TABLE {} DROP CONSTRAINT four").format(sql.Identifier(*table.parts))
        table.connection.execute(dropped)
        assert perform(api, RETRY, ADMIN, draftId=draft_id)["draft"]["status"] == "WITHDRAWN"
        assert table.row(draft_id, "status") == ("withdrawn",)


def test_a_submission_that_is_refused_starts_one_process(
    settings: Settings, drafts: Drafts, engine: httpx.Client
) -> None:
    with table_of(drafts, settings, {"status": "text CHECK (status <> 'submitted')"}) as (table, api):
        draft_id = table.insert(name="A", plan_data=GOLD, created_by="author")
        answer = api.answer(SUBMIT, AUTHOR, input={"draftId": draft_id})
        assert answer["data"] == {"submitForApproval": None}
        assert table.row(draft_id, "status", "camunda_process_id") == (None, None)
        started = engine.get("/history/process-instance", params={"processInstanceBusinessKey": draft_id}).json()
        assert len(started) == 1
        (waiting,) = engine.get("/external-task", params={"processInstanceId": started[0]["id"]}).json()
        assert "violates check constraint" in waiting["errorMessage"]


@pytest.mark.parametrize("undone", ["RETURN NULL", "NEW.status := OLD.status; RETURN NEW"])
def test_a_trigger_that_undoes_a_write_is_no_success(
    settings: Settings, drafts: Drafts, engine: httpx.Client, undone: str
) -> None:
    with table_of(drafts, settings, {}) as (table, api):
        draft_id = table.insert(name="A", plan_data=GOLD, created_by="author")
        process_id = submitted(api, draft_id, AUTHOR)
        name = table.parts[0]
        table.connection.execute(
            f"CREATE FUNCTION {name}_undo() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {undone}; END $$;"
            f"CREATE TRIGGER undo BEFORE UPDATE ON {name} FOR EACH ROW EXECUTE FUNCTION {name}_undo()".encode()
        )
        answer = api.answer(WITHDRAW, AUTHOR, input={"draftId": draft_id})
        assert answer["data"] == {"withdrawSubmission": None}
        (incident,) = engine.get("/incident", params={"processInstanceId": process_id}).json()
        assert incident["incidentMessage"].startswith(NOT_KEPT)
        table.connection.execute(f"DROP TRIGGER undo ON {name}".encode())
        assert perform(api, RETRY, ADMIN, draftId=draft_id)["draft"]["status"] == "WITHDRAWN"
        table.connection.execute(f"DROP FUNCTION {name}_undo CASCADE".encode())


@pytest.fixture(scope="module")
def plan_id(api: Api, drafts: Drafts) -> str:
    """A plan that is published."""
    draft_id = drafts.new()
    submitted(api, draft_id, AUTHOR)
    perform(api, COMPLETE, REVIEWER, taskId=open_task(api, draft_id), approved=True)
    return draft_id


TAKEN = "Another draft has this {} already, and the drafts table takes each only once; choose another."
NOT_TAKEN = "The drafts table does not accept this {}; choose another."


@pytest.mark.parametrize(
    ("types", "rule", "message", "field"),
    [
        ({}, "ADD UNIQUE (name)", TAKEN.format("name"), "name"),
        ({"name": "varchar(12)"}, "ADD UNIQUE (aidbox_id)", NOT_TAKEN.format("name"), "name"),
        ({}, "ADD UNIQUE (aidbox_id)", TAKEN.format("aidbox_id"), "planId"),
        ({}, "ADD UNIQUE (created_by, name)", TAKEN.format("name and created_by"), "name"),
        ({}, "ADD CHECK (name !~ 'Plan')", NOT_TAKEN.format("name"), "name"),
        ({}, "ADD CONSTRAINT one_name EXCLUDE (lower(name) WITH =)", TAKEN.format("name"), "name"),
        ({}, "ADD CHECK (created_by <> 'author')", NOT_TAKEN.format("created_by"), "userId"),
    ],
)
def test_a_new_draft_that_the_table_refuses_names_the_column(
    settings: Settings, drafts: Drafts, plan_id: str, types: dict[str, str], rule: str, message: str, field: str
) -> None:
    with table_of(drafts, settings, types) as (table, api):
        if "author" not in rule:
            edits = plan_id if "aidbox" in rule and not types else None
            name = "Short" if types else "A Plan of mine"
            table.insert(name=name, plan_data=GOLD, created_by="author", aidbox_id=edits)
        if "!~" in rule:
            rule += " NOT VALID"
        changed = sql.SQL("ALTER TABLE {} {}").format(sql.Identifier(*table.parts), sql.SQL(rule))
        table.connection.execute(changed)
        payload = perform(api, CREATE, AUTHOR, planId=plan_id, name="A Plan of mine", id=str(uuid.uuid4()))
        assert payload == {"draft": None, "userErrors": [{"code": "INVALID", "message": message, "field": field}]}


@pytest.mark.parametrize("rule", ["ADD region text NOT NULL", "ADD region text CHECK (region IS NOT NULL)"])
def test_a_column_of_the_teams_own_that_must_be_there(
    settings: Settings, drafts: Drafts, plan_id: str, rule: str
) -> None:
    """No author can mend it, so it is an error that says who can; `check` names the column."""
    with table_of(drafts, settings, {}) as (table, api):
        changed = sql.SQL("ALTER TABLE {} {}").format(sql.Identifier(*table.parts), sql.SQL(rule))
        table.connection.execute(changed)
        answer = api.answer(CREATE, AUTHOR, input={"planId": plan_id})
        assert (answer["data"], told_by(answer)) == ({"createDraftFromPlan": None}, [(REFUSED, "UPSTREAM_DECLINED")])
        if "NOT NULL" in rule and "CHECK" not in rule:
            lines = run(settings, "check", DRAFTS_TABLE=table.parts[0]).lines
            told = (
                "region: must have a value and has no default, so no draft can be made from a plan; give it a default"
            )
            assert f"warning new drafts: {told}" in lines


def test_an_insert_that_a_trigger_swallows_is_no_success(settings: Settings, drafts: Drafts, plan_id: str) -> None:
    with table_of(drafts, settings, {}) as (table, api):
        name = table.parts[0]
        table.connection.execute(
            f"CREATE FUNCTION {name}_no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;"
            f"CREATE TRIGGER no BEFORE INSERT ON {name} FOR EACH ROW EXECUTE FUNCTION {name}_no()".encode()
        )
        answer = api.answer(CREATE, AUTHOR, input={"planId": plan_id})
        assert (answer["data"], told_by(answer)) == ({"createDraftFromPlan": None}, [(NOT_KEPT, "UPSTREAM_DECLINED")])
        table.connection.execute(f"DROP FUNCTION {name}_no CASCADE".encode())


VIEW = "CREATE VIEW {0}_view AS SELECT * FROM {0}"


def test_a_view_is_a_table(settings: Settings, drafts: Drafts) -> None:
    with table_of(drafts, settings, {"id": "uuid PRIMARY KEY"}) as (table, _):
        name = table.parts[0]
        table.connection.execute(VIEW.format(name).encode())
        changed = table.settings.model_copy(update={"drafts_table": f"{name}_view"})
        someone = Someone("author")
        with serving(changed) as api:
            draft_id = table.insert(id=uuid.uuid4(), name="A", plan_data=GOLD, created_by="author")
            submitted(api, draft_id, someone)
            payload = perform(api, COMPLETE, REVIEWER, taskId=open_task(api, draft_id), approved=True)
            assert (payload["status"], table.row(draft_id, "status")) == ("APPROVED", ("approved",))
            made = perform(api, CREATE, someone, planId=draft_id)
            assert made["userErrors"] == []
        assert run(settings, "setup", DRAFTS_TABLE=f"{name}_view").code == 0
        ran = run(settings, "check", DRAFTS_TABLE=f"{name}_view")
        assert f"warning view: {name}_view is a view: the rules of the tables behind it cannot be tried" in ran.lines
        assert [line for line in ran.lines if line.startswith("wrong")] == []
        table.connection.execute(f"DROP VIEW {name}_view".encode())
