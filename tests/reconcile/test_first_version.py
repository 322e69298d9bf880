"""Drafts that the first version of such a service left in approval: its process had no external tasks."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from api.settings import Settings
from tests.reconcile.conftest import FirstVersion
from tests.serving import AUTHOR, GOLD, Api, serving
from tests.stories.behind import Behind, edited, exactly, read, until
from tests.verbs import SUBMIT, WITHDRAW, approved, codes, perform, rejected, status, submitted


@pytest.fixture(scope="module")
def working(settings: Settings) -> Iterator[Api]:
    """The API with a worker that sweeps all the time."""
    often = settings.model_copy(update={"worker": True, "reconcile_seconds": 0.2, "worker_poll_seconds": 0.05})
    with serving(often) as api:
        yield api


def _becomes(behind: Behind, draft_id: str, status: str) -> dict[str, Any]:
    until(lambda: bool(behind.drafts.row(draft_id)["status"] == status))
    return behind.drafts.row(draft_id)


@pytest.mark.usefixtures("working")
def test_approved_and_never_published_it_is_published(first: FirstVersion, behind: Behind) -> None:
    draft_id = behind.drafts.new()
    process_id = first.submitted(draft_id)
    first.decided(draft_id, approved=True)

    row = _becomes(behind, draft_id, "approved")
    assert (row["aidbox_id"], row["camunda_process_id"]) == (draft_id, process_id)
    (version,) = behind.versions(draft_id)
    assert exactly(version) == exactly(read(GOLD))
    assert [tag["code"] for tag in version["meta"]["tag"]] == [process_id]


@pytest.mark.usefixtures("working")
def test_an_approved_edit_becomes_the_next_version(first: FirstVersion, behind: Behind) -> None:
    plan_id, base = behind.stored_plan()
    draft_id = behind.drafts.new(plan=edited(name="Edited"), aidbox_id=plan_id)
    first.submitted(draft_id, aidboxPlanId=plan_id, baseVersion=base)
    first.decided(draft_id, approved=True)

    _becomes(behind, draft_id, "approved")
    assert [version["name"] for version in behind.versions(plan_id)] == ["Edited", read(GOLD)["name"]]


@pytest.mark.usefixtures("working")
def test_a_plan_that_moved_is_never_overwritten(first: FirstVersion, behind: Behind) -> None:
    plan_id, base = behind.stored_plan()
    draft_id = behind.drafts.new(plan=edited(name="Edited"), aidbox_id=plan_id)
    first.submitted(draft_id, aidboxPlanId=plan_id, baseVersion=base)
    behind.put(plan_id, name="Somebody else's")
    first.decided(draft_id, approved=True)

    _becomes(behind, draft_id, "conflict")
    assert [version["name"] for version in behind.versions(plan_id)] == ["Somebody else's", read(GOLD)["name"]]


@pytest.mark.usefixtures("working")
def test_an_edit_of_an_unknown_base_is_a_conflict(first: FirstVersion, behind: Behind) -> None:
    plan_id, _ = behind.stored_plan()
    draft_id = behind.drafts.new(plan=edited(name="Edited"), aidbox_id=plan_id)
    first.submitted(draft_id)
    first.decided(draft_id, approved=True)

    _becomes(behind, draft_id, "conflict")
    assert [version["name"] for version in behind.versions(plan_id)] == [read(GOLD)["name"]]


@pytest.mark.usefixtures("working")
def test_what_was_published_without_a_word_is_only_noted(first: FirstVersion, behind: Behind) -> None:
    plan_id, base = behind.stored_plan()
    draft_id = behind.drafts.new(plan=edited(name="Edited"), aidbox_id=plan_id)
    first.submitted(draft_id, aidboxPlanId=plan_id, baseVersion=base)
    behind.put(plan_id, read(edited(name="Edited")))
    first.decided(draft_id, approved=True)

    assert _becomes(behind, draft_id, "approved")["aidbox_id"] == plan_id
    assert [version["name"] for version in behind.versions(plan_id)] == ["Edited", read(GOLD)["name"]]


@pytest.mark.parametrize(
    ("variables", "becomes"),
    [
        ({"approved": False}, "rejected"),
        ({"approved": False, "conflictDetected": True}, "conflict"),
        ({"approved": True, "conflictDetected": True}, "conflict"),
        ({"approved": False, "changesRequested": True}, "returned"),
        ({}, "withdrawn"),
    ],
)
@pytest.mark.usefixtures("working")
def test_other_ends_are_recorded(first: FirstVersion, behind: Behind, variables: dict[str, bool], becomes: str) -> None:
    draft_id = behind.drafts.new()
    first.submitted(draft_id)
    first.decided(draft_id, **variables)

    assert _becomes(behind, draft_id, becomes)["aidbox_id"] is None
    assert behind.versions(draft_id) == []


def test_a_draft_edited_after_the_approval_is_a_conflict(
    api: Api, first: FirstVersion, behind: Behind, settings: Settings
) -> None:
    """That version noted no revision; only that the draft was not touched since tells what was approved."""
    draft_id = behind.drafts.new()
    first.submitted(draft_id)
    first.decided(draft_id, approved=True)
    behind.drafts.edit(draft_id, plan=edited(name="Edited"))
    assert status(api, draft_id)["draftStatus"] == "SUBMITTED"

    with serving(settings.model_copy(update={"worker": True, "reconcile_seconds": 0.2})):
        _becomes(behind, draft_id, "conflict")
    assert behind.versions(draft_id) == []


def test_a_plan_the_store_refuses_is_returned(first: FirstVersion, behind: Behind, working: Api) -> None:
    """The process is over, so it can not hold an incident; submitted again, its publication will."""
    draft_id = behind.drafts.new(plan=edited(copayment=1))
    first.submitted(draft_id)
    first.decided(draft_id, approved=True)

    _becomes(behind, draft_id, "returned")
    submitted(working, draft_id, AUTHOR)
    assert approved(working, draft_id)["status"] == "PUBLISH_FAILED"
    assert "copayment" in status(working, draft_id)["problem"]


@pytest.mark.usefixtures("working")
def test_a_process_that_still_runs_is_left_alone(first: FirstVersion, behind: Behind) -> None:
    draft_id, other = behind.drafts.new(), behind.drafts.new()
    process_id = first.submitted(draft_id)
    first.submitted(other)
    first.decided(other, approved=False)
    _becomes(behind, other, "rejected")
    assert (behind.drafts.row(draft_id)["status"], behind.active(draft_id)) == ("submitted", [process_id])


@pytest.mark.parametrize(("decide", "becomes"), [(approved, "APPROVED"), (rejected, "REJECTED")])
def test_what_is_decided_here_is_ended_here(
    api: Api, first: FirstVersion, behind: Behind, decide: Callable[[Api, str], dict[str, Any]], becomes: str
) -> None:
    """An approval notes what it is of, since the submission did not."""
    plan_id, base = behind.stored_plan()
    draft_id = behind.drafts.new(plan=edited(name="Edited"), aidbox_id=plan_id)
    process_id = first.submitted(draft_id)
    payload = decide(api, draft_id)

    assert (payload["status"], payload["draft"]["status"], payload["userErrors"]) == (becomes, becomes, [])
    if becomes == "APPROVED":
        assert behind.variables(process_id)["baseVersion"] == base
        assert [version["name"] for version in behind.versions(plan_id)] == ["Edited", read(GOLD)["name"]]
    else:
        assert [version["meta"]["versionId"] for version in behind.versions(plan_id)] == [base]


@pytest.mark.parametrize("verb", [SUBMIT, WITHDRAW], ids=["submit", "withdraw"])
def test_who_asks_need_not_wait_for_the_sweep(api: Api, first: FirstVersion, behind: Behind, verb: str) -> None:
    draft_id = behind.drafts.new()
    first.submitted(draft_id)
    first.decided(draft_id, approved=True)

    payload = perform(api, verb, AUTHOR, draftId=draft_id)
    assert codes(payload) == (["ALREADY_DECIDED"] if verb == SUBMIT else ["NOT_SUBMITTED"])
    assert behind.drafts.row(draft_id)["status"] == "approved"
    assert len(behind.versions(draft_id)) == 1


def test_a_draft_submitted_to_no_process_can_be_submitted(api: Api, behind: Behind) -> None:
    """The first version wrote the status before it started the process."""
    draft_id = behind.drafts.new()
    behind.drafts.connection.execute("UPDATE benefit_plan_drafts SET status = 'submitted' WHERE id = %s", [draft_id])
    process_id = submitted(api, draft_id, AUTHOR)
    assert behind.drafts.row(draft_id)["camunda_process_id"] == process_id
    assert approved(api, draft_id)["status"] == "APPROVED"
