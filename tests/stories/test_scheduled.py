"""Plans that are approved for later: the model's timer, its message, and what happens until and when they are due."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import httpx
import pytest

from api.settings import Settings
from doctor.setup import MODEL
from tests.calls.recording import Recording
from tests.serving import ADMIN, AUDITOR, AUTHOR, GOLD, REVIEWER, SECOND_REVIEWER, STRANGER, Api, Someone, serving
from tests.stories.behind import Behind, edited, read, until
from tests.verbs import SUBMIT, WITHDRAW, codes, open_task, perform, status, submitted

COMPLETE = """mutation Complete($input: CompleteApprovalInput!) { completeApproval(input: $input) {
  status reason notice draft { id status publishAt } plan { id } userErrors { code message field } } }"""
COMPLETE_MANY = """mutation Complete($input: CompleteApprovalsInput!) { completeApprovals(input: $input) {
  results { status notice draft { publishAt } userErrors { code } } userErrors { code } } }"""
RESCHEDULE = """mutation Move($input: ReschedulePublicationInput!) { reschedulePublication(input: $input) {
  draft { id status publishAt approval { state publishAt } } userErrors { code message field } } }"""
WHEN = """query When($draftId: ID!) { draft(id: $draftId) { publishAt
  approval { state publishAt openTasks { publishAt } decisions { publishAt } }
  history { kind } } }"""

HISTORY = """query History($ids: [ID!]!) { drafts(ids: $ids) { items { history {
  kind by { id } publishAt publishAtBefore } } } }"""

TIMER = """<bpmn:intermediateCatchEvent id="until-january" name="Until January">
  <bpmn:timerEventDefinition id="until-january-event">
    <bpmn:timeDuration xsi:type="bpmn:tFormalExpression">P30D</bpmn:timeDuration>
  </bpmn:timerEventDefinition>
</bpmn:intermediateCatchEvent>
<bpmn:sequenceFlow id="until-january-to-publish-plan" sourceRef="until-january" targetRef="publish-plan" />
"""


def ahead(**by: float) -> str:
    """An instant in the future, in UTC, as answers have it."""
    moment = datetime.now(UTC).replace(microsecond=0) + timedelta(**by)
    return moment.isoformat().replace("+00:00", "Z")


NEXT_MONTH, LATER_STILL = ahead(days=30), ahead(days=60)


def _deployed(engine: httpx.Client, tenant: str, source: str, target: str, further: str = "") -> str:
    """Our model of a tenant, in which what leaves an element leads elsewhere: to a target."""
    model, diagram, _ = MODEL.read_text("utf-8").partition("<bpmndi:BPMNDiagram")
    after = {"decision": "publish-when", "scheduled-withdrawn": "record-withdrawn"}[source]
    flow = f'sourceRef="{source}" targetRef="{after}"'
    assert diagram
    assert flow in model
    model = model.replace(flow, f'sourceRef="{source}" targetRef="{target}"')
    model = model.replace("<bpmn:sequenceFlow", f"{further}<bpmn:sequenceFlow", 1) + "</bpmn:definitions>"
    form = {"deployment-name": tenant, "tenant-id": tenant, "enable-duplicate-filtering": "true"}
    files = {MODEL.name: (MODEL.name, model.encode(), "application/xml")}
    engine.post("/deployment/create", data=form, files=files).raise_for_status()
    return tenant


@pytest.fixture(scope="module")
def tenant(engine: httpx.Client) -> str:
    """A tenant whose model waits for thirty days before it publishes."""
    return _deployed(engine, "scheduled", "decision", "until-january", TIMER)


@pytest.fixture(scope="module")
def timerless(engine: httpx.Client) -> str:
    """A tenant whose model publishes at once, as ours did before it had a timer."""
    return _deployed(engine, "timerless", "decision", "publish-plan")


def in_review(api: Api, behind: Behind, tenant: str | None = None, **given: object) -> tuple[str, str]:
    """A submitted draft of the author's, and its task."""
    draft_id = behind.drafts.new()
    if tenant is not None:
        behind.start(draft_id, business_key=draft_id, submittedBy=AUTHOR.id, tenant=tenant)
    assert perform(api, SUBMIT, AUTHOR, draftId=draft_id, **given)["userErrors"] == []
    return draft_id, open_task(api, draft_id)


