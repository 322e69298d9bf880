"""The worker finishes what no request does: processes started and tasks completed in the engine by hand."""

from collections.abc import Iterator

import pytest

from api.settings import Settings
from tests.serving import AUTHOR, GOLD, REVIEWER, Api, serving
from tests.stories.behind import Behind, edited, exactly, read, until
from tests.verbs import WITHDRAW, approved, codes, perform, rejected, status, submitted


@pytest.fixture(scope="module")
def working(settings: Settings) -> Iterator[Api]:
    """The API with its worker."""
    with serving(settings.model_copy(update={"worker": True, "worker_poll_seconds": 0.05})) as api:
        yield api


def _becomes(behind: Behind, draft_id: str, status: str) -> None:
    until(lambda: bool(behind.drafts.row(draft_id)["status"] == status))


@pytest.mark.parametrize("has_business_key", [True, False], ids=["business key", "no business key"])
def test_a_process_started_by_hand_is_registered(working: Api, behind: Behind, has_business_key: bool) -> None:  # noqa: FBT001  # a parameter of cases
    draft_id = behind.drafts.new()
    process_id = behind.start(draft_id, business_key=draft_id if has_business_key else None)
    _becomes(behind, draft_id, "submitted")
    until(lambda: not behind.external_tasks(process_id))

    assert behind.drafts.row(draft_id)["camunda_process_id"] == process_id
    told = status(working, draft_id)
    assert (told["state"], told["submittedBy"]) == ("IN_REVIEW", {"id": "author"})
    assert approved(working, draft_id)["status"] == "APPROVED"
    assert exactly(behind.plan(draft_id)) == exactly(read(GOLD))


def test_an_edit_started_by_hand_is_held_against_the_plan_as_it_was(working: Api, behind: Behind) -> None:
    plan_id, base = behind.stored_plan()
    draft_id = behind.drafts.new(plan=edited(name="Edited"), aidbox_id=plan_id)
    process_id = behind.start(draft_id, business_key=draft_id)
    _becomes(behind, draft_id, "submitted")
    until(lambda: not behind.external_tasks(process_id))
    variables = behind.variables(process_id)
    assert (variables["aidboxPlanId"], variables["baseVersion"]) == (plan_id, base)

    payload = approved(working, draft_id)
    assert (payload["status"], payload["plan"]["id"]) == ("APPROVED", plan_id)
    assert [version["name"] for version in behind.versions(plan_id)] == ["Edited", read(GOLD)["name"]]
    assert behind.versions(draft_id) == []


def test_a_process_started_by_hand_of_a_draft_in_approval_is_superseded(working: Api, behind: Behind) -> None:
    draft_id = behind.drafts.new()
    first = submitted(working, draft_id, AUTHOR)
    second = behind.start(draft_id, business_key=draft_id)
    until(lambda: behind.active(draft_id) == [first])

    assert behind.end_of(second) == ["superseded"]
    assert behind.drafts.row(draft_id)["camunda_process_id"] == first


def test_a_submission_of_an_earlier_state_is_superseded(working: Api, behind: Behind) -> None:
    """It was started before the draft had a process, and comes to be registered after another one's end."""
    draft_id = behind.drafts.new()
    first = submitted(working, draft_id, AUTHOR)
    assert rejected(working, draft_id)["status"] == "REJECTED"
    left = behind.drafts.row(draft_id)
    revision = behind.variables(first)["draftRevision"]
    late = behind.start(draft_id, business_key=draft_id, draftRevision=revision)
    until(lambda: behind.active(draft_id) == [])

    assert behind.end_of(late) == ["superseded"]
    assert behind.drafts.row(draft_id) == left


@pytest.mark.usefixtures("working")
def test_a_draft_in_approval_without_a_process_is_not_registered(behind: Behind) -> None:
    """Somebody wrote the status by hand."""
    draft_id = behind.drafts.new()
    behind.drafts.connection.execute("UPDATE benefit_plan_drafts SET status = 'submitted' WHERE id = %s", [draft_id])
    left = behind.drafts.row(draft_id)
    process_id = behind.start(draft_id, business_key=draft_id)
    until(lambda: behind.active(draft_id) == [])

    assert behind.end_of(process_id) == ["superseded"]
    assert behind.drafts.row(draft_id) == left


def test_a_process_of_no_draft_is_left_waiting(behind: Behind, working: Api) -> None:  # noqa: ARG001  # its worker
    """It may be of another deployment's table; why it waits is in the engine."""
    process_id = behind.start("no-such-draft", business_key="no-such-draft")
    until(lambda: bool(behind.external_tasks(process_id)[0]["errorMessage"]))
    (task,) = behind.external_tasks(process_id)
    assert task["errorMessage"].startswith("benefit_plan_drafts has no draft no-such-draft: ")
    behind.delete_process(process_id)


def test_a_task_approved_by_hand_is_published(working: Api, behind: Behind) -> None:
    draft_id = behind.drafts.new()
    submitted(working, draft_id, AUTHOR)
    (task,) = behind.tasks(draft_id)
    behind.complete(task["id"], approved=True)
    _becomes(behind, draft_id, "approved")
    until(lambda: behind.active(draft_id) == [])

    assert exactly(behind.plan(draft_id)) == exactly(read(GOLD))
    told = status(working, draft_id)
    assert (told["state"], told["decisions"]) == ("APPROVED", [])


def test_a_task_rejected_by_hand_is_recorded(working: Api, behind: Behind) -> None:
    draft_id = behind.drafts.new()
    process_id = submitted(working, draft_id, AUTHOR)
    (task,) = behind.tasks(draft_id)
    behind.complete(task["id"], approved=False)
    _becomes(behind, draft_id, "rejected")
    until(lambda: behind.end_of(process_id) == ["rejected"])

    assert status(working, draft_id)["state"] == "REJECTED"
    assert codes(perform(working, WITHDRAW, AUTHOR, draftId=draft_id)) == ["NOT_SUBMITTED"]


def test_what_was_approved_by_hand_and_moved_is_a_conflict(working: Api, behind: Behind) -> None:
    draft_id = behind.drafts.new()
    process_id = submitted(working, draft_id, AUTHOR)
    behind.drafts.edit(draft_id, name="Renamed")
    (task,) = behind.tasks(draft_id)
    behind.complete(task["id"], approved=True)
    _becomes(behind, draft_id, "conflict")
    until(lambda: behind.end_of(process_id) == ["conflict"])

    assert behind.variables(process_id)["reason"] == "Draft changed since it was submitted"
    assert behind.versions(draft_id) == []


def test_requests_and_the_worker_side_by_side_answer_with_the_end(working: Api, behind: Behind) -> None:
    for _ in range(4):
        draft_id = behind.drafts.new()
        submitted(working, draft_id, AUTHOR)
        payload = approved(working, draft_id, REVIEWER)
        assert (payload["status"], payload["draft"]["status"]) == ("APPROVED", "APPROVED")
        assert len(behind.versions(draft_id)) == 1
