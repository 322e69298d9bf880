"""What the demo and the tests find in a new sandbox: plans with a history in the store, drafts in Retool's table.

All of it is declared here as small changes to the files in samples/, digits
kept as they are written (1500.00 stays 1500.00). Loading twice changes nothing.
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import httpx
import msgspec
import psycopg
from psycopg import sql

from sandbox.server import SandboxError

State = Literal["draft", "submitted", "scheduled", "approved", "rejected", "returned", "conflict", "withdrawn"]
Resource = dict[str, Any]
# `plan.0.generalCost` and the like: where in the resource; what stands there then. An index past the end appends.
Changes = Mapping[str, Any]

FOLDER = Path(__file__).with_name("samples")
DECODER = msgspec.json.Decoder(float_hook=Decimal)
ENCODER = msgspec.json.Encoder(decimal_format="number")

# what the plans refer to, in the order the store needs
SUPPORTING = (
    "plannet/Organization-Acme.json",
    "plannet/Organization-AcmeofCTStdNet.json",
    "plannet/Organization-AcmeofCTPremNet.json",
    "plannet/Location-StateOfCTLocation.json",
    "plannet/Endpoint-AcmeOfCTPortalEndpoint.json",
)
PREMIUM = "plan.0.generalCost.3.cost.value"
DEDUCTIBLE = "plan.0.generalCost.0.cost.value"
VISIT_COPAY = "plan.0.specificCost.0.benefit.0.cost.0.value.value"
OUT_OF_NETWORK_SHARE = "plan.0.specificCost.0.benefit.0.cost.1.value.value"
DRUG_COPAY = "plan.0.specificCost.1.benefit.0.cost.0.value.value"
THERAPY_VISITS = "coverage.0.benefit.3.limit.0.value.value"
YEAR_2026 = {"period.start": "2026-01-01", "period.end": "2026-12-31"}
YEAR_2027 = {"period.start": "2027-01-01", "period.end": "2027-12-31"}


@dataclass(frozen=True)
class SamplePlan:
    """A plan of the store; each entry of `versions` changes the version before it, the first one the file."""

    id: str
    file: str
    versions: Sequence[Changes] = ({},)


@dataclass(frozen=True)
class SampleDraft:
    """A row of the drafts table, and where the demo takes it with the API's own verbs."""

    id: str
    name: str
    author: str
    state: State
    plan: SamplePlan
    is_wrong: bool = False  # with mistakes, as `Draft.problems` tells them
    is_routed: bool = False  # submitted to the example model, which chooses its reviewers by what a draft changes
    is_new: bool = False  # a plan of its own; otherwise an edit of `plan`
    changes: Changes = field(default_factory=dict)
    comment: str | None = None  # what the approver says
    said: Sequence[tuple[str, str]] = ()  # comments on the submission: by whom, and the words
    overtaken_by: str | None = None  # conflict: the draft that is published while this one is in review

    @property
    def aidbox_id(self) -> str | None:
        return None if self.is_new else self.plan.id

    @property
    def plan_data(self) -> str:
        """Its JSON text."""
        identity = {"id": self.id} if self.is_new else {}
        return ENCODER.encode(changed(latest(self.plan), {**identity, **self.changes})).decode()


def _summit(
    plan_id: str, name: str, code: str, level: str, deductible: str, maximum: str, premium: str, copay: str
) -> Changes:
    """The gold plan's file as another plan of the same insurer."""
    return {
        "id": plan_id,
        "text.div": f'<div xmlns="http://www.w3.org/1999/xhtml"><p>{name}</p></div>',
        "identifier.0.value": plan_id,
        "identifier.1.value": code,
        "name": name,
        "alias": [name.removeprefix("Summit ")],
        "plan.0.identifier.0.value": f"{code}-IN",
        "plan.0.type.text": f"{level}, in network",
        DEDUCTIBLE: Decimal(deductible),
        "plan.0.generalCost.1.cost.value": 2 * Decimal(deductible),
        "plan.0.generalCost.2.cost.value": Decimal(maximum),
        PREMIUM: Decimal(premium),
        VISIT_COPAY: Decimal(copay),
    }