def scheduled(api: Api, behind: Behind, publish_at: str = NEXT_MONTH) -> str:
    """A draft that the reviewer has approved for later."""
    draft_id, task_id = in_review(api, behind)
    payload = perform(api, COMPLETE, REVIEWER, taskId=task_id, approved=True, publishAt=publish_at)
    assert payload["status"] == "SCHEDULED"
    return draft_id


def timers(behind: Behind, draft_id: str) -> list[datetime]:
    """When the engine's timers of a draft are due."""
    params = {"processInstanceId": behind.processes(draft_id)[-1]["id"], "timers": "true"}
    return [datetime.fromisoformat(job["dueDate"]) for job in behind.engine.get("/job", params=params).json()]


@pytest.mark.slow
def test_it_is_approved_for_later_and_goes_live_by_the_clock_of_the_engine(
    settings: Settings, api: Api, behind: Behind
) -> None:
    """Of an approver in another time zone; what carries it out when it is due is the worker."""
    draft_id, task_id = in_review(api, behind)
    due = datetime.now(timezone(timedelta(hours=5, minutes=30))) + timedelta(seconds=5)
    payload = perform(api, COMPLETE, REVIEWER, taskId=task_id, approved=True, publishAt=due.isoformat())

    in_utc = due.astimezone(UTC).isoformat(timespec="milliseconds")
    assert [datetime.fromisoformat(payload["draft"].pop("publishAt"))] == [datetime.fromisoformat(in_utc)]
    assert payload == {
        "status": "SCHEDULED",
        "reason": None,
        "notice": None,
        "draft": {"id": draft_id, "status": "SUBMITTED"},
        "plan": None,
        "userErrors": [],
    }
    assert timers(behind, draft_id) == [datetime.fromisoformat(in_utc)]
    assert behind.versions(draft_id) == []
    with serving(settings.model_copy(update={"worker": True, "worker_poll_seconds": 0.05})):
        until(lambda: status(api, draft_id)["state"] == "APPROVED")
    assert datetime.now(UTC) > due
    assert len(behind.versions(draft_id)) == 1
    (process,) = behind.processes(draft_id)
    assert behind.path_of(process["id"])[-6:] == [
        "publish-when",
        "notify-scheduled",
        "until-publication (cancelled)",
        "publication-due",
        "publish-plan",
        "approved",
    ]


def test_the_author_proposes_and_the_approver_may_leave_it(api: Api, behind: Behind) -> None:
    draft_id, task_id = in_review(api, behind, publishAt=NEXT_MONTH)
    (process_id,) = behind.active(draft_id)
    stored = behind.engine.get(f"/process-instance/{process_id}/variables/publishAt").json()
    assert (stored["type"], datetime.fromisoformat(stored["value"])) == ("Date", datetime.fromisoformat(NEXT_MONTH))
    proposed = api.ask(WHEN, AUDITOR, draftId=draft_id)["draft"]
    assert proposed == {
        "publishAt": NEXT_MONTH,
        "approval": {
            "state": "IN_REVIEW",
            "publishAt": NEXT_MONTH,
            "openTasks": [{"publishAt": NEXT_MONTH}],
            "decisions": [],
        },
        "history": [{"kind": "SUBMITTED"}],
    }
    payload = perform(api, COMPLETE, REVIEWER, taskId=task_id, approved=True)
    assert (payload["status"], payload["draft"]["publishAt"]) == ("SCHEDULED", NEXT_MONTH)
    decided = api.ask(WHEN, AUDITOR, draftId=draft_id)["draft"]
    assert decided == {
        "publishAt": NEXT_MONTH,
        "approval": {
            "state": "SCHEDULED",
            "publishAt": NEXT_MONTH,
            "openTasks": [],
            "decisions": [{"publishAt": None}],
        },
        "history": [{"kind": "APPROVED"}, {"kind": "SUBMITTED"}],
    }


