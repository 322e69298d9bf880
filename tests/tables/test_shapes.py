"""Each shape of drafts table: its drafts are listed, found, submitted, approved and published over GraphQL."""

import json
from collections.abc import Iterator
from decimal import Decimal

import httpx
import pytest

from api.settings import Settings
from tests.serving import AUDITOR, AUTHOR, GOLD, REVIEWER, Api, Drafts, serving
from tests.tables.shapes import Shape, Table, drop, make
from tests.verbs import COMPLETE, SUBMIT, codes, open_task, perform, submitted

NAMES = {
    "id": "Plan No.",
    "name": "title",
    "status": "state",
    "plan_data": "body",
    "aidbox_id": "planRef",
    "camunda_process_id": "workflow",
    "created_by": "author",
    "updated_at": "changed",
}
SHAPES = (
    Shape("as set up"),
    Shape("ids uuid", {"id": "uuid PRIMARY KEY"}, ids="uuid"),
    Shape("ids integer", {"id": "integer PRIMARY KEY"}, ids="integer"),
    Shape("ids bigint", {"id": "bigint PRIMARY KEY"}, ids="bigint"),
    Shape("ids varchar", {"id": "varchar(80) PRIMARY KEY"}),
    Shape("ids char", {"id": "char(80) PRIMARY KEY"}),
    Shape("plan json", {"plan_data": "json"}),
    Shape("plan text", {"plan_data": "text"}),
    Shape("status varchar", {"status": "varchar(20) DEFAULT 'draft'"}),
    Shape("status enum", {"status": "enum"}),
    Shape("name varchar", {"name": "varchar(200)"}),
    Shape("plan ids and processes uuid", {"id": "uuid PRIMARY KEY", "aidbox_id": "uuid", "camunda_process_id": "uuid"},
          ids="uuid"),
    Shape("instants without a zone", {"updated_at": "timestamp without time zone DEFAULT now()"}),
    Shape("other columns", names=NAMES),
    Shape("in a schema", table=("apps_of_retool", "drafts_{}")),
    Shape("name in quotes", table=("Plan Drafts {}",), spoken='"Plan Drafts {}"'),
    Shape("name as it is", table=("Plan Drafts {}",)),
    Shape("dots and quotes", table=("A.b c", 'the "drafts" {}'), spoken='"A.b c"."the ""drafts"" {}"'),
)  # fmt: skip
LIST = """query Drafts($filter: DraftFilter, $sort: [DraftSort!]) { drafts(filter: $filter, sort: $sort) {
  totalCount items { id name status planData createdBy aidboxId camundaProcessId } } }"""
ONE = "query Draft($id: ID!) { draft(id: $id) { id name status planData createdBy revision updatedAt } }"


@pytest.fixture(params=SHAPES, ids=lambda shape: shape.title)
def table(request: pytest.FixtureRequest, settings: Settings, drafts: Drafts) -> Iterator[Table]:
    made = make(drafts.connection, settings, request.param)
    yield made
    drop(made)


@pytest.fixture
def own_api(table: Table) -> Iterator[Api]:
    with serving(table.settings) as served:
        yield served


def test_a_draft_is_listed_approved_and_published(table: Table, own_api: Api, store: httpx.Client) -> None:
    draft_id = table.insert(name="Gold", plan_data=GOLD, created_by="author")
    other_id = table.insert(name="Silver", plan_data=GOLD, created_by="somebody")
    gold = json.loads(GOLD, parse_float=Decimal)
    listed = [
        {"id": id_, "name": name, "status": "DRAFT", "planData": gold, "createdBy": author, "aidboxId": None,
         "camundaProcessId": None}
        for id_, name, author in ((draft_id, "Gold", "author"), (other_id, "Silver", "somebody"))
    ]  # fmt: skip
    assert own_api.ask(LIST, AUDITOR, sort=[{"by": "NAME"}]) == {"drafts": {"totalCount": 2, "items": listed}}
    narrowed = {"status": ["DRAFT"], "nameContains": "OLD", "createdBy": "author"}
    assert own_api.ask(LIST, AUTHOR, filter=narrowed) == {"drafts": {"totalCount": 1, "items": listed[:1]}}
    assert own_api.ask(ONE, AUTHOR, id=draft_id)["draft"]["name"] == "Gold"

    process_id = submitted(own_api, draft_id, AUTHOR)
    assert table.row(draft_id, "status", "camunda_process_id") == ("submitted", process_id)
    payload = perform(own_api, COMPLETE, REVIEWER, taskId=open_task(own_api, draft_id), approved=True)

    assert (payload["status"], payload["userErrors"]) == ("APPROVED", [])
    plan_id = payload["plan"]["id"]
    assert table.row(draft_id, "status", "aidbox_id", "camunda_process_id") == ("approved", plan_id, process_id)
    assert '"value":1500.00' in store.get(f"/InsurancePlan/{plan_id}").text.replace(" ", "")
    assert table.row(other_id, "status", "aidbox_id", "camunda_process_id") == ("draft", None, None)
    narrowed = {"aidboxId": plan_id, "status": ["APPROVED"]}
    assert own_api.ask(LIST, AUTHOR, filter=narrowed)["drafts"]["totalCount"] == 1


def test_the_draft_is_found_from_its_plan(table: Table, own_api: Api) -> None:
    """From the store back to the table, by aidbox_id; and from the task back to it, by camunda_process_id."""
    draft_id = table.insert(name="Gold", plan_data=GOLD, created_by="author")
    submitted(own_api, draft_id, AUTHOR)
    task_id = open_task(own_api, draft_id)
    assert own_api.ask("query Task($id: ID!) { task(id: $id) { draft { id } } }", REVIEWER, id=task_id) == {
        "task": {"draft": {"id": draft_id}}
    }
    plan_id = perform(own_api, COMPLETE, REVIEWER, taskId=task_id, approved=True)["plan"]["id"]
    assert own_api.ask("query Plan($id: ID!) { plan(id: $id) { draft { id } } }", REVIEWER, id=plan_id) == {
        "plan": {"draft": {"id": draft_id}}
    }


@pytest.mark.parametrize("ids", ["integer", "smallint", "bigint", "uuid", "text"])
def test_an_id_that_can_not_be_is_not_there(ids: str, settings: Settings, drafts: Drafts) -> None:
    made = make(drafts.connection, settings, Shape(ids, {"id": f"{ids} PRIMARY KEY"}))
    try:
        with serving(made.settings) as served:
            for wrong in ("", "0", "-1", "01", "x", str(2**31), str(2**63), "9" * 300, "\x00", "١", " 1 "):
                assert served.ask(ONE, AUTHOR, id=wrong) == {"draft": None}
                assert codes(perform(served, SUBMIT, AUTHOR, draftId=wrong)) == ["NOT_FOUND"]
    finally:
        drop(made)
