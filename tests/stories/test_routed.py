"""A model that chooses its reviewers by a decision table, with reminders and an escalation: bpmn/examples.

Only on systems the tests started: the model is deployed under the same key, and the usual one after it.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from api.settings import Settings
from doctor.setup import MODEL
from sandbox import Sandbox
from tests.commands.running import run
from tests.serving import ADMIN, AUTHOR, GOLD, REVIEWER, STRANGER, Api, Someone
from tests.stories.behind import Behind, edited, exactly, read, until
from tests.stories.test_change_variables import DEDUCTIBLE, costing
from tests.verbs import COMPLETE, REQUEST_CHANGES, WITHDRAW, codes, perform, status, submitted

pytestmark = pytest.mark.slow

EXAMPLES = MODEL.parent / "examples"
ROUTED, TABLE = EXAMPLES / "routed-approval.bpmn", EXAMPLES / "routed-approval.dmn"
ACTUARY = Someone("actuary", ("benefit-actuaries",))
LEAD = Someone("lead", ("benefit-leads",))
PEOPLE = {"review": REVIEWER, "actuarial-review": ACTUARY}
WORDING, COSTS = edited(name="Summit Gold 2028"), costing({DEDUCTIBLE: "1800.00"})


def _deploy(settings: Settings, *files: Path) -> None:
    """By the command, as an operator does."""
    words = [word for file in files for word in ("--model", str(file))] or ["--replace-model"]
    ran = run(settings, "setup", *words)
    assert (ran.code, ran.errors) == (0, "")
    names = ", ".join([MODEL.name, *(file.name for file in files if file.suffix == ".dmn")])
    assert ran.lines[1].startswith(f"{names}: deployed as benefit-approval:")


@pytest.fixture(scope="module", autouse=True)
def _routed(sandbox: Sandbox, settings: Settings) -> Iterator[None]:  # noqa: ARG001  # deploys to our own only
    _deploy(settings, ROUTED, TABLE)
    yield
    _deploy(settings)


@pytest.fixture
def _timers_of_a_second(settings: Settings, tmp_path: Path) -> Iterator[None]:
    model = tmp_path / "impatient.bpmn"
    model.write_bytes(ROUTED.read_bytes().replace(b">P2D<", b">PT1S<").replace(b">P5D<", b">PT2S<"))
    _deploy(settings, model, TABLE)
    yield
    _deploy(settings, ROUTED, TABLE)


def edit(api: Api, behind: Behind, plan: str) -> str:
    """A submitted draft that edits a plan of its own."""
    draft_id = behind.drafts.new(plan=plan, aidbox_id=behind.stored_plan()[0])
    submitted(api, draft_id, AUTHOR)
    return draft_id


def new_plan(api: Api, behind: Behind) -> str:
    """A submitted draft of a new plan."""
    draft_id = behind.drafts.new()
    submitted(api, draft_id, AUTHOR)
    return draft_id


def tasks(api: Api, draft_id: str) -> dict[str, str]:
    """Its open tasks: step → id."""
    return {task["step"]: task["id"] for task in status(api, draft_id)["openTasks"]}


def decided(api: Api, draft_id: str, step: str, *, approved: bool = True) -> str:
    """Decide a step as a person of its group; the status after it."""
    payload = perform(api, COMPLETE, PEOPLE[step], taskId=tasks(api, draft_id)[step], approved=approved)
    assert payload["userErrors"] == []
    return str(payload["status"])


def process_of(behind: Behind, draft_id: str) -> str:
    return str(behind.drafts.row(draft_id)["camunda_process_id"])


def route(behind: Behind, draft_id: str) -> tuple[str, list[str]]:
    """The route of a draft's process, and the rows of the table that it comes from."""
    process_id = process_of(behind, draft_id)
    asked = {"processInstanceId": process_id, "includeOutputs": "true"}
    (decision,) = behind.engine.get("/history/decision-instance", params=asked).json()
    assert decision["decisionDefinitionKey"] == "review-route"
    return behind.variables(process_id)["route"], [output["ruleId"] for output in decision["outputs"]]


def is_published(behind: Behind, draft_id: str, plan: str) -> bool:
    row = behind.drafts.row(draft_id)
    assert behind.end_of(row["camunda_process_id"]) == ["approved"]
    return bool(row["status"] == "approved") and exactly(behind.plan(row["aidbox_id"])) == exactly(read(plan))


def verdicts(api: Api, draft_id: str) -> list[tuple[str, str, str]]:
    return [(each["step"], each["verdict"], each["decidedBy"]["id"]) for each in status(api, draft_id)["decisions"]]