def test_the_approver_may_move_what_was_proposed(api: Api, behind: Behind) -> None:
    draft_id, task_id = in_review(api, behind, publishAt=NEXT_MONTH)
    payload = perform(api, COMPLETE, REVIEWER, taskId=task_id, approved=True, publishAt=LATER_STILL)
    assert (payload["status"], payload["draft"]["publishAt"]) == ("SCHEDULED", LATER_STILL)
    assert timers(behind, draft_id) == [datetime.fromisoformat(LATER_STILL)]
    assert api.ask(WHEN, AUDITOR, draftId=draft_id)["draft"]["approval"]["decisions"] == [{"publishAt": LATER_STILL}]


@pytest.mark.parametrize("past", ["0001-01-01T00:00:00Z", "1969-12-31T23:00:00-01:00", "2020-02-29T12:00:00.000001Z"])
@pytest.mark.parametrize("proposed", [None, NEXT_MONTH], ids=["not proposed", "proposed"])
def test_an_instant_that_is_past_publishes_at_once(api: Api, behind: Behind, past: str, proposed: str | None) -> None:
    draft_id, task_id = in_review(api, behind, publishAt=proposed)
    payload = perform(api, COMPLETE, REVIEWER, taskId=task_id, approved=True, publishAt=past)
    assert (payload["status"], payload["notice"], payload["userErrors"]) == ("APPROVED", None, [])
    assert payload["draft"] == {"id": draft_id, "status": "APPROVED", "publishAt": None}
    assert len(behind.versions(draft_id)) == 1


def test_what_is_proposed_for_the_past_waits_for_its_approval_alone(api: Api, behind: Behind) -> None:
    _, task_id = in_review(api, behind, publishAt="2020-01-01T00:00:00Z")
    assert perform(api, COMPLETE, REVIEWER, taskId=task_id, approved=True)["status"] == "APPROVED"


@pytest.mark.parametrize("given", [{}, {"publishAt": LATER_STILL}], ids=["without", "with"])
def test_a_rejection_schedules_nothing(api: Api, behind: Behind, given: dict[str, object]) -> None:
    draft_id, task_id = in_review(api, behind, publishAt=NEXT_MONTH)
    payload = perform(api, COMPLETE, REVIEWER, taskId=task_id, approved=False, **given)
    assert (payload["status"], payload["draft"]["publishAt"], timers(behind, draft_id)) == ("REJECTED", None, [])


def test_too_far_ahead_is_a_slip_of_the_pen(api: Api, behind: Behind) -> None:
    year_ten_thousand, draft_id = "9999-12-31T23:59:59.999999Z", behind.drafts.new()
    refusal = {
        "code": "INVALID",
        "message": "publishAt may be at most ten years ahead; check its year.",
        "field": "publishAt",
    }
    before = behind.picture(draft_id)
    assert perform(api, SUBMIT, AUTHOR, draftId=draft_id, publishAt=year_ten_thousand)["userErrors"] == [refusal]
    assert behind.picture(draft_id) == before
    submitted(api, draft_id, AUTHOR)
    before, task_id = behind.picture(draft_id), open_task(api, draft_id)
    payload = perform(api, COMPLETE, REVIEWER, taskId=task_id, approved=True, publishAt=year_ten_thousand)
    assert payload["userErrors"] == [refusal]
    assert behind.picture(draft_id) == before
    moved_id = scheduled(api, behind)
    before = behind.picture(moved_id)
    assert perform(api, RESCHEDULE, REVIEWER, draftId=moved_id, publishAt=year_ten_thousand)["userErrors"] == [refusal]
    assert (behind.picture(moved_id), timers(behind, moved_id)) == (before, [datetime.fromisoformat(NEXT_MONTH)])


