"""States come from the process where there is one, and publications from the store: not from what a row says."""

import uuid

import httpx
import pytest

from tests.serving import ADMIN, AUTHOR, Api
from tests.stories.behind import FHIR_JSON, PROCESS_TAG, Behind, edited, read
from tests.verbs import RETRY, SUBMIT, WITHDRAW, approved, codes, perform, rejected, status, submitted


def _written(behind: Behind, draft_id: str, text: str) -> None:
    """By somebody with a way into the table."""
    behind.drafts.connection.execute("UPDATE benefit_plan_drafts SET status = %s WHERE id = %s", [text, draft_id])


def _forgotten(engine: httpx.Client, process_id: str) -> None:
    """By the engine's history cleanup."""
    assert engine.delete(f"/history/process-instance/{process_id}").is_success


def test_a_draft_never_submitted_is_not_approved(api: Api, behind: Behind) -> None:
    draft_id = behind.drafts.new()
    _written(behind, draft_id, "approved")
    told = status(api, draft_id)
    assert (told["draftStatus"], told["state"]) == ("APPROVED", "NOT_SUBMITTED")


def test_a_rejected_draft_stays_rejected(api: Api, behind: Behind) -> None:
    draft_id = behind.drafts.new()
    submitted(api, draft_id, AUTHOR)
    rejected(api, draft_id)
    _written(behind, draft_id, "approved")
    assert status(api, draft_id)["state"] == "REJECTED"
    _written(behind, draft_id, "draft")
    assert status(api, draft_id)["state"] == "NOT_SUBMITTED"


def test_a_draft_in_review_stays_in_review(api: Api, behind: Behind) -> None:
    draft_id = behind.drafts.new()
    submitted(api, draft_id, AUTHOR)
    _written(behind, draft_id, "approved")
    assert status(api, draft_id)["state"] == "IN_REVIEW"


@pytest.mark.parametrize("outside", [False, True], ids=["as it was published", "and the plan moved on since"])
def test_after_history_cleanup_what_is_published_as_it_is_is_not_submitted_again(
    api: Api,
    behind: Behind,
    outside: bool,  # noqa: FBT001  # a column of the table
) -> None:
    """What the engine has forgotten is known from the store: by the process's tag, and by what the version says."""
    plan_id, _ = behind.stored_plan()
    draft_id = behind.drafts.new(plan=edited(name="Edited"), aidbox_id=plan_id)
    process_id = submitted(api, draft_id, AUTHOR)
    assert approved(api, draft_id)["status"] == "APPROVED"
    if outside:
        behind.put(plan_id, name="Outside")
    _forgotten(behind.engine, process_id)
    before = behind.picture(draft_id)
    payload = perform(api, SUBMIT, AUTHOR, draftId=draft_id)

    assert payload["userErrors"] == [
        {
            "code": "ALREADY_DECIDED",
            "message": "This draft is approved and published as it is; change it before submitting it again.",
            "field": "draftId",
        }
    ]
    assert behind.picture(draft_id) == before
    assert status(api, draft_id)["state"] == "APPROVED"
    behind.drafts.edit(draft_id, plan=edited(name="Edited again"))
    submitted(api, draft_id, AUTHOR)
    assert approved(api, draft_id)["status"] == "APPROVED"


def test_after_history_cleanup_of_another_outcome_it_is_submitted_again(api: Api, behind: Behind) -> None:
    draft_id = behind.drafts.new()
    process_id = submitted(api, draft_id, AUTHOR)
    rejected(api, draft_id)
    _forgotten(behind.engine, process_id)
    assert submitted(api, draft_id, AUTHOR) != process_id


@pytest.mark.parametrize("is_forgotten", [False, True], ids=["ended by an operator", "and forgotten"])
@pytest.mark.parametrize("operation", [WITHDRAW, SUBMIT], ids=["withdraw", "submit"])
def test_what_a_process_published_before_it_was_ended_is_published(
    api: Api,
    behind: Behind,
    operation: str,
    is_forgotten: bool,  # noqa: FBT001  # a column of the table
) -> None:
    """It wrote the plan and did not get to say so; then an operator deleted it."""
    owner = str(uuid.uuid4())
    plan = edited(ownedBy={"reference": f"Organization/{owner}"})
    draft_id = behind.drafts.new(plan=plan)
    process_id = submitted(api, draft_id, AUTHOR)
    assert approved(api, draft_id)["status"] == "PUBLISH_FAILED"
    organization = {"resourceType": "Organization", "id": owner, "name": "Found at last"}
    behind.store.put(f"/Organization/{owner}", json=organization, headers=FHIR_JSON).raise_for_status()
    behind.put(draft_id, read(plan), meta={"tag": [{"system": PROCESS_TAG, "code": process_id}]})
    behind.delete_process(process_id)
    if is_forgotten:
        _forgotten(behind.engine, process_id)
    payload = perform(api, operation, AUTHOR, draftId=draft_id)

    assert codes(payload) == ["NOT_SUBMITTED" if operation == WITHDRAW else "ALREADY_DECIDED"]
    row = behind.drafts.row(draft_id)
    assert (row["status"], row["aidbox_id"], len(behind.versions(draft_id))) == ("approved", draft_id, 1)
    assert perform(api, RETRY, ADMIN, draftId=draft_id)["draft"]["status"] == "APPROVED"
