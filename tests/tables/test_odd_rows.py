"""Rows that are not as they should be: they are shown as well as can be, and never take the others with them."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from functools import partial
from types import MappingProxyType

import httpx
import pytest

from api.settings import Settings
from tests.serving import AUTHOR, GOLD, REVIEWER, Api, Drafts, serving
from tests.tables.shapes import Shape, Table, drop, make
from tests.verbs import COMPLETE, SUBMIT, open_task, perform, submitted

ONE = "query Draft($id: ID!) { draft(id: $id) { id name status planData createdBy updatedAt } }"
TEXTS = "query Drafts { drafts(sort: [{by: NAME}]) { totalCount items { name planData } } }"


@contextmanager
def served(
    settings: Settings, drafts: Drafts, *, names: Mapping[str, str] = MappingProxyType({}), **types: str
) -> Iterator[tuple[Table, Api]]:
    """An API on a fresh table with these types."""
    table = make(drafts.connection, settings, Shape("odd", types, names))
    try:
        with serving(table.settings) as api:
            yield table, api
    finally:
        drop(table)


def until_counted(drafts: Drafts, scans: str, table: str, ask: Callable[[], object]) -> None:
    """Until the server's statistics count a scan: a connection tells them a second later, if it is asked again."""
    deadline = time.monotonic() + 100
    while drafts.connection.execute(scans.encode(), [table]).fetchone() == (0,):
        assert time.monotonic() < deadline, "no index was used"
        time.sleep(0.05)
        ask()


def test_a_row_of_nulls_is_a_draft_like_any(settings: Settings, drafts: Drafts) -> None:
    """Also for who submits it: nobody wrote it, so anybody may."""
    with served(settings, drafts) as (table, api):
        draft_id = table.insert(name=None, status=None, plan_data=GOLD, created_by=None, updated_at=None)
        shown = api.ask(ONE, AUTHOR, id=draft_id)["draft"]
        assert (shown["name"], shown["status"], shown["createdBy"]) == ("", "DRAFT", None)
        assert shown["updatedAt"] == "1970-01-01T00:00:00Z"
        process_id = submitted(api, draft_id, AUTHOR)
        assert table.row(draft_id, "status", "camunda_process_id") == ("submitted", process_id)
        payload = perform(api, COMPLETE, REVIEWER, taskId=open_task(api, draft_id), approved=True)
        assert (payload["status"], payload["userErrors"]) == ("APPROVED", [])
        assert table.row(draft_id, "name", "status", "created_by") == (None, "approved", None)


def test_a_row_of_nulls_is_counted_among_the_drafts(settings: Settings, drafts: Drafts) -> None:
    """A filter finds a row under the status it is shown with."""
    with served(settings, drafts) as (table, api):
        table.insert(name=None, status=None, plan_data=GOLD)
        table.insert(name="Odd", status="On Hold", plan_data=GOLD)
        table.insert(name="Loud", status="SUBMITTED", plan_data=GOLD)
        count = "query Count($status: [DraftStatus!]) { drafts(filter: {status: $status}) { totalCount } }"
        assert api.ask(count, AUTHOR, status=["DRAFT"]) == {"drafts": {"totalCount": 2}}
        assert api.ask(count, AUTHOR, status=["SUBMITTED"]) == {"drafts": {"totalCount": 1}}
        assert api.ask(count, AUTHOR, status=["APPROVED"]) == {"drafts": {"totalCount": 0}}


@pytest.mark.parametrize("text", ["{not json", "", "nul", '{"a": NaN}', '{"a": 01}', '"\\q"', "[" * 5000, "{} {}"])
def test_text_that_is_no_json_is_shown_as_a_string(text: str, settings: Settings, drafts: Drafts) -> None:
    with served(settings, drafts, plan_data="text") as (table, api):
        good = table.insert(name="A", plan_data='{"amount": 1500.00}', created_by="author")
        bad = table.insert(name="B", plan_data=text, created_by="author")
        table.insert(name="C", plan_data=None, created_by="author")
        before = table.row(bad, "status", "camunda_process_id", "updated_at")
        items = [
            {"name": "A", "planData": {"amount": Decimal("1500.00")}},
            {"name": "B", "planData": text},
            {"name": "C", "planData": None},
        ]
        assert api.ask(TEXTS, AUTHOR) == {"drafts": {"totalCount": 3, "items": items}}
        assert '"amount": 1500.00' in api.post(ONE, AUTHOR, id=good).text
        payload = perform(api, SUBMIT, AUTHOR, draftId=bad)
        assert payload == {
            "processId": None,
            "status": None,
            "draft": None,
            "userErrors": [
                {
                    "code": "INVALID_PLAN",
                    "message": "The plan must be a FHIR InsurancePlan: an object with resourceType InsurancePlan.",
                    "field": "draftId",
                }
            ],
        }
        assert table.row(bad, "status", "camunda_process_id", "updated_at") == before