def test_what_is_asked_again(api: Api, behind: Behind) -> None:
    """The same gets the same answer; another time is not silently left out."""
    draft_id, task_id = in_review(api, behind, publishAt=NEXT_MONTH)
    assert perform(api, SUBMIT, AUTHOR, draftId=draft_id, publishAt=NEXT_MONTH)["userErrors"] == []
    assert perform(api, SUBMIT, AUTHOR, draftId=draft_id)["userErrors"] == []
    (error,) = perform(api, SUBMIT, AUTHOR, draftId=draft_id, publishAt=LATER_STILL)["userErrors"]
    assert (error["code"], error["field"]) == ("ALREADY_SUBMITTED", "publishAt")
    approval: dict[str, object] = {"taskId": task_id, "approved": True}
    first = perform(api, COMPLETE, REVIEWER, **approval, publishAt=LATER_STILL)
    assert perform(api, COMPLETE, REVIEWER, **approval, publishAt=LATER_STILL) == first
    assert perform(api, COMPLETE, REVIEWER, **approval) == first
    (error,) = perform(api, COMPLETE, REVIEWER, **approval, publishAt=NEXT_MONTH)["userErrors"]
    when = f"at {LATER_STILL[:10]} {LATER_STILL[11:16]} UTC"
    assert error == {
        "code": "ALREADY_DECIDED",
        "message": f"You have approved this already, to be published {when}; reschedulePublication moves that.",
        "field": "publishAt",
    }
    assert timers(behind, draft_id) == [datetime.fromisoformat(LATER_STILL)]


def test_a_draft_that_changes_meanwhile_is_not_published(api: Api, behind: Behind) -> None:
    draft_id = scheduled(api, behind)
    behind.drafts.edit(draft_id, plan=edited(name="Slipped in after the review"))
    payload = perform(api, RESCHEDULE, REVIEWER, draftId=draft_id)
    assert (payload["userErrors"], payload["draft"]["status"]) == ([], "CONFLICT")
    assert status(api, draft_id)["state"] == "CONFLICT"
    assert behind.versions(draft_id) == []


def test_a_plan_that_moves_meanwhile_is_not_overwritten(api: Api, behind: Behind) -> None:
    """By the timer as well: what was approved is compared when it goes live."""
    plan_id, _ = behind.stored_plan()
    draft_id = behind.drafts.new(plan=edited(name="Approved in October"), aidbox_id=plan_id)
    submitted(api, draft_id, AUTHOR)
    perform(api, COMPLETE, REVIEWER, taskId=open_task(api, draft_id), approved=True, publishAt=ahead(days=1))
    behind.put(plan_id, name="Somebody else's, of November")
    (job,) = behind.engine.get("/job", params={"processInstanceId": behind.active(draft_id)[0]}).json()
    behind.engine.post(f"/job/{job['id']}/execute").raise_for_status()
    assert status(api, draft_id)["state"] == "PUBLISHING"
    perform(api, SUBMIT, AUTHOR, draftId=draft_id)
    assert status(api, draft_id)["state"] == "CONFLICT"
    newest, base = behind.versions(plan_id)
    assert (newest["name"], base["name"]) == ("Somebody else's, of November", read(GOLD)["name"])


def test_it_can_be_withdrawn_until_it_is_due(api: Api, behind: Behind) -> None:
    draft_id = scheduled(api, behind)
    assert codes(perform(api, WITHDRAW, REVIEWER, draftId=draft_id)) == ["FORBIDDEN"]
    payload = perform(api, WITHDRAW, AUTHOR, draftId=draft_id)
    assert payload == {"draft": {"id": draft_id, "status": "WITHDRAWN"}, "userErrors": []}
    assert (status(api, draft_id)["state"], timers(behind, draft_id), behind.versions(draft_id)) == (
        "WITHDRAWN",
        [],
        [],
    )
    asked = api.ask(WHEN, AUDITOR, draftId=draft_id)["draft"]
    assert asked["history"] == [{"kind": "WITHDRAWN"}, {"kind": "APPROVED"}, {"kind": "SUBMITTED"}]
    assert (asked["publishAt"], asked["approval"]["publishAt"]) == (None, None)
    (refusal,) = perform(api, RESCHEDULE, REVIEWER, draftId=draft_id)["userErrors"]
    assert refusal["code"] == "NOT_SUBMITTED"
    submitted(api, draft_id, AUTHOR)
    assert perform(api, COMPLETE, REVIEWER, taskId=open_task(api, draft_id), approved=True)["status"] == "APPROVED"