GOLD = SamplePlan(
    "3f6c2a54-6d0c-4d6e-9f0b-2f6f6f2f9a01",
    "own/insuranceplan-gold-ppo.json",
    (
        {**YEAR_2026, PREMIUM: Decimal("389.90"), VISIT_COPAY: Decimal("20.00"), THERAPY_VISITS: 3},
        {THERAPY_VISITS: 30},  # the mid-year correction of a slip
        {**YEAR_2027, PREMIUM: Decimal("412.35"), VISIT_COPAY: Decimal("25.00")},  # the file as it stands
    ),
)
SILVER = SamplePlan(
    "8b1d7f0e-52c3-4a86-b7a9-0c1f5e9d2b02",
    GOLD.file,
    (
        {
            **_summit(
                "8b1d7f0e-52c3-4a86-b7a9-0c1f5e9d2b02",
                "Summit Silver HMO 3000",
                "SUM-SILVER-HMO-3000-2027",
                "Silver",
                deductible="3000.00",
                maximum="7500.00",
                premium="318.20",
                copay="35.00",
            ),
            **YEAR_2026,
            "type.0.text": "HMO",
        },
        {DRUG_COPAY: Decimal("12.50")},
        {**YEAR_2027, PREMIUM: Decimal("334.75")},
    ),
)
BRONZE = SamplePlan(
    "c4e9a3d2-7f18-4b5c-8d60-9a2e4f7b1c03",
    GOLD.file,
    (
        {
            **_summit(
                "c4e9a3d2-7f18-4b5c-8d60-9a2e4f7b1c03",
                "Summit Bronze HDHP 6500",
                "SUM-BRONZE-HDHP-6500-2027",
                "Bronze",
                deductible="6500.00",
                maximum="8050.00",
                premium="241.10",
                copay="0.00",
            ),
            **YEAR_2026,
            "type.0.text": "HDHP",
        },
        {OUT_OF_NETWORK_SHARE: 50},
        {**YEAR_2027, PREMIUM: Decimal("252.00")},
    ),
)
ACME_GOLD = SamplePlan(
    "AcmeQHPGold",
    "plannet/InsurancePlan-AcmeQHPGold.json",
    ({}, {"period": {"start": "2026-01-01"}}, {"period.end": "2026-12-31", "alias": ["Acme Gold"]}),
)
ACME_BRONZE = SamplePlan(
    "AcmeQHPBronze",
    "plannet/InsurancePlan-AcmeQHPBronze.json",
    ({}, {"period": {"start": "2026-01-01", "end": "2026-12-31"}}, {"alias": ["Acme Bronze"]}),
)
EVERY_ELEMENT = SamplePlan("every-element", "own/insuranceplan-every-element.json")
PLANS = (GOLD, SILVER, BRONZE, ACME_GOLD, ACME_BRONZE, EVERY_ELEMENT)


def _new_summit(
    draft_id: str,
    author: str,
    state: State,
    name: str,
    *figures: str,
    further: Changes | None = None,
    **rest: Any,
) -> SampleDraft:
    changes = {**_summit(draft_id, name, *figures), **(further or {})}
    return SampleDraft(draft_id, name, author, state, GOLD, is_new=True, changes=changes, **rest)


