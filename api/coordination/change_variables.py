"""What a submission changes, as process variables: a model can choose reviewers by them."""

import logging
from functools import partial

from api.coordination.policy import Policy
from api.upstreams import Upstreams
from api.upstreams.aidbox.records import PlanVersion
from api.upstreams.camunda.process_variables import ChangeVariables, Scalar
from api.upstreams.retool.records import Draft
from plandiff.changes import Terms
from plandiff.comparison import extent_of
from resilience.deadline import seconds_left, with_deadline

LONGEST = 10.0  # seconds a comparison may take
SHARE = 0.5  # of the request's time; the rest is for the submission itself

_log = logging.getLogger(__name__)


async def change_variables(
    upstreams: Upstreams, policy: Policy, draft: Draft, base: PlanVersion | None
) -> dict[str, Scalar]:
    """The variables of a submission that edits `base`, or makes a new plan.

    They are null where the two can not be compared, which stops no submission.
    """
    plan, held = draft.plan_data, bytes(base.resource) if base else None
    terms = Terms(keeps_digits=policy.aidbox_keeps_digits)
    work = partial(extent_of, plan, held, max_bytes=policy.max_plan_bytes, terms=terms)
    try:
        with with_deadline(min(LONGEST, seconds_left(2 * LONGEST) * SHARE)):
            found = await upstreams.plan_processes.run(work, size=len(plan) + len(held or b""))
    except Exception:  # noqa: BLE001  # whatever it is, the draft can be submitted
        _log.exception("a submission could not be compared with its plan", extra={"draft_id": draft.id})
        return ChangeVariables(is_new_plan=base is None).written()
    return ChangeVariables(
        is_new_plan=base is None,
        change_count=found.changed,
        changed_areas=",".join(found.areas),
        cost_change_percent=found.cost_percent if base else None,
        premium_change_percent=found.premium_percent if base else None,
    ).written()
