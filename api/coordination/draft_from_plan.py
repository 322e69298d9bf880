"""Start a draft from a version of a plan: to edit it, or to restore it. Called by the mutation createDraftFromPlan."""

import uuid

from api.coordination import documents
from api.coordination.permissions import owns
from api.errors import Refused, UserErrorCode
from api.identity import Viewer
from api.upstreams import Upstreams
from api.upstreams.calling import encode
from api.upstreams.plan_version import PlanVersion

LONGEST_NAME = 255


async def create_draft_from_plan(
    upstreams: Upstreams,
    viewer: Viewer,
    plan_id: str,
    *,
    version_id: str | None = None,
    name: str | None = None,
    draft_id: str | None = None,
) -> str:
    """Write a new draft of the viewer's with the plan of that version, by default the current one; its id. Steps:

    1. Read the version. Nothing is written.
    2. Insert the draft. Crash after: it is there; a repeat with the same `draft_id` answers with it, one without
       makes another draft.

    Raises Refused (NOT_FOUND, INVALID), or UpstreamFailed.
    """
    asked_id = _checked_id(draft_id)
    version = await _version(upstreams, plan_id, version_id)
    document = {key: value for key, value in documents.read(version.resource).items() if key != "meta"}
    title = _checked_name(version.name or plan_id if name is None else name)
    made = await upstreams.retool.insert(
        asked_id, title, encode(document).decode(), aidbox_id=version.id, created_by=viewer.id
    )
    return made or await _existing(upstreams, viewer, asked_id or "", version.id)


async def _version(upstreams: Upstreams, plan_id: str, version_id: str | None) -> PlanVersion:
    if version_id is None:
        found = await upstreams.aidbox.plan(plan_id)
    else:
        found = (await upstreams.aidbox.versions_by_key([(plan_id, version_id)])).get((plan_id, version_id))
    if found is None:
        field = "planId" if version_id is None else "versionId"
        raise Refused(UserErrorCode.NOT_FOUND, "The store has no such version of a plan.", field=field)
    return found


async def _existing(upstreams: Upstreams, viewer: Viewer, draft_id: str, plan_id: str) -> str:
    """The draft that has the id already, if it can be what an earlier try of this call made."""
    draft = await upstreams.retool.draft(draft_id)
    if draft is None:
        raise Refused(UserErrorCode.INVALID, "The drafts table takes no such id; leave it out.", field="id")
    if not owns(viewer, draft) or draft.aidbox_id != plan_id:
        raise Refused(UserErrorCode.INVALID, "This id is taken; make another.", field="id")
    return draft.id


def _checked_id(draft_id: str | None) -> str | None:
    if draft_id is None:
        return None
    try:
        return str(uuid.UUID(draft_id))
    except ValueError:
        raise Refused(UserErrorCode.INVALID, "id must be a UUID of your own making.", field="id") from None


def _checked_name(name: str) -> str:
    title = name.strip()
    if not title or len(title) > LONGEST_NAME or not title.isprintable():
        message = f"name must be 1 to {LONGEST_NAME} printable characters."
        raise Refused(UserErrorCode.INVALID, message, field="name")
    return title
