"""The query and the mutation of the README, on a draft and a plan like the demo's: the answers are those it shows."""

import json
import re
import uuid
from pathlib import Path
from typing import Any

import httpx
import pytest

from sandbox.samples import DRAFTS, ENCODER, latest
from tests.serving import AUTHOR, REVIEWER, Api, Drafts
from tests.verbs import open_task, submitted

README = (Path(__file__).parent.parent.parent / "README.md").read_text("utf-8")
INBOX, APPROVE = re.findall(r"```graphql\n(.*?)```", README, re.DOTALL)
SHOWN_INBOX, SHOWN_APPROVAL = (json.loads(text) for text in re.findall(r"```json\n(.*?)```", README, re.DOTALL))
SAMPLE = next(sample for sample in DRAFTS if f'"{sample.name}"' in README)


@pytest.fixture
def in_review(api: Api, drafts: Drafts, store: httpx.Client) -> str:
    """The sample's plan under an id of its own, and a submitted draft of it; the task."""
    plan_id = str(uuid.uuid4())
    body = ENCODER.encode(latest(SAMPLE.plan)).decode().replace(SAMPLE.plan.id, plan_id)
    kind = {"Content-Type": "application/fhir+json"}
    assert store.put(f"/InsurancePlan/{plan_id}", content=body, headers=kind).is_success
    plan = SAMPLE.plan_data.replace(SAMPLE.plan.id, plan_id)
    draft_id = drafts.new(SAMPLE.name, plan, aidbox_id=plan_id, author=SAMPLE.author)
    submitted(api, draft_id, AUTHOR)
    return open_task(api, draft_id)


def test_its_answers_are_those_of_the_service(api: Api, in_review: str) -> None:
    everything = INBOX.replace("limit: 1", "limit: 5, sort: [{ by: CREATED_AT, descending: true }]")
    items = api.ask(everything, REVIEWER)["pendingTasks"]["items"]
    (task,) = (item for item in items if item["id"] == in_review)
    (shown,) = SHOWN_INBOX["data"]["pendingTasks"]["items"]
    assert _without_ids(task) == _without_ids(shown)
    assert task["basePlan"] == task["currentPlan"]

    approval = api.ask(APPROVE, REVIEWER, taskId=in_review)
    assert _without_ids(approval) == _without_ids(SHOWN_APPROVAL["data"])


def _without_ids(answer: Any) -> Any:
    """An answer without what the systems number for themselves."""
    if isinstance(answer, dict):
        numbered = {"versionId"} | ({"id"} if "draft" in answer else set())
        return {key: "…" if key in numbered else _without_ids(value) for key, value in answer.items()}
    return [_without_ids(each) for each in answer] if isinstance(answer, list) else answer