def test_withdrawn_from_a_model_that_records_nothing_it_is_not_published_either(
    engine: httpx.Client, api: Api, behind: Behind
) -> None:
    """Reconciliation publishes what such a model has approved, but not what was taken back since."""
    tenant = _deployed(engine, "silent", "scheduled-withdrawn", "withdrawn")
    draft_id, task_id = in_review(api, behind, tenant)
    payload = perform(api, COMPLETE, REVIEWER, taskId=task_id, approved=True, publishAt=NEXT_MONTH)
    assert payload["status"] == "SCHEDULED"
    payload = perform(api, WITHDRAW, AUTHOR, draftId=draft_id)
    assert payload == {"draft": {"id": draft_id, "status": "WITHDRAWN"}, "userErrors": []}
    assert behind.versions(draft_id) == []


def test_it_is_moved_and_then_published(api: Api, behind: Behind) -> None:
    draft_id = scheduled(api, behind)
    for who, publish_at in ((REVIEWER, LATER_STILL), (ADMIN, NEXT_MONTH), (ADMIN, NEXT_MONTH)):
        payload = perform(api, RESCHEDULE, who, draftId=draft_id, publishAt=publish_at)
        shown: dict[str, object] = {"state": "SCHEDULED", "publishAt": publish_at}
        draft: dict[str, object] = {"id": draft_id, "status": "SUBMITTED", "publishAt": publish_at, "approval": shown}
        assert payload == {"draft": draft, "userErrors": []}
        assert timers(behind, draft_id) == [datetime.fromisoformat(publish_at)]
        assert behind.variables(behind.active(draft_id)[0])["rescheduledBy"] == who.id
    for _ in range(2):
        payload = perform(api, RESCHEDULE, REVIEWER, draftId=draft_id)
        shown = {"state": "APPROVED", "publishAt": None}
        draft = {"id": draft_id, "status": "APPROVED", "publishAt": None, "approval": shown}
        assert payload == {"draft": draft, "userErrors": []}
    assert len(behind.versions(draft_id)) == 1
    (refusal,) = perform(api, RESCHEDULE, REVIEWER, draftId=draft_id, publishAt=LATER_STILL)["userErrors"]
    message = "The plan is published already; a new draft of it can change it."
    assert refusal == {"code": "NOT_SCHEDULED", "message": message, "field": "draftId"}


def test_the_history_says_who_moved_it_from_when_to_when(settings: Settings, api: Api, behind: Behind) -> None:
    """And what was proposed, and set with the decision. It costs one more request where something was moved."""
    draft_id, task_id = in_review(api, behind, publishAt=NEXT_MONTH)
    unmoved_id, _ = in_review(api, behind)
    latest = ahead(days=90)
    perform(api, COMPLETE, REVIEWER, taskId=task_id, approved=True, publishAt=LATER_STILL)
    for who, publish_at in ((REVIEWER, latest), (ADMIN, LATER_STILL), (ADMIN, LATER_STILL), (ADMIN, None)):
        assert perform(api, RESCHEDULE, who, draftId=draft_id, publishAt=publish_at, userId=who.id)["userErrors"] == []
    perform(api, RESCHEDULE, REVIEWER, draftId=draft_id)
    recording = Recording()
    with recording.before(settings) as watched:
        of_both = watched.ask(HISTORY, AUTHOR, ids=[draft_id, unmoved_id])["drafts"]["items"]
        assert recording.counts()["POST /history/variable-instance"] == 4
        recording.calls.clear()
        assert watched.ask(HISTORY, AUTHOR, ids=[unmoved_id])["drafts"]["items"] == of_both[1:]
        assert recording.counts()["POST /history/variable-instance"] == 3
    found = [tuple(event.values()) for event in of_both[0]["history"]]
    assert found == [
        ("PUBLISHED", None, None, None),
        ("RESCHEDULED", {"id": ADMIN.id}, None, LATER_STILL),
        ("RESCHEDULED", {"id": ADMIN.id}, LATER_STILL, latest),
        ("RESCHEDULED", {"id": REVIEWER.id}, latest, LATER_STILL),
        ("APPROVED", {"id": REVIEWER.id}, LATER_STILL, NEXT_MONTH),
        ("SUBMITTED", {"id": AUTHOR.id}, NEXT_MONTH, None),
    ]
    assert [tuple(event.values()) for event in of_both[1]["history"]] == [("SUBMITTED", {"id": AUTHOR.id}, None, None)]