def test_a_plan_of_null_can_not_be_submitted(settings: Settings, drafts: Drafts, engine: httpx.Client) -> None:
    with served(settings, drafts) as (table, api):
        draft_id = table.insert(name="Empty", plan_data=None, created_by="author")
        (error,) = perform(api, SUBMIT, AUTHOR, draftId=draft_id)["userErrors"]
        assert error["code"] == "INVALID_PLAN"
        assert table.row(draft_id, "status", "camunda_process_id") == ("draft", None)
    started = engine.get("/history/process-instance", params={"processInstanceBusinessKey": draft_id})
    assert started.json() == []


@pytest.mark.parametrize("called", ["updated_at", "changed"])
def test_the_draft_touched_last_stands_for_its_plan(called: str, settings: Settings, drafts: Drafts) -> None:
    """Rows without an instant were touched before all others."""
    with served(settings, drafts, names={"updated_at": called}) as (table, api):
        first = table.insert(name="First", plan_data=GOLD, created_by="author")
        submitted(api, first, AUTHOR)
        plan_id = perform(api, COMPLETE, REVIEWER, taskId=open_task(api, first), approved=True)["plan"]["id"]
        table.insert(name="Older", plan_data=GOLD, aidbox_id=plan_id, updated_at=None)
        assert api.ask("query Plan($id: ID!) { plan(id: $id) { draft { name } } }", REVIEWER, id=plan_id) == {
            "plan": {"draft": {"name": "First"}}
        }


def test_rows_without_an_instant_come_last(settings: Settings, drafts: Drafts) -> None:
    with served(settings, drafts) as (table, api):
        table.insert(name="Untouched", plan_data=GOLD, updated_at=None)
        table.insert(name="Touched", plan_data=GOLD)
        assert [item["name"] for item in api.ask("{ drafts { items { name } } }", AUTHOR)["drafts"]["items"]] == [
            "Touched",
            "Untouched",
        ]


def test_ids_that_are_numbers_are_sorted_as_numbers(settings: Settings, drafts: Drafts) -> None:
    with served(settings, drafts, id="integer PRIMARY KEY") as (table, api):
        for number in (10, 9, 100):
            table.insert(id=number, name="Same", plan_data=GOLD)
        asked = "{ drafts(sort: [{by: NAME}]) { items { id } } }"
        assert [item["id"] for item in api.ask(asked, AUTHOR)["drafts"]["items"]] == ["9", "10", "100"]


def test_pages_by_the_last_change_can_use_an_index(settings: Settings, drafts: Drafts) -> None:
    """What the statement sorts by is the column itself, whatever is selected under its name."""
    with served(settings, drafts) as (table, api):
        name = table.parts[0]
        drafts.connection.execute(f"CREATE INDEX ON {name} (updated_at DESC NULLS LAST, id)")
        drafts.connection.execute(
            f"INSERT INTO {name} (id, name, plan_data, updated_at) SELECT n::text, 'Many', '{{}}',"  # noqa: S608
            " now() - n * interval '1 minute' FROM generate_series(1, 5000) AS n"
        )
        drafts.connection.execute(f"ANALYZE {name}")
        scans = (
            "SELECT sum(idx_scan) FROM pg_stat_user_indexes WHERE relname = %s AND indexrelname LIKE '%%updated_at%%'"
        )
        page = partial(api.ask, "{ drafts(limit: 2) { items { id } } }", AUTHOR)
        assert page() == {"drafts": {"items": [{"id": "1"}, {"id": "2"}]}}
        until_counted(drafts, scans, name, page)
