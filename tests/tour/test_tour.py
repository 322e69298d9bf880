"""The tour of docs/tour.md, step by step, as a reader would take it: the same queries, the same people."""

import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.settings import Settings
from sandbox.samples import DRAFTS
from tests.serving import ADMIN, AUTHOR, REVIEWER, Api, Drafts, serving

TOUR = (Path(__file__).parent.parent.parent / "docs" / "tour.md").read_text("utf-8")
STEPS = re.findall(r"\*\*(\d)\. .*?\*\*(.*?)```graphql\n(.*?)```", TOUR, re.DOTALL)
PEOPLE = {person.id: person for person in (AUTHOR, REVIEWER, ADMIN)}
SAMPLE = next(sample for sample in DRAFTS if sample.id in TOUR)


@pytest.fixture
def steps(drafts: Drafts) -> list[tuple[str, str]]:
    """Who, and what they ask; on a draft like the one the page names, so that the tour can be taken again."""
    draft_id = drafts.new(SAMPLE.name, SAMPLE.plan_data, author=SAMPLE.author)
    return [(_person(words), query.replace(SAMPLE.id, draft_id)) for _, words, query in STEPS]


def _person(words: str) -> str:
    named = re.search(r"as `(\w+)`", words)
    return named[1] if named else "reviewer"


def test_the_tour(api: Api, steps: list[tuple[str, str]], store: httpx.Client) -> None:
    answers: list[dict[str, Any]] = []
    variables: dict[str, object] = {}
    for person, query in steps:
        needed = {name: value for name, value in variables.items() if f"${name}" in query}
        answers.append(api.ask(query, PEOPLE[person], **needed))
        if open_tasks := answers[-1].get("approvalStatus", {}).get("openTasks"):
            variables["taskId"] = open_tasks[0]["id"]

    inbox, submitted, standing, approved, published = answers
    assert set(inbox["pendingTasks"]) == {"totalCount", "items"}
    assert (submitted["submitForApproval"]["status"], submitted["submitForApproval"]["userErrors"]) == ("SUBMITTED", [])
    assert standing["approvalStatus"]["state"] == "IN_REVIEW"
    assert standing["approvalStatus"]["openTasks"][0]["candidateGroups"] == ["benefit-reviewers"]
    assert (approved["completeApproval"]["status"], approved["completeApproval"]["userErrors"]) == ("APPROVED", [])
    plan = published["plan"]
    assert plan["name"] == SAMPLE.name
    assert plan["draft"]["approval"]["state"] == "APPROVED"
    assert store.get(f"/InsurancePlan/{plan['draft']['id']}").json()["meta"]["versionId"] == plan["versionId"]


def test_the_tour_can_be_sent_twice(api: Api, steps: list[tuple[str, str]]) -> None:
    person, submit = steps[1]
    first, second = (api.ask(submit, PEOPLE[person])["submitForApproval"] for _ in range(2))
    assert first == second


def test_without_headers_the_demo_acts_as_reviewer(settings: Settings) -> None:
    demo = settings.model_copy(
        update={"auth_default_user": "reviewer", "auth_default_groups": frozenset({"benefit-reviewers"})}
    )
    with serving(demo) as api:
        answer = api.client.post("/graphql", json={"query": "{ viewer { id groups } }"}).json()
    assert answer == {"data": {"viewer": {"id": "reviewer", "groups": ["benefit-reviewers"]}}}
