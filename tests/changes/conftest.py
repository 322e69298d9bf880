"""Plans of a test's own in the store, and the verbs of this folder."""

import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import httpx
import msgspec
import pytest

from api.settings import Settings
from tests.serving import AUTHOR, GOLD, REVIEWER, Api, Drafts, Someone, serving
from tests.verbs import COMPLETE, open_task, perform, submitted
from tests.wiretap import noting, tapped

Plan = dict[str, Any]

ENCODER = msgspec.json.Encoder(decimal_format="number")
SUMMIT = "plan[identifier=SUM-GOLD-PPO-1500-2027-IN]"
DEDUCTIBLE = f"{SUMMIT}.generalCost[type=deductible,groupSize=1].cost.value"
FAMILY = f"{SUMMIT}.generalCost[type=deductible,groupSize=2].cost.value"

CHANGES = """query Changes($id: ID!) { draft(id: $id) { changes { path kind label before after } } }"""
CONFLICTS = """query Conflicts($id: ID!) { draft(id: $id) { revision conflicts { path label base mine theirs } } }"""
HISTORY = """query History($ids: [ID!]) { drafts(ids: $ids) { items { id history {
  kind at processId revision by { id } step comment reason planVersionId } } } }"""
REBASE = """mutation Rebase($input: RebaseDraftInput!) { rebaseDraft(input: $input) {
  draft { id status revision planData conflicts { path } } conflicts { path label base mine theirs }
  userErrors { code message field } } }"""
CREATE = """mutation Create($input: CreateDraftFromPlanInput!) { createDraftFromPlan(input: $input) {
  draft { id name status planData aidboxId createdBy camundaProcessId } userErrors { code message field } } }"""


def gold(**fields: object) -> Plan:
    """The gold sample with other fields, digits kept."""
    plan: Plan = json.loads(GOLD, parse_float=Decimal)
    return {**plan, **fields}


def costing(deductible: str, *, family: str = "3000.00", **fields: object) -> Plan:
    """The gold sample with these deductibles for one and for two."""
    plan = gold(**fields)
    for element, amount in zip(plan["plan"][0]["generalCost"], (deductible, family), strict=False):
        element["cost"]["value"] = Decimal(amount)
    return plan


def text(plan: Plan) -> str:
    """A plan as JSON, digits kept."""
    return ENCODER.encode(plan).decode()


def exactly(plan: Plan) -> str:
    """A plan as text that tells 1500.00 from 1500.0, in whatever order its keys are."""
    return json.dumps(plan, sort_keys=True, default=repr)


@dataclass(frozen=True)
class Store:
    """The store, as somebody else writes to it."""

    client: httpx.Client

    def put(self, plan: Plan, plan_id: str) -> str:
        """Write the next version of a plan; its version id."""
        body, kind = text({**plan, "id": plan_id}), {"Content-Type": "application/fhir+json"}
        answer = self.client.put(f"/InsurancePlan/{plan_id}", content=body, headers=kind)
        assert answer.is_success, answer.text
        return str(answer.json()["meta"]["versionId"])

    def new(self, plan: Plan) -> tuple[str, str]:
        """A plan of a new id; the id and its first version."""
        plan_id = str(uuid.uuid4())
        return plan_id, self.put(plan, plan_id)

    def read(self, plan_id: str) -> Plan:
        """A plan as it is now, digits kept."""
        plan: Plan = json.loads(self.client.get(f"/InsurancePlan/{plan_id}").content, parse_float=Decimal)
        return plan

    def delete(self, plan_id: str) -> None:
        """Take a plan away."""
        assert self.client.delete(f"/InsurancePlan/{plan_id}").is_success


@pytest.fixture
def plans(store: httpx.Client) -> Store:
    return Store(store)


Conflicting = Callable[[Plan, Plan, Plan], tuple[str, str, str]]


@pytest.fixture
def conflicting(api: Api, drafts: Drafts, plans: Store) -> Conflicting:
    """A draft whose approval ended in a conflict, of base, mine and theirs: its id, the plan's, the new version."""

    def make(base: Plan, mine: Plan, theirs: Plan) -> tuple[str, str, str]:
        plan_id, _ = plans.new(base)
        draft_id = drafts.new(plan=text(mine), aidbox_id=plan_id)
        submitted(api, draft_id, AUTHOR)
        version_id = plans.put(theirs, plan_id)
        payload = perform(api, COMPLETE, REVIEWER, taskId=open_task(api, draft_id), approved=True)
        assert (payload["status"], payload["userErrors"]) == ("CONFLICT", [])
        return draft_id, plan_id, version_id

    return make


def conflicts(api: Api, draft_id: str, someone: Someone = AUTHOR) -> list[Plan]:
    """The conflicts of a draft that must exist."""
    found: list[Plan] = api.ask(CONFLICTS, someone, id=draft_id)["draft"]["conflicts"]
    return found


def revision(api: Api, draft_id: str) -> str:
    """The revision of a draft that must exist."""
    return str(api.ask(CONFLICTS, AUTHOR, id=draft_id)["draft"]["revision"])


def read_row(drafts: Drafts, draft_id: str) -> Plan:
    """The plan in a draft's row, digits kept."""
    plan: Plan = json.loads(drafts.row(draft_id)["plan_data"], parse_float=Decimal)
    return plan


@pytest.fixture
def calls() -> list[httpx.Request]:
    """The requests that `watched` sends to engine and store."""
    return []


@pytest.fixture
def watched(settings: Settings, calls: list[httpx.Request]) -> Iterator[Api]:
    """An API whose requests to engine and store are noted in `calls`."""
    with serving(settings, transports=tapped(noting(calls))) as api:
        yield api
