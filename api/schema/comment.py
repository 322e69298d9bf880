"""The type Comment: what people wrote on a submission beside their decisions."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import islice

import strawberry

from api.schema.info import Info
from api.schema.person import Person, person
from api.schema.submissions import submissions_of
from api.upstreams.camunda import process_variables
from api.upstreams.retool.records import Draft

Comments = Mapping[str, process_variables.Comment]


@strawberry.type(
    description="A comment on a submission. It is there as long as the engine keeps its process, or the store the "
    "version that came of it."
)
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
        acted_by=person(written.acted_by),
        at=written.at,
        text=written.text,
        process_id=strawberry.ID(process_id),
    )


async def comments_of_process(info: Info, process_id: str, limit: int) -> list[Comment]:
    """The last comments on one submission, newest first."""
    return _newest_first([(process_id, await info.context.loaders.comments.load(process_id) or {})], limit)


async def comments_of_draft(info: Info, draft: Draft, limit: int) -> list[Comment]:
    """The last comments on a draft: its submissions newest first, the comments on each newest first."""
    submissions, (found,) = await submissions_of(info, draft, info.context.loaders.comments)
    of_each = zip(submissions.processes, found, strict=True)
    own = [(each.id, made or {}) for each, made in of_each if each.id in submissions.own]
    return _newest_first([*own, *((each.process.id, each.comments) for each in submissions.recorded)], limit)


def _newest_first(found: Sequence[tuple[str, Comments]], limit: int) -> list[Comment]:
    every = (
        comment(process_id, comment_id, written)
        for process_id, comments in found
        for comment_id, written in reversed(list(comments.items()))
    )
    return list(islice(every, limit))
