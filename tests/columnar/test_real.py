"""The own schema on the real systems: either executor answers the same, also while one of the systems is away."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.settings import Settings
from tests.serving import ADMIN, AUTHOR, REVIEWER, Api, Drafts, Someone, serving
from tests.verbs import SUBMIT, perform
from tests.wiretap import failing, tapped

TOUR = (Path(__file__).parent.parent.parent / "docs" / "tour.md").read_text("utf-8")
WIDE = """query Wide {
  pendingTasks(limit: 100) { totalCount items {
    __typename id name step isOpen assignee { id name groups } createdAt dueAt priority processId candidateGroups
    submittedBy { id } hasConflict decidable { allowed code message }
    draft { id name status planData revision createdBy updatedAt camundaProcessId aidboxId
      changes { __typename } conflicts { __typename }
      approval { state workflowActive currentActivity openTasks { id candidateGroups } decisions { verdict } }
      history(limit: 5) { __typename } }
    basePlan { id versionId name status publishedAt resource draft { id } }
    currentPlan { ...Plan history(limit: 3) { ...Plan } draft { name currentPlan { versionId } } } } }
  drafts(limit: 30, sort: [{ by: NAME }]) { totalCount items { id name currentPlan { versionId } approval { state } } }
} fragment Plan on PlanVersion { id versionId when: publishedAt resource }"""
MISSING = """query Missing { drafts(ids: ["none", "5b0f3c1e-0001-4c6a-9a53-1f2d7c8e0a11"]) { items { id name } }
  pendingTasks(limit: 5000) { totalCount } plan(id: "none") { id } }"""
QUERIES = [WIDE, MISSING, *re.findall(r"```graphql\n(query (?:Inbox|Open).*?)```", TOUR, re.DOTALL)]


def without(name: str, settings: Settings, executor: str) -> Any:
    """The API with this executor, while the system of this name is away."""
    told = settings.model_copy(update={"executor": executor, "read_tries": 1, "max_cost": 1_000_000})
    return serving(told, transports=tapped(failing(httpx.ConnectError), system=name))


def answer(api: Api, query: str, someone: Someone) -> str:
    """The whole body, without the request's id."""
    told = json.loads(api.post(query, someone).content, parse_float=str)
    for error in told.get("errors", ()):
        error["extensions"].pop("requestId")
    return json.dumps(told, indent=1)


@pytest.fixture(scope="module", autouse=True)
def _something_in_review(api: Api, drafts: Drafts) -> None:
    for name in ("Equal one", "Equal two"):
        perform(api, SUBMIT, AUTHOR, draftId=drafts.new(name))


@pytest.fixture(scope="module", params=["", "camunda", "aidbox"], ids=["all there", "no engine", "no store"])
def both(request: pytest.FixtureRequest, settings: Settings) -> Iterator[tuple[Api, Api]]:
    with without(request.param, settings, "compiled") as compiled, without(request.param, settings, "stock") as stock:
        yield compiled, stock


@pytest.mark.parametrize("someone", [REVIEWER, AUTHOR, ADMIN], ids=lambda someone: someone.id)
@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.split()[1])
def test_both_executors_answer_alike(both: tuple[Api, Api], query: str, someone: Someone) -> None:
    compiled, stock = both
    assert answer(compiled, query, someone) == answer(stock, query, someone)
