"""The context of one GraphQL request: viewer, upstreams, settings, loaders, and what it may still cost."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from functools import partial
from itertools import takewhile
from typing import Any, NamedTuple, TypeVar, cast

import msgspec

from api.coordination.policy import Policy, policy_of
from api.coordination.validation import Validation, validated
from api.errors import Refused, UserErrorCode
from api.loaders import Loaders
from api.plan_processes import results
from api.requirements import EVERYTHING, Requirements
from api.settings import Settings
from api.upstreams import Upstreams
from api.upstreams.retool.records import Draft
from authentication.identity import Viewer
from columnar.batch_loader import Loader
from graphql_server.admission.weighted_semaphore import WeightedSemaphore
from graphql_server.documents.document_limits import DocumentLimits
from graphql_server.documents.preparation import Prepared
from graphql_server.refusals import OverLimit
from resilience.caller import present_caller
from resilience.deadline import seconds_left

Result = TypeVar("Result")

BYTES_A_VALUE = 100  # bytes of compared plans that cost as much as one value of the answer
LARGEST_SHARE = 500_000  # bytes of plans compared in one job, before the job of another caller
LARGEST_BATCH = 5000
MOST_VALIDATED = 10  # drafts of one request: each costs the store a validation


class Work(NamedTuple):
    """A job for a worker process: a function of a module and its arguments."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    options: tuple[tuple[str, Any], ...]

    @property
    def size(self) -> int:
        """The size of the documents among its arguments, in bytes."""
        return sum(len(each) for each in self.args if isinstance(each, str | bytes))


