"""From a draft to a published version, and the other ends a submission can come to."""

import json
from decimal import Decimal
from typing import Any

import httpx

from tests.serving import AUTHOR, GOLD, REVIEWER, Api, Drafts
from tests.verbs import COMPLETE, open_task, perform, status, submitted


def read_plan(store: httpx.Client, plan_id: str) -> dict[str, Any]:
    """A plan as the store has it, digits kept."""
    plan: dict[str, Any] = json.loads(store.get(f"/InsurancePlan/{plan_id}").content, parse_float=Decimal)
    return plan


def without_meta(plan: dict[str, Any]) -> str:
    """Everything but meta and id as text, so that 1500.00 and 1500.0 are two."""
    return json.dumps(
        {key: plan[key] for key in sorted(plan) if key not in ("meta", "id")}, sort_keys=True, default=str
    )


def test_a_new_plan_is_submitted_approved_and_published(api: Api, drafts: Drafts, store: httpx.Client) -> None:
    draft_id = drafts.new()
    process_id = submitted(api, draft_id, AUTHOR)
    assert drafts.row(draft_id)["status"] == "submitted"
    assert drafts.row(draft_id)["camunda_process_id"] == process_id
    assert status(api, draft_id)["state"] == "IN_REVIEW"

    payload = perform(api, COMPLETE, REVIEWER, taskId=open_task(api, draft_id), approved=True, comment="Fine")

    assert payload["status"] == "APPROVED"
    assert payload["userErrors"] == []
    row = drafts.row(draft_id)
    assert (row["status"], row["aidbox_id"]) == ("approved", draft_id)
    published = read_plan(store, draft_id)
    assert published["meta"]["versionId"] == payload["plan"]["versionId"]
    assert without_meta(published) == without_meta(json.loads(GOLD, parse_float=Decimal))
    assert '"value":1500.00' in store.get(f"/InsurancePlan/{draft_id}").text.replace(" ", "")
    told = status(api, draft_id)
    assert told["state"] == "APPROVED"
    assert told["workflowActive"] is False
    assert told["decisions"] == [
        {"step": "review", "verdict": "APPROVED", "comment": "Fine", "reason": None, "decidedBy": {"id": "reviewer"}}
    ]
