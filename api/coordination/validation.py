"""Validation of a draft's plan: what the document itself shows, and what the store says of it. Nothing is written."""

from dataclasses import dataclass
from functools import partial

from api.coordination.policy import Policy
from api.errors import Refused, UpstreamFailed, UserErrorCode
from api.upstreams import Upstreams
from api.upstreams.retool.records import Draft
from fhir_answers.operation_outcome import Issue
from plandiff.problems import ROOT, Problem, limited, problems


@dataclass(frozen=True)
class Validation:
    """The problems of a plan: what was found here, and what the store found; None where it was not asked."""

    own: list[Problem]
    stores: list[Problem] | None

    @property
    def has_errors(self) -> bool:
        """Whether the plan cannot be published as it is."""
        return any(problem.is_error for problem in (*self.own, *(self.stores or ())))


async def validated(upstreams: Upstreams, policy: Policy, draft: Draft) -> Validation:
    """All problems of a draft's plan. Raises UpstreamFailed."""
    own = await _own_problems(upstreams, policy, draft)
    return Validation(own, await _stores_problems(upstreams, policy, draft, own))


async def demand_valid(upstreams: Upstreams, policy: Policy, draft: Draft) -> Validation:
    """Refuse to submit a plan with errors. Raises Refused (INVALID_PLAN), with all problems.

    A store that cannot be asked raises UpstreamFailed where REQUIRE_VALIDATION is set; otherwise it was not asked.
    """
    own, stores = await _own_problems(upstreams, policy, draft), None
    try:
        stores = await _stores_problems(upstreams, policy, draft, own)
    except UpstreamFailed:
        if policy.require_validation:
            raise
    found = Validation(own, stores)
    if found.has_errors:
        raise _refusal(found)
    return found


async def _own_problems(upstreams: Upstreams, policy: Policy, draft: Draft) -> list[Problem]:
    asked = partial(problems, draft.plan_data, max_bytes=policy.max_plan_bytes)
    return await upstreams.plan_processes.run(asked, size=len(draft.plan_data))


async def _stores_problems(
    upstreams: Upstreams, policy: Policy, draft: Draft, own: list[Problem]
) -> list[Problem] | None:
    """None where the store is not asked: that is switched off, or the draft holds no plan."""
    if any(problem.path is None and problem.is_error for problem in own) or not policy.validate_plans:
        return None
    issues = await upstreams.aidbox.validate(draft.plan_data.encode(), profile=policy.plan_profile)
    return limited([_problem(issue) for issue in issues])


def _refusal(found: Validation) -> Refused:
    errors = [problem for problem in (*found.own, *(found.stores or ())) if problem.is_error]
    first = errors[0]
    where = f"{first.label}: " if first.path else ""
    more = f" And {len(errors) - 1} more errors; see problems." if len(errors) > 1 else ""
    message = f"{where}{first.message}{more}"
    return Refused(UserErrorCode.INVALID_PLAN, message, field="draftId", problems=[found])


def _problem(issue: Issue) -> Problem:
    place = issue.place.removeprefix(ROOT).removeprefix(ROOT[:-1]) if issue.place else None
    return Problem(issue.is_error, place or None, issue.message)
