"""Permissions: who may read and do what. Pure, and the only place where this is decided.

The engine checks none of it (anybody may complete anything there), so every verb checks before it writes. Facts about
the engine that the rules depend on are read in visibility.py, and for lists in upstreams/camunda/involvement.py.
"""

from collections.abc import Collection
from dataclasses import replace

from api.errors import Refused, UserErrorCode
from api.upstreams.camunda.records import Task
from api.upstreams.retool.records import Draft
from authentication.identity import USABLE, Viewer, same_person, usable_id

# Reading


def reads_all(viewer: Viewer) -> bool:
    """Auditors and administrators read every draft and every task."""
    return viewer.is_admin or viewer.is_auditor


def has_on_record(viewer: Viewer, draft: Draft) -> bool:
    """Whether the viewer may read the draft by its row alone: as auditor, administrator or author.

    A draft without an author is readable for everybody until it is submitted; then it is its submitter's.
    """
    if draft.created_by is None:
        return reads_all(viewer) or draft.camunda_process_id is None
    return reads_all(viewer) or same_person(draft.created_by, viewer.id)


def may_read_draft(viewer: Viewer, draft: Draft, *, is_involved: bool) -> bool:
    """Whether the viewer may read a draft. `is_involved`: ever as submitter, or assignee or candidate of a task."""
    return is_involved or has_on_record(viewer, draft)


def may_read_approval(viewer: Viewer, people: Collection[str]) -> bool:
    """Whether the viewer may read the approval of a published version without being able to read its draft, which may
    be deleted: as one of the people who took part, as auditor or administrator.
    """
    return reads_all(viewer) or any(same_person(each, viewer.id) for each in people)


def may_see_task(
    viewer: Viewer, *, assignee: str | None, submitted_by: str | None, author: str | None, is_offered: bool
) -> bool:
    """Whether the viewer may see a task: as its assignee or candidate, as author or submitter of the draft, or as
    auditor or administrator.
    """
    return (
        is_offered or reads_all(viewer) or any(same_person(who, viewer.id) for who in (assignee, submitted_by, author))
    )


# Acting


def acting_viewer(viewer: Viewer, user_id: str | None) -> Viewer:
    """The person an input acts for: the viewer, or whom they may act for. Raises Refused (FORBIDDEN)."""
    if user_id is None or same_person(user_id, viewer.id):
        return viewer
    if not viewer.acts_for_others:
        raise Refused(UserErrorCode.FORBIDDEN, "You can act for yourself only; omit userId.", field="userId")
    acted_by = None if viewer.is_program else viewer.id
    return replace(viewer, id=checked_user_id(user_id), name=None, acts_for_others=False, acted_by=acted_by)


def checked_user_id(user_id: str) -> str:
    """The id of a person in an input, validated. Raises Refused (INVALID)."""
    usable = usable_id(user_id)
    if usable is None:
        raise Refused(UserErrorCode.INVALID, f"userId must be {USABLE}.", field="userId")
    return usable


def owns(viewer: Viewer, draft: Draft, submitted_by: str | None) -> bool:
    """Whether the viewer owns the draft: as its author, as its last submitter where it has no author, or as
    administrator. A draft without author and submission is anybody's.

    `submitted_by`: of the process that the draft names. Reviewers and auditors may read a draft only.
    """
    if viewer.is_admin or same_person(draft.created_by, viewer.id):
        return True
    return draft.created_by is None and (draft.camunda_process_id is None or same_person(submitted_by, viewer.id))


def demand_owner(viewer: Viewer, draft: Draft, submitted_by: str | None) -> None:
    """Refuse to submit or rebase another person's draft. Raises Refused (FORBIDDEN)."""
    if not owns(viewer, draft, submitted_by):
        raise Refused(UserErrorCode.FORBIDDEN, "Only the draft's author or an administrator may do this.")


def demand_participant(*, is_participant: bool) -> None:
    """Refuse to comment for who only reads the draft, as auditors do. Raises Refused (FORBIDDEN)."""
    if not is_participant:
        raise Refused(UserErrorCode.FORBIDDEN, "Only those who take part in this approval may comment on it.")