def test_wording_goes_to_one_reviewer(api: Api, behind: Behind) -> None:
    draft_id = edit(api, behind, WORDING)
    assert route(behind, draft_id) == ("one", ["wording"])
    assert list(tasks(api, draft_id)) == ["review"]
    assert decided(api, draft_id, "review") == "APPROVED"
    assert is_published(behind, draft_id, WORDING)
    assert verdicts(api, draft_id) == [("review", "APPROVED", "reviewer")]


def test_costs_go_to_the_actuaries_after_the_reviewers(api: Api, behind: Behind) -> None:
    draft_id = edit(api, behind, COSTS)
    assert route(behind, draft_id) == ("sequence", ["cost-sharing"])
    assert list(tasks(api, draft_id)) == ["review"]
    assert decided(api, draft_id, "review") == "IN_REVIEW"
    assert list(tasks(api, draft_id)) == ["actuarial-review"]
    for stranger, code in ((REVIEWER, "NOT_FOUND"), (STRANGER, "NOT_FOUND"), (AUTHOR, "OWN_SUBMISSION")):
        refused = perform(api, COMPLETE, stranger, taskId=tasks(api, draft_id)["actuarial-review"], approved=True)
        assert codes(refused) == [code]
    assert decided(api, draft_id, "actuarial-review") == "APPROVED"
    assert is_published(behind, draft_id, COSTS)
    assert verdicts(api, draft_id) == [
        ("review", "APPROVED", "reviewer"),
        ("actuarial-review", "APPROVED", "actuary"),
    ]


@pytest.mark.parametrize("order", [("review", "actuarial-review"), ("actuarial-review", "review")])
def test_a_new_plan_goes_to_both_at_once(api: Api, behind: Behind, order: tuple[str, str]) -> None:
    draft_id = new_plan(api, behind)
    assert route(behind, draft_id) == ("parallel", ["new-plan"])
    assert set(tasks(api, draft_id)) == set(order)
    first, second = order
    assert decided(api, draft_id, first) == "IN_REVIEW"
    assert (list(tasks(api, draft_id)), behind.versions(draft_id)) == ([second], [])
    assert decided(api, draft_id, second) == "APPROVED"
    assert is_published(behind, draft_id, GOLD)
    assert verdicts(api, draft_id) == [(step, "APPROVED", PEOPLE[step].id) for step in order]


@pytest.mark.parametrize(
    ("plan", "first"), [(edited(period={"start": "2028-01-01"}), "dates"), (edited(status="draft"), "other")]
)
def test_what_the_table_does_not_name_goes_the_longer_way(api: Api, behind: Behind, plan: str, first: str) -> None:
    draft_id = edit(api, behind, plan)
    assert behind.variables(process_of(behind, draft_id))["changedAreas"] == first
    assert route(behind, draft_id) == ("sequence", ["otherwise"])


def test_a_process_started_by_hand_goes_the_longer_way(api: Api, behind: Behind) -> None:
    """It has none of the variables."""
    draft_id = behind.drafts.new()
    process_id = behind.start(draft_id, business_key=draft_id, submittedBy=AUTHOR.id)
    submitted(api, draft_id, AUTHOR)
    assert process_of(behind, draft_id) == process_id
    assert route(behind, draft_id) == ("sequence", ["otherwise"])
    assert [decided(api, draft_id, step) for step in PEOPLE] == ["IN_REVIEW", "APPROVED"]


@pytest.mark.parametrize("first", [None, "review", "actuarial-review"])
def test_a_rejection_ends_the_other_review(api: Api, behind: Behind, first: str | None) -> None:
    draft_id = new_plan(api, behind)
    if first is not None:
        decided(api, draft_id, first)
    last = "review" if first == "actuarial-review" else "actuarial-review"
    assert decided(api, draft_id, last, approved=False) == "REJECTED"
    assert (behind.drafts.row(draft_id)["status"], behind.active(draft_id)) == ("rejected", [])
    assert (tasks(api, draft_id), behind.versions(draft_id)) == ({}, [])


def test_changes_requested_end_the_other_review(api: Api, behind: Behind) -> None:
    draft_id = new_plan(api, behind)
    payload = perform(api, REQUEST_CHANGES, ACTUARY, taskId=tasks(api, draft_id)["actuarial-review"], comment="Why?")
    assert (payload["status"], behind.drafts.row(draft_id)["status"]) == ("RETURNED", "returned")