@pytest.mark.parametrize(
    ("who", "code"),
    [
        (AUTHOR, "FORBIDDEN"),
        (SECOND_REVIEWER, "FORBIDDEN"),
        (AUDITOR, "FORBIDDEN"),
        (STRANGER, "NOT_FOUND"),
        (Someone(AUTHOR.id, ADMIN.groups), "OWN_SUBMISSION"),
    ],
)
@pytest.mark.parametrize("publish_at", [None, LATER_STILL], ids=["now", "later"])
def test_nobody_else_moves_it(api: Api, behind: Behind, who: Someone, code: str, publish_at: str | None) -> None:
    draft_id = scheduled(api, behind)
    before = behind.picture(draft_id)
    payload = perform(api, RESCHEDULE, who, draftId=draft_id, publishAt=publish_at)
    assert (payload["draft"], codes(payload)) == (None, [code])
    assert (behind.picture(draft_id), timers(behind, draft_id)) == (before, [datetime.fromisoformat(NEXT_MONTH)])


def test_what_does_not_wait_is_not_moved(api: Api, behind: Behind) -> None:
    draft_id, _ = in_review(api, behind)
    before = behind.picture(draft_id)
    (refusal,) = perform(api, RESCHEDULE, ADMIN, draftId=draft_id)["userErrors"]
    message = "The plan is not approved yet; its approver sets publishAt with the decision."
    assert refusal == {"code": "NOT_SCHEDULED", "message": message, "field": "draftId"}
    assert behind.picture(draft_id) == before


@pytest.mark.parametrize("proposed", [None, NEXT_MONTH], ids=["not proposed", "proposed"])
def test_a_model_without_a_timer_publishes_at_once_and_says_so(
    api: Api, behind: Behind, timerless: str, proposed: str | None
) -> None:
    draft_id, task_id = in_review(api, behind, timerless)
    approval: dict[str, object] = {"taskId": task_id, "approved": True, "publishAt": proposed}
    payload = perform(api, COMPLETE, REVIEWER, **approval)
    assert (payload["status"], payload["draft"]["publishAt"], payload["userErrors"]) == ("APPROVED", None, [])
    assert len(behind.versions(draft_id)) == 1
    notice = (
        "This submission's process model has no timer before publication, so the plan is published at once, not at "
        f"{NEXT_MONTH[:10]} {NEXT_MONTH[11:16]} UTC. See docs/process.md for what a model needs."
    )
    assert payload["notice"] == (notice if proposed else None)
    assert perform(api, COMPLETE, REVIEWER, **approval) == payload


def test_a_timer_of_ones_own(api: Api, behind: Behind, tenant: str) -> None:
    """A model that waits by another timer than ours is scheduled; only the model says until when, and by what."""
    draft_id, task_id = in_review(api, behind, tenant)
    payload = perform(api, COMPLETE, REVIEWER, taskId=task_id, approved=True)
    assert (payload["status"], payload["userErrors"], payload["plan"]) == ("SCHEDULED", [], None)
    told = status(api, draft_id)
    assert (told["state"], told["workflowActive"], told["currentActivity"]) == ("SCHEDULED", True, None)
    assert (told["draftStatus"], behind.versions(draft_id)) == ("SUBMITTED", [])
    assert perform(api, COMPLETE, REVIEWER, taskId=task_id, approved=True)["status"] == "SCHEDULED"
    (refusal,) = perform(api, RESCHEDULE, REVIEWER, draftId=draft_id)["userErrors"]
    message = "The process model of this submission cannot move its publication; see docs/process.md."
    assert refusal == {"code": "NOT_SCHEDULED", "message": message, "field": "draftId"}

    (job,) = behind.engine.get("/job", params={"processInstanceId": behind.active(draft_id)[0]}).json()
    behind.engine.post(f"/job/{job['id']}/execute").raise_for_status()
    assert status(api, draft_id)["state"] == "PUBLISHING"
    assert perform(api, SUBMIT, AUTHOR, draftId=draft_id)["status"] == "APPROVED"
    assert status(api, draft_id)["state"] == "APPROVED"
    assert len(behind.versions(draft_id)) == 1


