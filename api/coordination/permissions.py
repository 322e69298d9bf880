"""Who may do what: the one place that decides it. Pure; asked by every verb before it writes.

The engine checks none of this (it lets anybody complete anything), so nothing may be written unasked.
"""

from api.errors import Refused, UserErrorCode
from api.identity import Viewer, same_person
from api.upstreams.retool import Draft


def acting_viewer(viewer: Viewer, user_id: str | None) -> Viewer:
    """The person an input acts for: the viewer, or another for who is trusted with that. Raises Refused (FORBIDDEN)."""
    if user_id is None or same_person(user_id, viewer.id):
        return viewer
    if not viewer.acts_for_others:
        raise Refused(UserErrorCode.FORBIDDEN, "You can act for yourself only; leave userId out.", field="userId")
    if not user_id.strip() or len(user_id) > 255 or not user_id.isprintable():
        raise Refused(UserErrorCode.INVALID, "userId must be 1 to 255 printable characters.", field="userId")
    return Viewer(user_id.strip(), viewer.groups, is_admin=viewer.is_admin)


def owns(viewer: Viewer, draft: Draft) -> bool:
    """Whether the draft is the viewer's: written by them, or by nobody on record; administrators own all."""
    return viewer.is_admin or draft.created_by is None or same_person(draft.created_by, viewer.id)


def demand_owner(viewer: Viewer, draft: Draft) -> None:
    """Submitting is for the draft's author or an administrator. Raises Refused (FORBIDDEN)."""
    if not owns(viewer, draft):
        raise Refused(UserErrorCode.FORBIDDEN, "Only the draft's author or an administrator may do this.")


def demand_submitter(viewer: Viewer, draft: Draft, submitted_by: str | None) -> None:
    """Withdrawing is for who submitted, the draft's author or an administrator. Raises Refused (FORBIDDEN).

    A draft without an author on record is its submitter's then, not everybody's.
    """
    if same_person(submitted_by, viewer.id):
        return
    if draft.created_by is None and submitted_by is not None:
        demand_admin(viewer)
    demand_owner(viewer, draft)


def demand_admin(viewer: Viewer) -> None:
    """Raises Refused (FORBIDDEN) for everybody outside the administrators' group."""
    if not viewer.is_admin:
        raise Refused(UserErrorCode.FORBIDDEN, "Only an administrator may do this.")


def demand_four_eyes(user_id: str, submitted_by: str | None, *, allow_own: bool, field: str | None = None) -> None:
    """Nobody decides what they submitted, nor takes its task. Raises Refused (OWN_SUBMISSION)."""
    if not allow_own and same_person(user_id, submitted_by):
        raise Refused(UserErrorCode.OWN_SUBMISSION, "Whoever submitted a plan can not decide it.", field=field)
