"""The verb that creates a draft from a version of a plan, to edit the plan or to restore that version."""

import uuid
from functools import partial

from api.errors import Refused, UserErrorCode, WriteRefused
from api.upstreams import Upstreams
from api.upstreams.aidbox.records import PlanVersion
from api.upstreams.retool.records import Draft, DraftFilter
from authentication.identity import Viewer, same_person
from plandiff.comparison import draft_of, is_same_text

LONGEST_NAME = 255
OPEN = "draft"
INPUTS = {"name": "name", "aidbox_id": "planId", "created_by": "userId", "plan_data": "planId"}  # by what is written


async def create_draft_from_plan(
    upstreams: Upstreams,
    viewer: Viewer,
    plan_id: str,
    *,
    version_id: str | None = None,
    name: str | None = None,
    draft_id: str | None = None,
    most_open: int,
) -> str:
    """Insert a draft of the viewer's with the document of a version, by default the current one; its id. Steps:

    1. Read the version, and count the viewer's drafts that were never submitted: fewer than `most_open` are required.
       Nothing is written. Concurrent calls may exceed that number slightly.
    2. Insert the draft. Crash after: it exists; a repeat with the same `draft_id` answers with it as long as it says
       what this call would write, a repeat without one inserts another draft.

    Raises Refused (NOT_FOUND, INVALID, TOO_MANY_DRAFTS), or UpstreamFailed.
    """
    asked_id = _checked_id(draft_id)
    version = await _version(upstreams, plan_id, version_id)
    resource = bytes(version.resource)
    document = (await upstreams.plan_processes.run(partial(draft_of, resource), size=len(resource))).decode()
    title = _checked_name(version.name or plan_id if name is None else name)
    open_drafts = await upstreams.retool.count(DraftFilter(statuses=(OPEN,), created_by=viewer.id))
    if open_drafts >= most_open and asked_id is None:
        raise _too_many(most_open)
    made = None
    if open_drafts < most_open:
        try:
            made = await upstreams.retool.insert(asked_id, title, document, aidbox_id=version.id, created_by=viewer.id)
        except WriteRefused as refused:
            raise _refusal(refused) from refused
    if made is not None:
        return made
    existing = await upstreams.retool.draft(asked_id or "")
    if existing is None or not await _says(upstreams, existing, title, document, version.id, viewer):
        if open_drafts >= most_open:
            raise _too_many(most_open)
        # One refusal, whether the id is another person's, one's own or not of the column's type: it reveals no draft.
        raise Refused(
            UserErrorCode.INVALID, "This id cannot be used; leave it out, or generate another one.", field="id"
        )
    return existing.id


def _too_many(most_open: int) -> Refused:
    message = f"You have {most_open} drafts that were never submitted, the most allowed; submit or delete some first."
    return Refused(UserErrorCode.TOO_MANY_DRAFTS, message)


def _refusal(refused: WriteRefused) -> Refused | WriteRefused:
    """A refusal, where the columns are filled from the input; it names the column, but no value and no other row."""
    if not (refused.columns and set(refused.columns) <= INPUTS.keys()):
        return refused
    columns = " and ".join(refused.columns)
    if refused.is_taken:
        message = (
            f"Another draft has this {columns} already, and the drafts table takes each only once; choose another."
        )
    else:
        message = f"The drafts table does not accept this {columns}; choose another."
    return Refused(UserErrorCode.INVALID, message, field=INPUTS[refused.columns[0]])


async def _version(upstreams: Upstreams, plan_id: str, version_id: str | None) -> PlanVersion:
    if version_id is None:
        found = await upstreams.aidbox.plan(plan_id)
    else:
        found = await upstreams.aidbox.version(plan_id, version_id)
    if found is None:
        field = "planId" if version_id is None else "versionId"
        raise Refused(UserErrorCode.NOT_FOUND, "The store has no such plan, or no such version of it.", field=field)
    return found


async def _says(upstreams: Upstreams, draft: Draft, title: str, document: str, plan_id: str, viewer: Viewer) -> bool:
    """Whether a draft is what an earlier attempt at the same call by the same person would have written."""
    return (
        same_person(draft.created_by, viewer.id)
        and (draft.name, draft.aidbox_id, draft.camunda_process_id) == (title, plan_id, None)
        and await upstreams.plan_processes.run(partial(is_same_text, draft.plan_data, document), size=2 * len(document))
    )


def _checked_id(draft_id: str | None) -> str | None:
    if draft_id is None:
        return None
    try:
        return str(uuid.UUID(draft_id))
    except ValueError:
        raise Refused(UserErrorCode.INVALID, "id must be a UUID that you generate.", field="id") from None


def _checked_name(name: str) -> str:
    title = name.strip()
    if not title or len(title) > LONGEST_NAME or not title.isprintable():
        message = f"name must be 1 to {LONGEST_NAME} printable characters."
        raise Refused(UserErrorCode.INVALID, message, field="name")
    return title
