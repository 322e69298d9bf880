"""Drafts of several types, each submitted to the process of its type; one deployment serves them all."""

from collections.abc import Iterator

import pytest
from psycopg import sql

from api.settings import Settings
from doctor.setup import MODEL
from tests.serving import ADMIN, AUTHOR, GOLD, REVIEWER, STRANGER, Api, Someone, serving
from tests.stories.behind import Behind, edited
from tests.verbs import CLAIM, COMPLETE, SUBMIT, WITHDRAW, approved, codes, open_task, perform, rejected, submitted

KEYS = {"dental": "dental-approval", "vision": "vision-approval", "vision plus": "vision-approval"}
OTHERS = "benefit-approval"
PATH = "$.type[0].coding[0].code"
COLUMN = "Plan type"
DRAFT = """query Draft($id: ID!) { draft(id: $id) { status
  approval { state submittedBy { id } openTasks { step } decisions { decidedBy { id } } } } }"""
DRAFTS = "query Drafts($ids: [ID!]) { drafts(ids: $ids) { items { id } } }"
PENDING = "query Pending($by: ID) { pendingTasks(filter: {submittedBy: $by}) { totalCount items { draft { id } } } }"
TASK = "query Task($id: ID!) { task(id: $id) { isOpen draft { id } } }"


def of_type(code: str) -> str:
    """A plan with this code where `PATH` leads."""
    return edited(type=[{"coding": [{"system": "urn:types", "code": code}]}])


@pytest.fixture(scope="module")
def _deployed(behind: Behind) -> None:
    model = MODEL.read_text("utf-8")
    for key in set(KEYS.values()):
        own = model.replace(f'id="{OTHERS}"', f'id="{key}"').replace(f'bpmnElement="{OTHERS}"', f'bpmnElement="{key}"')
        form = {"deployment-name": key, "enable-duplicate-filtering": "true"}
        files = {f"{key}.bpmn": (f"{key}.bpmn", own.encode(), "application/xml")}
        behind.engine.post("/deployment/create", data=form, files=files).raise_for_status()


@pytest.fixture(scope="module")
def by_path(settings: Settings, _deployed: None) -> Iterator[Api]:
    """An API that finds a draft's type in its plan."""
    with serving(settings.model_copy(update={"draft_type": PATH, "process_keys": KEYS})) as api:
        yield api


def definition(behind: Behind, draft_id: str) -> str:
    """The key of the one process that a draft has had."""
    (process,) = behind.processes(draft_id)
    return str(process["processDefinitionKey"])


@pytest.mark.parametrize(
    ("plan", "key"),
    [
        (of_type("dental"), "dental-approval"),
        (of_type("vision plus"), "vision-approval"),
        (of_type("Dental"), OTHERS),
        (of_type("*"), OTHERS),
        (GOLD, OTHERS),
        (edited(type=[{"text": "dental"}]), OTHERS),
    ],
    ids=["dental", "vision", "in other letters", "the sign for others", "another type", "no code"],
)
def test_a_draft_goes_through_the_process_of_its_type(by_path: Api, behind: Behind, plan: str, key: str) -> None:
    draft_id = behind.drafts.new(plan=plan)
    submitted(by_path, draft_id, AUTHOR)
    assert definition(behind, draft_id) == key
    assert approved(by_path, draft_id)["status"] == "APPROVED"
    row = behind.drafts.row(draft_id)
    assert (row["status"], len(behind.versions(row["aidbox_id"]))) == ("approved", 1)
    decided = {
        "state": "APPROVED",
        "submittedBy": {"id": AUTHOR.id},
        "openTasks": [],
        "decisions": [{"decidedBy": {"id": REVIEWER.id}}],
    }
    assert by_path.ask(DRAFT, REVIEWER, id=draft_id) == {"draft": {"status": "APPROVED", "approval": decided}}