def demand_submitter(viewer: Viewer, draft: Draft, submitted_by: str | None) -> None:
    """Refuse to withdraw a draft of which the viewer is neither submitter nor owner. Raises Refused (FORBIDDEN)."""
    if not same_person(submitted_by, viewer.id):
        demand_owner(viewer, draft, submitted_by)


def demand_decidable(
    viewer: Viewer, task: Task, submitters: Collection[str | None], *, is_offered: bool, allow_own: bool
) -> None:
    """Refuse a decision on an open task. The verb and the field that predicts its answer call this alone.

    Raises Refused (OWN_SUBMISSION, FORBIDDEN, ALREADY_CLAIMED, SUSPENDED).
    """
    demand_four_eyes(viewer.people, submitters, allow_own=allow_own)
    demand_decider(viewer, task.assignee, is_offered=is_offered)
    demand_running(task)


def demand_running(task: Task, *, field: str = "taskId") -> None:
    """Refuse a task of a suspended process, which the engine does not change. Raises Refused (SUSPENDED)."""
    if task.suspended:
        message = "This approval is suspended in the engine; ask its operators to activate it, then try again."
        raise Refused(UserErrorCode.SUSPENDED, message, field=field)


def demand_decider(viewer: Viewer, assignee: str | None, *, is_offered: bool) -> None:
    """Refuse to decide for all but the assignee and, of an unclaimed task, its candidates. Raises Refused."""
    if not is_offered and not same_person(assignee, viewer.id):
        raise Refused(
            UserErrorCode.FORBIDDEN,
            "This task is not offered to you; an administrator can assign it to you.",
            field="taskId",
        )
    demand_free(viewer, assignee)


def demand_claimer(viewer: Viewer, assignee: str | None, *, is_offered: bool) -> None:
    """Refuse to claim for all but candidates and administrators, and a task of another person. Raises Refused."""
    if not viewer.is_admin:
        demand_decider(viewer, assignee, is_offered=is_offered)
    demand_free(viewer, assignee)


def demand_free(viewer: Viewer, assignee: str | None) -> None:
    """Refuse a task that another person has claimed. Raises Refused (ALREADY_CLAIMED)."""
    if assignee is not None and not same_person(assignee, viewer.id):
        raise claimed_by(assignee)


def claimed_by(assignee: str) -> Refused:
    """The refusal of a task that somebody else has claimed."""
    message = f"{assignee} has claimed this task; ask them, or an administrator, to hand it over."
    return Refused(UserErrorCode.ALREADY_CLAIMED, message, field="taskId")


def demand_holder(viewer: Viewer, assignee: str | None) -> None:
    """Refuse to unclaim, reassign or update for all but the assignee and administrators. Raises Refused (FORBIDDEN)."""
    if not viewer.is_admin and not same_person(assignee, viewer.id):
        raise Refused(
            UserErrorCode.FORBIDDEN, "Only the person who has claimed this task, or an administrator, may do this."
        )


def demand_admin(viewer: Viewer) -> None:
    """Refuse everybody outside the administrators' group. Raises Refused (FORBIDDEN)."""
    if not viewer.is_admin:
        raise Refused(UserErrorCode.FORBIDDEN, "Only an administrator may do this.")


def demand_scheduler(
    viewer: Viewer, approved_by: str | None, submitters: Collection[str | None], *, allow_own: bool
) -> None:
    """Refuse to move a publication for all but who approved the plan last and administrators; and for these what they
    submitted themselves. Raises Refused (FORBIDDEN, OWN_SUBMISSION).
    """
    if not viewer.is_admin and not same_person(approved_by, viewer.id):
        message = "Only the person who approved this plan, or an administrator, may move its publication."
        raise Refused(UserErrorCode.FORBIDDEN, message)
    demand_four_eyes(viewer.people, submitters, allow_own=allow_own)


def demand_four_eyes(
    people: Collection[str], submitters: Collection[str | None], *, allow_own: bool, field: str | None = None
) -> None:
    """Refuse to decide, claim or be assigned one's own submission, in whomever's name either was done.

    `people` and `submitters`: for whom it is or was done, and by whom. Raises Refused (OWN_SUBMISSION).
    """
    if not allow_own and any(same_person(one, other) for one in people for other in submitters):
        raise Refused(
            UserErrorCode.OWN_SUBMISSION,
            "The person who submitted a plan cannot decide it; ask another reviewer.",
            field=field,
        )
