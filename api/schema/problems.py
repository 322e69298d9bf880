"""The type PlanProblem: what is wrong with a draft's plan, before anybody reviews it."""

from collections.abc import Iterator
from enum import Enum

import strawberry

from api.coordination.validation import Validation
from api.schema.info import Info
from api.upstreams.retool.records import Draft
from plandiff.problems import Problem


@strawberry.enum(description="How bad a problem is.")
class ProblemSeverity(Enum):
    """Errors are refused at submission."""

    ERROR = strawberry.enum_value("ERROR", description="The plan cannot be published with it; submission refuses it.")
    WARNING = strawberry.enum_value("WARNING", description="The plan can be published with it.")


@strawberry.enum(description="Who found a problem.")
class ProblemSource(Enum):
    """The store, or this service."""

    STORE = strawberry.enum_value("STORE", description="The FHIR store, by $validate.")
    PLAN_API = strawberry.enum_value("PLAN_API", description="This service, in the document itself.")


@strawberry.type(description="One thing that is wrong with a plan.")
class PlanProblem:
    """For the author, before the plan is submitted."""

    severity: ProblemSeverity = strawberry.field(description="How bad it is.")
    path: str | None = strawberry.field(
        description="Where, as in FHIRPath: coverage[0].type. Null: the plan as a whole."
    )
    pointer: str | None = strawberry.field(
        description="Where, as a JSON pointer (RFC 6901) into the plan: /coverage/0/type, also of a part that is "
        "missing. Null: the plan as a whole, or the store named no single place."
    )
    label: str = strawberry.field(description="Where, in a few words.")
    message: str = strawberry.field(description="What is wrong, and what to do about it.")
    source: ProblemSource = strawberry.field(description="Who found it.")


async def problems_of(info: Info, draft: Draft) -> list[PlanProblem]:
    """The problems of one draft: one request to the store. Raises Refused for too many drafts of one request."""
    return plan_problems(await info.context.validation(draft))


def plan_problems(validation: Validation | None) -> list[PlanProblem]:
    """The types of all problems, the store's last."""
    return list(_plan_problems(validation)) if validation else []


def _plan_problems(validation: Validation) -> Iterator[PlanProblem]:
    for problem in validation.own:
        yield _plan_problem(problem, ProblemSource.PLAN_API)
    for problem in validation.stores or ():
        yield _plan_problem(problem, ProblemSource.STORE)


def _plan_problem(problem: Problem, source: ProblemSource) -> PlanProblem:
    severity = ProblemSeverity.ERROR if problem.is_error else ProblemSeverity.WARNING
    return PlanProblem(
        severity=severity,
        path=problem.path,
        pointer=problem.pointer,
        label=problem.label,
        message=problem.message,
        source=source,
    )