def test_all_are_in_one_inbox_and_seen_by_whom_they_were_offered_to(by_path: Api, behind: Behind) -> None:
    author = Someone("author of every type")
    made = [behind.drafts.new(plan=of_type(each), author=author.id) for each in ("dental", "vision", "medical")]
    for draft_id in made:
        submitted(by_path, draft_id, author)
    pending = by_path.ask(PENDING, REVIEWER, by=author.id)["pendingTasks"]
    assert pending["totalCount"] == 3
    assert {task["draft"]["id"] for task in pending["items"]} == set(made)
    tasks = {draft_id: open_task(by_path, draft_id) for draft_id in made}
    for draft_id in made:
        rejected(by_path, draft_id)
    of_all = {"drafts": {"items": [{"id": draft_id} for draft_id in made]}}
    assert by_path.ask(DRAFTS, REVIEWER, ids=made) == of_all
    assert by_path.ask(DRAFTS, STRANGER, ids=made) == {"drafts": {"items": [None, None, None]}}
    for draft_id, task_id in tasks.items():
        assert by_path.ask(TASK, REVIEWER, id=task_id) == {"task": {"isOpen": False, "draft": {"id": draft_id}}}


def test_a_draft_whose_type_changes_stays_in_its_approval(by_path: Api, behind: Behind) -> None:
    """Sent again it is told that it changed; withdrawn and sent again it goes to the process of its new type."""
    draft_id = behind.drafts.new(plan=of_type("dental"))
    submitted(by_path, draft_id, AUTHOR)
    behind.drafts.edit(draft_id, plan=of_type("vision"))
    assert codes(perform(by_path, SUBMIT, AUTHOR, draftId=draft_id)) == ["ALREADY_SUBMITTED"]
    assert definition(behind, draft_id) == "dental-approval"
    assert codes(perform(by_path, WITHDRAW, AUTHOR, draftId=draft_id)) == []
    submitted(by_path, draft_id, AUTHOR)
    keys = [process["processDefinitionKey"] for process in behind.processes(draft_id)]
    assert sorted(keys) == ["dental-approval", "vision-approval"]


def test_a_process_that_runs_is_adopted_whatever_the_type_is_now(by_path: Api, behind: Behind) -> None:
    """As a submission leaves it that stopped between the start and its registration."""
    draft_id = behind.drafts.new(plan=of_type("dental"))
    process_id = behind.start(draft_id, business_key=draft_id, submittedBy=AUTHOR.id)
    assert submitted(by_path, draft_id, AUTHOR) == process_id
    assert definition(behind, draft_id) == OTHERS


def test_without_the_type_the_processes_of_types_are_somebody_elses(api: Api, by_path: Api, behind: Behind) -> None:
    draft_id = behind.drafts.new(plan=of_type("dental"))
    submitted(by_path, draft_id, AUTHOR)
    task_id, row = open_task(by_path, draft_id), behind.drafts.row(draft_id)
    assert api.ask(TASK, ADMIN, id=task_id) == {"task": None}
    for operation, fields in ((CLAIM, {}), (COMPLETE, {"approved": True})):
        assert codes(perform(api, operation, REVIEWER, taskId=task_id, **fields)) == ["NOT_FOUND"]
    assert behind.drafts.row(draft_id) == row
    assert [task["id"] for task in behind.tasks(draft_id)] == [task_id]


@pytest.mark.parametrize(
    ("kind", "key"), [("dental", "dental-approval"), (None, "other-approval"), ("x", "other-approval")]
)
@pytest.mark.usefixtures("_deployed")
def test_the_type_is_a_column(settings: Settings, behind: Behind, kind: str | None, key: str) -> None:
    """With a name that has to be quoted; and without a process of the type of others, the engine says so."""
    column = sql.Identifier(COLUMN)
    add = sql.SQL("ALTER TABLE benefit_plan_drafts ADD COLUMN IF NOT EXISTS {} text").format(column)
    behind.drafts.connection.execute(add)
    draft_id = behind.drafts.new()
    typed = sql.SQL("UPDATE benefit_plan_drafts SET {} = %s WHERE id = %s").format(column)
    behind.drafts.connection.execute(typed, [kind, draft_id])
    keys = {**KEYS, "*": "other-approval"}
    with serving(settings.model_copy(update={"draft_type": COLUMN, "process_keys": keys})) as api:
        answer = api.answer(SUBMIT, AUTHOR, input={"draftId": draft_id})
    if key in KEYS.values():
        assert definition(behind, draft_id) == key
        return
    (error,) = answer["errors"]
    assert error["message"].startswith(f"The engine does not have the process {key}")
    assert behind.processes(draft_id) == []
    assert behind.drafts.row(draft_id)["status"] == "draft"
