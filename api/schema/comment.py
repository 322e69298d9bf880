"""The type Comment: what people wrote on a submission beside their decisions."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import islice

import strawberry

from api.schema.info import Info
from api.schema.person import Person
from api.upstreams.camunda import process_variables
from api.upstreams.camunda.process_variables import NO_VARIABLES
from api.upstreams.retool.records import Draft

Comments = Mapping[str, process_variables.Comment]


@strawberry.type(description="A comment on a submission. It is kept as long as the engine keeps its process.")
class Comment:
    """As addComment stored it."""

    id: strawberry.ID = strawberry.field(description="Its id, unique within the submission.")
    by: Person = strawberry.field(description="Who wrote it, or in whose name it was written.")
    acted_by: Person | None = strawberry.field(
        description="Who wrote it on their behalf; null where they did so themselves, or a trusted program did."
    )
    at: datetime = strawberry.field(description="When.")
    text: str = strawberry.field(description="What it says, in plain text.")
    process_id: strawberry.ID = strawberry.field(description="The submission it belongs to: a process of the engine.")


def comment(process_id: str, comment_id: str, written: process_variables.Comment) -> Comment:
    """The type of a stored comment."""
    return Comment(
        id=strawberry.ID(comment_id),
        by=Person(id=strawberry.ID(written.by)),
        acted_by=Person(id=strawberry.ID(written.acted_by)) if written.acted_by else None,
        at=written.at,
        text=written.text,
        process_id=strawberry.ID(process_id),
    )


async def comments_of_process(info: Info, process_id: str, limit: int) -> list[Comment]:
    """The last comments on one submission, newest first."""
    return _newest_first([(process_id, await info.context.loaders.comments.load(process_id) or {})], limit)


async def comments_of_draft(info: Info, draft: Draft, limit: int) -> list[Comment]:
    """The last comments on a draft: its submissions newest first, the comments on each newest first."""
    loaders = info.context.loaders
    processes = await loaders.processes_by_draft.load(draft.id) or []
    ids = [process.id for process in processes]
    variables, found = await asyncio.gather(loaders.variables.load_many(ids), loaders.comments.load_many(ids))
    values_of = {process_id: values or NO_VARIABLES for process_id, values in zip(ids, variables, strict=True)}
    submissions = info.context.upstreams.camunda.own.submissions(draft.id, draft.camunda_process_id, values_of)
    of_it = [(process_id, written or {}) for process_id, written in zip(ids, found, strict=True)]
    return _newest_first([each for each in of_it if each[0] in submissions], limit)


def _newest_first(found: Sequence[tuple[str, Comments]], limit: int) -> list[Comment]:
    every = (
        comment(process_id, comment_id, written)
        for process_id, comments in found
        for comment_id, written in reversed(list(comments.items()))
    )
    return list(islice(every, limit))
