"""`plan-api check --write`: a test Provenance is written for the test plan, read and deleted."""

from api.errors import ServiceError
from api.upstreams.aidbox.client import Aidbox
from api.upstreams.aidbox.records import PlanVersion
from api.upstreams.approval_records import PREFIX
from doctor.finding import Finding, ok, warning, wrong
from fhir_answers.provenance import Review, Statement, provenance_of, review_of


async def try_provenance(aidbox: Aidbox, plan: PlanVersion) -> list[Finding]:
    """Write the Provenance of the test plan, as a publication does, read it and delete it."""
    sent = _review(plan)
    address = f"Provenance/{sent.id}"
    try:
        await aidbox.put_provenance(provenance_of(sent, PREFIX))
        found = (await aidbox.provenances_by_id([sent.id])).get(sent.id)
        if found is None or isinstance(found, ServiceError) or review_of(found, PREFIX) != sent:
            return [wrong("provenance", f"{address} comes back changed; this store cannot hold it: PROVENANCE=false")]
        found_by_tag = await aidbox.provenances_by_tag(PREFIX + "draft", [plan.id])
    except ServiceError as failed:
        return [wrong("provenance", f"{address} could not be written and read: {failed}")]
    finding = ok("provenance", "a test of it was written, read and found by its tag")
    if sent.id not in [each.id for each in found_by_tag]:
        finding = wrong("provenance", f"{address} is not found by its tag, so who took part loses sight of old drafts")
    return [finding, *await deleted(aidbox, "provenance", address)]


def _review(plan: PlanVersion) -> Review:
    at = plan.published_at
    said = Statement("plan-api", None, {"at": at.isoformat()}, "A test of plan-api, which can be deleted")
    return Review(
        id=f"{plan.id}.{plan.version_id}",
        kind="InsurancePlan",
        resource_id=plan.id,
        version_id=plan.version_id,
        base_version=None,
        begun=at,
        ended=at,
        author="plan-api",
        submission=said,
        decisions={"a-task": said},
        comments={"a-comment": said},
        rule=None,
        used={"draft": plan.id},
        tags={"draft": plan.id},
        service="plan-api",
    )


async def deleted(aidbox: Aidbox, subject: str, address: str) -> list[Finding]:
    """Delete what a test has written; a finding where that fails."""
    try:
        await aidbox.store.call("DELETE", f"/{address}", answers=(200, 202, 204, 404, 410))
    except ServiceError as failed:
        return [warning(subject, f"{address} is still in the store, delete it by hand: {failed}")]
    return []
