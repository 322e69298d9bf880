"""`plan-api check --write`: a test plan is written, read and deleted, to see whether the store preserves digits."""

from decimal import Decimal
from typing import Any

from api.errors import ServiceError
from api.upstreams.aidbox.client import Aidbox
from doctor.finding import Finding, ok, warning, wrong
from doctor.provenance_trial import deleted, try_provenance
from plandiff.plan_document import read

TEST_PLAN = "plan-api-check"  # its id; nobody else's plan may have it
AMOUNT = Decimal("1500.00")
NAME = "A test of plan-api, which can be deleted"


async def look_at_digits(aidbox: Aidbox, *, keeps_digits: bool) -> list[Finding]:
    """Write the test plan, read it and delete it. Nothing is written if another plan has its id.

    `keeps_digits`: as the settings say.
    """
    address = f"InsurancePlan/{TEST_PLAN}"
    try:
        there = await aidbox.plan(TEST_PLAN)
        if there is not None and there.name != NAME:
            return [warning("digits", f"not tried: {address} is a plan that this check did not write")]
        await aidbox.put(TEST_PLAN, _plan(), base_version=there.version_id if there else None)
        written = await aidbox.plan(TEST_PLAN)
        amount = _amount(read(written.resource)) if written else None
    except ServiceError as failed:
        return [wrong("digits", f"{address} could not be written and read: {failed}")]
    record = await try_provenance(aidbox, written) if written and aidbox.has_provenance else []
    return [judge_amount(amount, keeps_digits=keeps_digits), *record, *await deleted(aidbox, "digits", address)]


def _plan() -> dict[str, object]:
    cost = {"type": {"text": "deductible"}, "cost": {"value": AMOUNT, "currency": "USD"}}
    return {
        "resourceType": "InsurancePlan",
        "id": TEST_PLAN,
        "status": "draft",
        "name": NAME,
        "plan": [{"generalCost": [cost]}],
    }


def _amount(plan: Any) -> object:
    try:
        return plan["plan"][0]["generalCost"][0]["cost"]["value"]
    except (KeyError, IndexError, TypeError):
        return None


def judge_amount(amount: object, *, keeps_digits: bool) -> Finding:
    """The finding on the form in which 1500.00 came back. Pure."""
    came_back = f"{AMOUNT} comes back as {'nothing' if amount is None else amount}"
    if isinstance(amount, bool) or not isinstance(amount, int | Decimal) or amount != AMOUNT:
        return wrong("digits", f"{came_back}; this store cannot hold plans")
    is_kept = str(amount) == str(AMOUNT)
    if is_kept == keeps_digits:
        return ok("digits", f"{came_back}, as AIDBOX_KEEPS_DIGITS says")
    if is_kept:
        return warning("digits", f"{came_back}; without AIDBOX_KEEPS_DIGITS=false each digit would count")
    return wrong("digits", f"{came_back}; set AIDBOX_KEEPS_DIGITS=false, so that equal amounts count as equal")