@dataclass
class Context:
    """Everything that resolvers share in one request; its loaders are replaced after every write.

    `large_answers`: the semaphore of large answers, the same for all requests.
    `shapes`: what the executor caches with the document from one request to the next.
    `acting`: the person the last mutation was done for, if not the viewer; its payload is read as theirs.
    `cost`: of the answer, and of the plans that were compared for it.
    `entities_asked`, `tasks_asked`: how many were asked for by key, in all fields of the request together.
    `refusal`: of the whole request, after which nothing is read.
    `validated`: drafts whose problems were asked for.
    `audited`: ids whose refusal is in the audit log already.
    `may_be_given_up`: the request writes nothing, so it is cancelled when its client disconnects.
    """

    viewer: Viewer
    upstreams: Upstreams
    settings: Settings
    policy: Policy
    document_limits: DocumentLimits
    large_answers: WeightedSemaphore
    requirements: Requirements = EVERYTHING
    may_be_given_up: bool = False
    shapes: object = None
    acting: Viewer | None = None
    audited: set[str] = field(default_factory=set)
    cost: int = 0
    entities_asked: int = 0
    tasks_asked: int = 0
    refusal: Refused | None = None
    validated: int = 0
    _loaders: Loaders | None = None
    _calculations: Loader[Work, Any] | None = None
    _validations: Loader[Draft, Validation] | None = None

    @property
    def loaders(self) -> Loaders:
        """The loaders, made on first use, when the requirements of the request are known.

        Raises the refusal of the whole request: what was resolved before it goes on in the background, and must not
        ask any system.
        """
        if self.refusal is not None:
            raise self.refusal
        if self._loaders is None:
            self._loaders = Loaders(self.upstreams, self.reader, self.requirements)
        return self._loaders

    @property
    def reader(self) -> Viewer:
        """The person whose permissions decide what may be read."""
        return self.acting or self.viewer

    def prepare(self, prepared: Prepared) -> None:
        """Take what is known of the operation, which is about to be executed."""
        self.requirements, self.shapes, self.cost = Requirements(prepared.required), prepared.shapes, prepared.cost
        self.may_be_given_up = prepared.is_query

    def answer_slots(self, cost: int) -> AbstractAsyncContextManager[None]:
        """Slots of `large_answers` for an answer; they are waited for as long as leaves time to ask the systems."""
        seconds = seconds_left(self.settings.request_seconds / 2)
        return self.large_answers.taken(cost, caller=present_caller(), seconds=seconds)

    def renew_loaders(self, acting: Viewer | None = None) -> None:
        """Drop what was read, so that what follows a write is read afresh, as the person it was done for."""
        self._loaders, self._calculations, self._validations, self.acting = None, None, None, acting

    def release(self) -> None:
        """Drop what was read, when the answer is complete."""
        self.renew_loaders()

    def give_up(self) -> None:
        """Cancel the batches and calculations under way."""
        if self._loaders is not None:
            self._loaders.abandon()
        if self._calculations is not None:
            self._calculations.abandon()
        if self._validations is not None:
            self._validations.abandon()

    async def calculated(self, work: partial[Result]) -> Result:
        """The result of a function on plans, computed in a worker process, once a request for the same arguments.

        Raises OverLimit when the plans are too large for one request, and what the function and the process raise.
        """
        if self._calculations is None:
            self._calculations = Loader(self._results, largest=LARGEST_BATCH)
        found = await self._calculations.load(Work(work.func, work.args, tuple(work.keywords.items())))
        return cast("Result", found)

    async def validation(self, draft: Draft) -> Validation:
        """The problems of a draft's plan, found once a request. Raises Refused for more drafts than a request may."""
        if self._validations is None:
            self._validations = Loader(self._validated, largest=LARGEST_BATCH)
        return cast("Validation", await self._validations.load(draft))

    async def _validated(self, drafts: Sequence[Draft]) -> dict[Draft, Validation | Exception]:
        few = drafts[: MOST_VALIDATED - self.validated]
        self.validated += len(few)
        found = await asyncio.gather(
            *(validated(self.upstreams, self.policy, draft) for draft in few), return_exceptions=True
        )
        message = f"One request may ask for the problems of at most {MOST_VALIDATED} drafts; ask for fewer at once."
        answers: dict[Draft, Any] = dict.fromkeys(drafts, Refused(UserErrorCode.INVALID, message, field="problems"))
        return answers | dict(zip(few, found, strict=True))

    async def _results(self, asked: Sequence[Work]) -> dict[Work, Any]:
        """All results at once, so that the reads after them form one batch; computed in jobs of limited size."""
        found: dict[Work, Any] = {work: self._payment(work.size) for work in asked}
        # Works on the same documents one after the other: the process compares these only once.
        paid = sorted((work for work in asked if found[work] is None), key=lambda work: hash(work.args))
        while paid:
            share = list(takewhile(_within(LARGEST_SHARE), paid)) or paid[:1]
            del paid[: len(share)]
            run = partial(results, [partial(work.function, *work.args, **dict(work.options)) for work in share])
            answers = await self.upstreams.plan_processes.run(run)
            found |= zip(share, answers, strict=True)
        return found

    def _payment(self, size: int) -> OverLimit | None:
        """Add plans of this size to the cost of the request; OverLimit if it exceeds the maximum."""
        cost = self.cost + size // BYTES_A_VALUE
        if cost > self.settings.max_cost:
            limit = f"with them it costs more than {self.settings.max_cost}"
            message = f"The plans to compare are too large for one request: {limit}. Ask for fewer drafts at once."
            return OverLimit("QUERY_TOO_COSTLY", message)
        self.cost = cost
        return None


def _within(size: int) -> Callable[[Work], bool]:
    total = 0

    def fits(work: Work) -> bool:
        nonlocal total
        total += work.size
        return total <= size

    return fits


def make_context(viewer: Viewer, upstreams: Upstreams, settings: Settings, large_answers: WeightedSemaphore) -> Context:
    """The context of a new request."""
    limits = msgspec.convert(settings, DocumentLimits, from_attributes=True)
    return Context(viewer, upstreams, settings, policy_of(settings), limits, large_answers)