def test_what_one_approved_does_not_count_for_the_other(api: Api, behind: Behind) -> None:
    """In Tasklist, which names nobody: a completion without an answer is refused, one with an answer counts."""
    draft_id = new_plan(api, behind)
    decided(api, draft_id, "review")
    task_id = tasks(api, draft_id)["actuarial-review"]
    assert behind.engine.post(f"/task/{task_id}/complete", json={}).status_code == 500
    assert list(tasks(api, draft_id)) == ["actuarial-review"]
    behind.complete(task_id, approved=True)
    assert status(api, draft_id)["state"] == "PUBLISHING"


@pytest.mark.parametrize("decisions", [0, 1])
@pytest.mark.parametrize("plan", [None, COSTS])
def test_withdrawn_on_every_route(api: Api, behind: Behind, plan: str | None, decisions: int) -> None:
    draft_id = new_plan(api, behind) if plan is None else edit(api, behind, plan)
    if decisions:
        decided(api, draft_id, "review")
    assert codes(perform(api, WITHDRAW, STRANGER, draftId=draft_id)) == ["NOT_FOUND"]
    assert perform(api, WITHDRAW, AUTHOR, draftId=draft_id)["draft"]["status"] == "WITHDRAWN"
    assert (behind.active(draft_id), status(api, draft_id)["state"]) == ([], "WITHDRAWN")
    assert behind.variables(behind.processes(draft_id)[0]["id"]).get("approved") is None


def test_approved_for_later_by_the_first_of_two(api: Api, behind: Behind) -> None:
    draft_id = new_plan(api, behind)
    ids, later = tasks(api, draft_id), (datetime.now(UTC) + timedelta(days=30)).isoformat()
    payload = perform(api, COMPLETE, REVIEWER, taskId=ids["review"], approved=True, publishAt=later)
    assert (payload["status"], payload["userErrors"]) == ("IN_REVIEW", [])
    assert decided(api, draft_id, "actuarial-review") == "SCHEDULED"
    assert behind.versions(draft_id) == []
    assert perform(api, WITHDRAW, AUTHOR, draftId=draft_id)["draft"]["status"] == "WITHDRAWN"
    assert behind.active(draft_id) == []


INBOX = """query Inbox($id: ID!) { task(id: $id) { step priority candidateGroups decidable { allowed } } }"""


@pytest.mark.usefixtures("_timers_of_a_second")
def test_a_reminder_and_an_escalation(api: Api, behind: Behind) -> None:
    """The engine raises the priority, then offers the task to the leads, one of whom decides."""
    draft_id = new_plan(api, behind)
    ids = tasks(api, draft_id)

    def seen(who: Someone, step: str) -> dict[str, Any] | None:
        found: dict[str, Any] | None = api.ask(INBOX, who, id=ids[step])["task"]
        return found

    until(lambda: all(seen(LEAD, step) is not None for step in ids))
    for step, person in PEOPLE.items():
        groups = sorted(["benefit-leads", *person.groups])
        expected = {"step": step, "priority": 80, "candidateGroups": groups, "decidable": {"allowed": True}}
        assert seen(LEAD, step) == seen(person, step) == expected
    assert behind.external_tasks(process_of(behind, draft_id)) == []
    assert [task["assignee"] for task in behind.tasks(draft_id)] == [None, None]
    payload = perform(api, COMPLETE, LEAD, taskId=ids["review"], approved=True)
    assert (payload["status"], payload["userErrors"]) == ("IN_REVIEW", [])
    assert decided(api, draft_id, "actuarial-review") == "APPROVED"
    assert is_published(behind, draft_id, GOLD)
    assert verdicts(api, draft_id) == [("review", "APPROVED", "lead"), ("actuarial-review", "APPROVED", "actuary")]


def test_before_its_time_a_task_is_as_it_was(api: Api, behind: Behind) -> None:
    draft_id = edit(api, behind, WORDING)
    (task,) = behind.tasks(draft_id)
    assert task["priority"] == 50
    assert api.ask(INBOX, LEAD, id=task["id"])["task"] is None
    assert api.ask(INBOX, ADMIN, id=task["id"])["task"]["candidateGroups"] == ["benefit-reviewers"]


def test_what_is_deployed_again_is_the_same(settings: Settings) -> None:
    ran = run(settings, "setup", "--model", str(ROUTED), "--model", str(TABLE))
    assert ran.lines[1] == "benefit-approval.bpmn, routed-approval.dmn: deployed already"


def test_the_check_finds_nothing_wrong_with_it(settings: Settings) -> None:
    ran = run(settings, "check")
    assert [line for line in ran.lines if "steps: " in line] == [
        "ok      steps: review is offered to benefit-reviewers",
        "ok      steps: actuarial-review is offered to benefit-actuaries",
    ]