DRAFTS = (
    SampleDraft(
        "5b0f3c1e-0001-4c6a-9a53-1f2d7c8e0a11",
        "Summit Gold PPO 1500",
        "author",
        "submitted",
        GOLD,
        changes={
            PREMIUM: Decimal("418.90"),
            "coverage.0.benefit.4": {"type": {"text": "Telehealth visit"}, "requirement": "No referral required"},
        },
        said=(
            ("reviewer", "Is telehealth without a referral agreed with the medical directors?"),
            ("author", "Yes, on 12 November; the minutes are in the folder of this open enrolment."),
        ),
    ),
    SampleDraft(
        "5b0f3c1e-0002-4c6a-9a53-1f2d7c8e0a12",
        "Summit Silver HMO 3000",
        "second-author",
        "submitted",
        SILVER,
        changes={VISIT_COPAY: Decimal("40.00"), DRUG_COPAY: Decimal("15.00")},
    ),
    SampleDraft(
        "5b0f3c1e-0003-4c6a-9a53-1f2d7c8e0a13",
        "Acme of CT QHP Gold",
        "author",
        "submitted",
        ACME_GOLD,
        changes={"period": {"start": "2027-01-01", "end": "2027-12-31"}},
    ),
    SampleDraft(
        "5b0f3c1e-0004-4c6a-9a53-1f2d7c8e0a14",
        "Acme of CT QHP Bronze",
        "second-author",
        "submitted",
        ACME_BRONZE,
        changes={"period": {"start": "2027-01-01", "end": "2027-12-31"}, "alias.1": "Acme Bronze 2027"},
    ),
    _new_summit(
        "5b0f3c1e-0005-4c6a-9a53-1f2d7c8e0a15",
        "author",
        "submitted",
        "Summit Platinum PPO 250",
        "SUM-PLATINUM-PPO-250-2027",
        "Platinum",
        "250.00",
        "2500.00",
        "561.80",
        "10.00",
    ),
    _new_summit(
        "5b0f3c1e-0006-4c6a-9a53-1f2d7c8e0a16",
        "second-author",
        "submitted",
        "Summit Catastrophic 9450",
        "SUM-CATASTROPHIC-9450-2027",
        "Catastrophic",
        "9450.00",
        "9450.00",
        "178.05",
        "0.00",
    ),
    _new_summit(
        "5b0f3c1e-0007-4c6a-9a53-1f2d7c8e0a17",
        "author",
        "submitted",
        "Summit Silver EPO 2500",
        "SUM-SILVER-EPO-2500-2027",
        "Silver",
        "2500.00",
        "7000.00",
        "341.60",
        "30.00",
    ),
    _new_summit(
        "5b0f3c1e-0008-4c6a-9a53-1f2d7c8e0a18",
        "author",
        "draft",
        "Summit Gold EPO 1000",
        "SUM-GOLD-EPO-1000-2027",
        "Gold",
        "1000.00",
        "4500.00",
        "436.15",
        "20.00",
    ),
    _new_summit(
        "5b0f3c1e-0016-4c6a-9a53-1f2d7c8e0a26",
        "author",
        "draft",
        "Summit Bronze HSA 7000",
        "SUM-BRONZE-HSA-7000-2027",
        "Bronze",
        "7000.00",
        "8050.00",
        "229.60",
        "0.00",
        further={"status": "live", "ownedBy": {"reference": "#summit"}},
        is_wrong=True,
    ),
    SampleDraft(
        "5b0f3c1e-0009-4c6a-9a53-1f2d7c8e0a19",
        "Every element once",
        "second-author",
        "draft",
        EVERY_ELEMENT,
        changes={"name": "Every element once"},
    ),
    SampleDraft(
        "5b0f3c1e-0010-4c6a-9a53-1f2d7c8e0a20",
        "Summit Bronze HDHP 6500",
        "author",
        "conflict",
        BRONZE,
        changes={PREMIUM: Decimal("255.40")},
        overtaken_by="5b0f3c1e-0011-4c6a-9a53-1f2d7c8e0a21",
    ),
    SampleDraft(
        "5b0f3c1e-0011-4c6a-9a53-1f2d7c8e0a21",
        "Summit Bronze HDHP 6500",
        "second-author",
        "approved",
        BRONZE,
        changes={DEDUCTIBLE: Decimal("6600.00"), "plan.0.generalCost.1.cost.value": Decimal("13200.00")},
        comment="Deductible as filed for 2027.",
    ),
    _new_summit(
        "5b0f3c1e-0012-4c6a-9a53-1f2d7c8e0a22",
        "author",
        "approved",
        "Summit Gold HMO 1200",
        "SUM-GOLD-HMO-1200-2027",
        "Gold",
        "1200.00",
        "4800.00",
        "398.45",
        "20.00",
        comment="Rates checked against the filing.",
    ),
    _new_summit(
        "5b0f3c1e-0017-4c6a-9a53-1f2d7c8e0a27",
        "author",
        "scheduled",
        "Summit Bronze EPO 5500",
        "SUM-BRONZE-EPO-5500-2027",
        "Bronze",
        "5500.00",
        "8000.00",
        "261.30",
        "45.00",
        comment="For the new plan year.",
    ),
    _new_summit(
        "5b0f3c1e-0018-4c6a-9a53-1f2d7c8e0a28",
        "author",
        "submitted",
        "Summit Silver PPO 2000",
        "SUM-SILVER-PPO-2000-2027",
        "Silver",
        "2000.00",
        "6500.00",
        "352.40",
        "30.00",
        is_routed=True,
        said=(("author", "A new plan: by the decision table both the reviewers and the actuaries look at it."),),
    ),
    _new_summit(
        "5b0f3c1e-0013-4c6a-9a53-1f2d7c8e0a23",
        "second-author",
        "rejected",
        "Summit Platinum PPO 0",
        "SUM-PLATINUM-PPO-0-2027",
        "Platinum",
        "0.00",
        "2000.00",
        "689.95",
        "0.00",
        comment="No plan without a deductible in 2027.",
    ),
    SampleDraft(
        "5b0f3c1e-0014-4c6a-9a53-1f2d7c8e0a24",
        "Summit Silver HMO 3000",
        "author",
        "returned",
        SILVER,
        changes={THERAPY_VISITS: 300},
        comment="300 therapy visits a year? Please check the limit.",
    ),
    SampleDraft(
        "5b0f3c1e-0015-4c6a-9a53-1f2d7c8e0a25",
        "Acme of CT QHP Bronze",
        "author",
        "withdrawn",
        ACME_BRONZE,
        changes={"name": "Acme of CT QHP Bronze Plus"},
    ),
)


