"""The verb that comments on a submission, beside the decisions on it."""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from api.coordination.comment_text import checked_comment, demand_short
from api.coordination.draft_process import linked_process
from api.coordination.rules.permissions import demand_participant
from api.coordination.rules.visibility import is_participant, readable_draft
from api.errors import Gone, Refused, UserErrorCode
from api.upstreams import Upstreams
from api.upstreams.camunda.process_variables import COMMENT_PREFIX, Comment
from authentication.identity import Viewer

MOST_COMMENTS = 200  # of one submission


@dataclass(frozen=True)
class Commented:
    """A comment as it is stored."""

    draft_id: str
    process_id: str
    comment_id: str
    comment: Comment


async def add_comment(upstreams: Upstreams, viewer: Viewer, draft_id: str, text: str) -> Commented:
    """Comment on the running submission of a draft. Steps:

    1. Read the draft, its process and the comments so far; refuse who has no part in it. Nothing is written.
    2. Write the comment as a process variable that is named after its person and text. Crash after: it is there, and
       a repeat answers with it.

    Idempotent: the same words of the same person on one submission are one comment. Raises Refused, UpstreamFailed.
    """
    draft = await readable_draft(upstreams, viewer, draft_id)
    demand_participant(is_participant=await is_participant(upstreams, viewer, draft))
    text = _checked(text)
    linked = await linked_process(upstreams, draft)
    if not draft.is_submitted or linked.process is None or not linked.process.is_active:
        raise _not_in_approval()
    process_id = linked.process.id
    comment_id = uuid.uuid5(uuid.NAMESPACE_URL, f"{viewer.id}\n{text}").hex
    comments = (await upstreams.camunda.comments_by_process([process_id])).get(process_id, {})
    if comment_id in comments:
        return Commented(draft.id, process_id, comment_id, comments[comment_id])
    if len(comments) >= MOST_COMMENTS:
        raise Refused(UserErrorCode.INVALID, f"This submission has {MOST_COMMENTS} comments, the limit.", field="text")
    comment = Comment(viewer.id, datetime.now(UTC), text, viewer.acted_by)
    encoded = msgspec.json.encode(comment).decode()
    demand_short(encoded, field="text")
    try:
        await upstreams.camunda.note(process_id, {f"{COMMENT_PREFIX}{comment_id}": encoded})
    except Gone as ended:
        raise _not_in_approval() from ended
    return Commented(draft.id, process_id, comment_id, comment)


def _checked(text: str) -> str:
    checked = checked_comment(text, field="text")
    if checked is None:
        raise Refused(UserErrorCode.INVALID, "Write something.", field="text")
    return checked


def _not_in_approval() -> Refused:
    message = "The draft is not in approval, so there is no submission to comment on."
    return Refused(UserErrorCode.NOT_SUBMITTED, message, field="draftId")