def test_many_are_approved_for_later_at_once(api: Api, behind: Behind) -> None:
    tasks = [in_review(api, behind)[1] for _ in range(3)]
    times = [NEXT_MONTH, None, LATER_STILL]
    decisions = [
        {"taskId": task_id, "approved": True, "publishAt": publish_at}
        for task_id, publish_at in zip(tasks, times, strict=True)
    ]
    payload = perform(api, COMPLETE_MANY, REVIEWER, decisions=decisions)
    assert payload["userErrors"] == []
    assert [(each["status"], each["draft"]["publishAt"]) for each in payload["results"]] == [
        ("SCHEDULED", NEXT_MONTH),
        ("APPROVED", None),
        ("SCHEDULED", LATER_STILL),
    ]


@pytest.mark.parametrize("publish_at", [None, LATER_STILL], ids=["now", "later"])
@pytest.mark.slow
def test_of_several_at_once_one_wins(api: Api, behind: Behind, publish_at: str | None) -> None:
    """A withdrawal, the timer and a move: whichever comes first, the answers and the systems say one thing."""

    def withdraw(draft_id: str) -> dict[str, Any]:
        return perform(api, WITHDRAW, AUTHOR, draftId=draft_id)

    def move(draft_id: str) -> dict[str, Any]:
        return perform(api, RESCHEDULE, REVIEWER, draftId=draft_id, publishAt=publish_at)

    def fire(draft_id: str) -> dict[str, Any]:
        for job in behind.engine.get("/job", params={"processInstanceId": behind.processes(draft_id)[0]["id"]}).json():
            behind.engine.post(f"/job/{job['id']}/execute")
        return {}

    for number in range(8):
        draft_id = scheduled(api, behind)
        acts: list[Callable[[str], dict[str, Any]]] = [withdraw, move, fire]
        acts = acts[number % 3 :] + acts[: number % 3]
        with ThreadPoolExecutor(3) as pool:
            told = {act: answer.result() for act, answer in [(act, pool.submit(act, draft_id)) for act in acts]}
        if codes(told[withdraw]):
            perform(api, SUBMIT, AUTHOR, draftId=draft_id)
        state = status(api, draft_id)["state"]
        versions = len(behind.versions(draft_id))
        assert (state, versions) in (("WITHDRAWN", 0), ("APPROVED", 1), ("SCHEDULED", 0))
        assert (state == "WITHDRAWN") is (codes(told[withdraw]) == [])
        if state == "SCHEDULED":
            assert (codes(told[move]), timers(behind, draft_id)) == ([], [datetime.fromisoformat(LATER_STILL)])


def test_of_many_the_engine_is_asked_once_and_only_where_it_matters(
    settings: Settings, api: Api, behind: Behind
) -> None:
    waiting = [scheduled(api, behind) for _ in range(3)]
    reviewed, _ = in_review(api, behind)
    asked = "query A($ids: [ID!]!) { drafts(ids: $ids) { items { approval { %s } } } }"
    recording = Recording()
    with recording.before(settings) as watched:
        for ids, field, jobs in (
            ([*waiting, reviewed], "state", 1),
            ([reviewed], "state", 0),
            (waiting, "currentActivity", 0),
            (waiting, "publishAt", 0),
        ):
            recording.calls.clear()
            watched.ask(asked % field, AUTHOR, ids=ids)
            assert recording.counts().get("POST /job", 0) == jobs
        answer = watched.ask(asked % "state", AUTHOR, ids=[*waiting, reviewed])
    states = [item["approval"]["state"] for item in answer["drafts"]["items"]]
    assert states == ["SCHEDULED", "SCHEDULED", "SCHEDULED", "IN_REVIEW"]
