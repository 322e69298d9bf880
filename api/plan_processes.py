"""Work on plans beside the event loop: comparing, merging and checking them, with refusals for what is no plan."""

from collections.abc import Sequence
from functools import partial
from typing import Any, TypeVar

from api.errors import Refused, ServiceError, UserErrorCode
from api.telemetry import SERVICE
from plandiff.plan_document import InvalidPlan
from resilience.worker_processes import WorkerProcesses

Result = TypeVar("Result")


class PlanProcesses:
    """Worker processes for plans."""

    def __init__(self, processes: int) -> None:
        self._processes = WorkerProcesses(processes, name=SERVICE, what="Comparing plans")

    async def run(self, work: partial[Result], *, size: int | None = None) -> Result:
        """As of the worker processes. Raises Refused (INVALID_PLAN) for a document that is no plan."""
        return await self._processes.run(partial(_done, work), size=size)


def results(works: Sequence[partial[Any]]) -> list[Any]:
    """For each piece of work its result, or its error if that is one of ours."""
    return [_result(work) for work in works]


def _result(work: partial[Any]) -> Any:
    try:
        return _done(work)
    except ServiceError as error:
        return error


def _done(work: partial[Result]) -> Result:
    try:
        return work()
    except InvalidPlan as error:
        raise Refused(UserErrorCode.INVALID_PLAN, str(error), field="draftId") from error
