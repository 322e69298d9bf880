"""Who may read and do what: the one place that decides it. Pure; asked by every verb before it writes, and by reads.

The engine checks none of this (it lets anybody complete anything), so nothing may be written unasked. What the rules
need to know of the engine is found out in seeing.py, and for lists in upstreams/involvement.py.
"""

from collections.abc import Collection
from dataclasses import replace

from api.errors import Refused, UserErrorCode
from api.identity import USABLE, Viewer, same_person, usable_id
from api.upstreams.camunda.records import Task
from api.upstreams.retool.records import Draft

# Reading


def reads_all(viewer: Viewer) -> bool:
    """Auditors and administrators read every draft and every task."""
    return viewer.is_admin or viewer.is_auditor


def has_on_record(viewer: Viewer, draft: Draft) -> bool:
    """Whether the draft is the viewer's to read by its row alone: they read all, wrote it, or nobody is on record.

    What nobody wrote is everybody's until it is submitted; then it is its submitter's.
    """
    if draft.created_by is None:
        return reads_all(viewer) or draft.camunda_process_id is None
    return reads_all(viewer) or same_person(draft.created_by, viewer.id)


def may_read_draft(viewer: Viewer, draft: Draft, *, is_involved: bool) -> bool:
    """`is_involved`: submitted it once, or held or was offered one of its tasks."""
    return is_involved or has_on_record(viewer, draft)


def may_see_task(
    viewer: Viewer, *, assignee: str | None, submitted_by: str | None, author: str | None, is_offered: bool
) -> bool:
    """A task is known to who holds it, who it is or was offered to, who submitted or wrote the draft, and who reads
    all.
    """
    return (
        is_offered or reads_all(viewer) or any(same_person(who, viewer.id) for who in (assignee, submitted_by, author))
    )


# Acting


def acting_viewer(viewer: Viewer, user_id: str | None) -> Viewer:
    """The person an input acts for: the viewer, or another for who is trusted with that. Raises Refused (FORBIDDEN)."""
    if user_id is None or same_person(user_id, viewer.id):
        return viewer
    if not viewer.acts_for_others:
        raise Refused(UserErrorCode.FORBIDDEN, "You can act for yourself only; leave userId out.", field="userId")
    acted_by = None if viewer.is_program else viewer.id
    return replace(viewer, id=checked_user_id(user_id), name=None, acts_for_others=False, acted_by=acted_by)


def checked_user_id(user_id: str) -> str:
    """The id of a person as an input names it. Raises Refused (INVALID)."""
    usable = usable_id(user_id)
    if usable is None:
        raise Refused(UserErrorCode.INVALID, f"userId must be {USABLE}.", field="userId")
    return usable


def owns(viewer: Viewer, draft: Draft, submitted_by: str | None) -> bool:
    """Whether the draft is the viewer's to change: they wrote it, or, where no author is on record, nobody or they
    submitted it last; administrators own all.

    `submitted_by`: who started the process that the draft names. Whoever reviews or audits a draft may read it only.
    """
    if viewer.is_admin or same_person(draft.created_by, viewer.id):
        return True
    return draft.created_by is None and (draft.camunda_process_id is None or same_person(submitted_by, viewer.id))


def demand_owner(viewer: Viewer, draft: Draft, submitted_by: str | None) -> None:
    """Submitting and rebasing are for the draft's owner. Raises Refused (FORBIDDEN)."""
    if not owns(viewer, draft, submitted_by):
        raise Refused(UserErrorCode.FORBIDDEN, "Only the draft's author or an administrator may do this.")


def demand_submitter(viewer: Viewer, draft: Draft, submitted_by: str | None) -> None:
    """Withdrawing is for who submitted, and the draft's owner. Raises Refused (FORBIDDEN)."""
    if not same_person(submitted_by, viewer.id):
        demand_owner(viewer, draft, submitted_by)


def demand_decidable(
    viewer: Viewer, task: Task, submitters: Collection[str | None], *, is_offered: bool, allow_own: bool
) -> None:
    """Whether a decision on an open task is taken: asked by the verb, and by the field that predicts its answer.

    Raises Refused (OWN_SUBMISSION, FORBIDDEN, ALREADY_CLAIMED, SUSPENDED).
    """
    demand_four_eyes(viewer.people, submitters, allow_own=allow_own)
    demand_decider(viewer, task.assignee, is_offered=is_offered)
    demand_running(task)


def demand_running(task: Task, *, field: str = "taskId") -> None:
    """The engine takes nothing of a suspended process. Raises Refused (SUSPENDED)."""
    if task.suspended:
        message = "This approval is suspended in the engine; ask its operators to activate it, then try again."
        raise Refused(UserErrorCode.SUSPENDED, message, field=field)


def demand_decider(viewer: Viewer, assignee: str | None, *, is_offered: bool) -> None:
    """Deciding is for who holds the task or is offered it, and not for administrators as such. Raises Refused."""
    if not is_offered and not same_person(assignee, viewer.id):
        raise Refused(UserErrorCode.FORBIDDEN, "This task is not offered to you.", field="taskId")
    demand_free(viewer, assignee)


def demand_claimer(viewer: Viewer, assignee: str | None, *, is_offered: bool) -> None:
    """Claiming is for who is offered the task, or an administrator, while nobody else has it. Raises Refused."""
    if not viewer.is_admin:
        demand_decider(viewer, assignee, is_offered=is_offered)
    demand_free(viewer, assignee)


def demand_free(viewer: Viewer, assignee: str | None) -> None:
    """Nobody takes what another has claimed. Raises Refused (ALREADY_CLAIMED)."""
    if assignee is not None and not same_person(assignee, viewer.id):
        raise Refused(UserErrorCode.ALREADY_CLAIMED, f"{assignee} has claimed this task.", field="taskId")


def demand_holder(viewer: Viewer, assignee: str | None) -> None:
    """Giving back and handing over are for who holds the task, or an administrator. Raises Refused (FORBIDDEN)."""
    if not viewer.is_admin and not same_person(assignee, viewer.id):
        raise Refused(UserErrorCode.FORBIDDEN, "Only who has claimed this task, or an administrator, may do this.")


def demand_admin(viewer: Viewer) -> None:
    """Raises Refused (FORBIDDEN) for everybody outside the administrators' group."""
    if not viewer.is_admin:
        raise Refused(UserErrorCode.FORBIDDEN, "Only an administrator may do this.")


def demand_four_eyes(
    people: Collection[str], submitters: Collection[str | None], *, allow_own: bool, field: str | None = None
) -> None:
    """Nobody decides what they submitted, nor takes its task, in whomever's name either was done.

    `people` and `submitters`: for whom, and by whom. Raises Refused (OWN_SUBMISSION).
    """
    if not allow_own and any(same_person(one, other) for one in people for other in submitters):
        raise Refused(UserErrorCode.OWN_SUBMISSION, "Whoever submitted a plan can not decide it.", field=field)