def load_plans(aidbox_url: str) -> None:
    """Store the plans, version by version, and what they refer to. What the store already knows is left as it is."""
    with httpx.Client(base_url=aidbox_url, timeout=60, trust_env=False) as store:
        for file in SUPPORTING:
            _store(store, [read(file)])
        for plan in PLANS:
            _store(store, versions(plan))


def load_drafts(dsn: str, table: str = "benefit_plan_drafts") -> list[SampleDraft]:
    """Insert the drafts that are not there, all with status `draft`; the answer names those."""
    insert = sql.SQL(
        "INSERT INTO {} (id, name, status, plan_data, aidbox_id, created_by) VALUES (%s, %s, 'draft', %s, %s, %s)"
        " ON CONFLICT (id) DO NOTHING RETURNING id"
    ).format(sql.Identifier(*table.split(".")))
    with psycopg.connect(dsn) as connection:
        return [
            draft
            for draft in DRAFTS
            if connection.execute(
                insert, (draft.id, draft.name, draft.plan_data, draft.aidbox_id, draft.author)
            ).fetchone()
        ]


def read(file: str) -> Resource:
    resource: Resource = DECODER.decode((FOLDER / file).read_bytes())
    return resource


def versions(plan: SamplePlan) -> list[Resource]:
    """Oldest first."""
    made: list[Resource] = []
    for changes in plan.versions:
        made.append(changed(made[-1] if made else read(plan.file), changes))
    return made


def latest(plan: SamplePlan) -> Resource:
    return versions(plan)[-1]


def changed(resource: Resource, changes: Changes) -> Resource:
    """A copy with the changes made."""
    made = copy.deepcopy(resource)
    for path, value in changes.items():
        *way, last = path.split(".")
        place: Any = made
        for step in way:
            place = place[int(step)] if isinstance(place, list) else place[step]
        if isinstance(place, list):
            place[int(last) : int(last) + 1] = [value]
        else:
            place[last] = value
    return made


def _store(store: httpx.Client, wanted: Sequence[Resource]) -> None:
    address = f"/{wanted[0]['resourceType']}/{wanted[0]['id']}"
    if store.get(address).status_code in (200, 410):  # 410: somebody deleted it, and it stays deleted
        return
    for version in wanted:
        answer = store.put(address, content=ENCODER.encode(version), headers={"Content-Type": "application/fhir+json"})
        if not answer.is_success:
            raise SandboxError(f"The store refused the sample {address}: {answer.status_code} {answer.text[:500]}")
