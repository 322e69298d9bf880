"""What is to be done with an old row, by what the three systems say of it: a step, or nothing (any longer). Pure."""

from collections.abc import Iterator, Mapping
from datetime import datetime

import msgspec

from api.draft_status import DRAFT, SUBMITTED
from api.upstreams.camunda.ownership import Ownership
from api.upstreams.camunda.process_variables import Outcome, Scalar, written
from api.upstreams.camunda.records import ProcessInstance
from api.upstreams.retool.records import Draft
from authentication.identity import usable_id
from migration.facts import Facts
from migration.old_table import OldRow

NEVER_STARTED = (
    "nothing is started for it: check CAMUNDA_URL; if it is the right engine, its author submits the draft again, and"
    " this row can be deleted"
)
UNRECORDED = "if its plan was not published, write the draft's status submitted, and repeat this; else approved"
UNDECIDED = "does not say how (its variable approved is missing): write the draft's status by hand"


class Already(msgspec.Struct, frozen=True):
    """Nothing of this row is needed any longer."""

    why: str


class Cannot(msgspec.Struct, frozen=True):
    """Somebody has to look at this row; `why` says what to do."""

    why: str


class Step(msgspec.Struct, frozen=True):
    """What is written: variables of a running process, the process on the draft, the end of an ended process.

    `submits`: the draft is marked as submitted with it. `finishes`: the ended process is carried to its end.
    """

    why: str
    draft: Draft
    process: ProcessInstance
    variables: Mapping[str, Scalar] = {}
    links: bool = False
    submits: bool = False
    finishes: bool = False


Verdict = Already | Cannot | Step


def judge(row: OldRow, facts: Facts, own: Ownership) -> Verdict:
    """The verdict on a row. A running process of the draft is always adopted, and none is ever started."""
    draft, process = facts.draft(row.draft_id), facts.process(row.process_id)
    if row.draft_id is None:
        return Cannot("the row names no draft: delete it, or write its draft")
    if not row.is_newest:
        return _older(row, draft, process)
    if draft is None:
        return _without_draft(row, process)
    running = [process] if process and process.is_active else _running(facts, draft)
    if len(running) > 1:
        return Cannot(f"processes {' and '.join(each.id for each in running)} of this draft run: end all but one")
    if running:
        return _adopted(row, facts, own, draft, running[0])
    return _by_the_draft(row, facts, own, draft) or _by_the_row(row, facts, own, draft, process)


def _older(row: OldRow, draft: Draft | None, process: ProcessInstance | None) -> Verdict:
    """Of a draft with a newer row: only its process, if that still runs, matters."""
    is_named = draft is not None and draft.camunda_process_id == row.process_id
    if process is None or not process.is_active or is_named or row.process_id == row.newest_process_id:
        return Already("a newer row of this draft counts")
    return Cannot(f"process {process.id} still runs, although the draft has a newer row: end one of the two")


def _without_draft(row: OldRow, process: ProcessInstance | None) -> Verdict:
    if row.is_over and not (process and process.is_active):
        return Already(f"it was {row.status}, and the draft is not there any longer")
    still = f", and end process {process.id}" if process and process.is_active else ""
    return Cannot(f"the drafts table has no such draft: check DRAFTS_TABLE; if it was deleted, delete this row{still}")


def _running(facts: Facts, draft: Draft) -> list[ProcessInstance]:
    found = [facts.process(process_id) for process_id in facts.running.get(draft.id, ())]
    return [process for process in found if process is not None]


def _adopted(row: OldRow, facts: Facts, own: Ownership, draft: Draft, process: ProcessInstance) -> Verdict:
    """The running process is the draft's approval from now on, unless anything says otherwise."""
    if foreign := _foreign(row, facts, own, draft, process):
        return Cannot(foreign)
    is_named = draft.camunda_process_id == process.id
    if first := _already_named(facts, own, draft, process):
        return first
    if unknown := _unknown_base(row, facts, draft, process):
        return Cannot(unknown)
    variables = written(**dict(_missing(row, facts, own, draft, process)))
    is_linked = is_named and draft.is_submitted
    if is_linked and not variables:
        return Already(f"the draft is in approval by process {process.id}")
    why = ", ".join([f"process {process.id}: adopted", *([f"set {', '.join(sorted(variables))}"] if variables else [])])
    return Step(why, draft, process, variables, links=not is_linked, submits=not is_linked)


def _already_named(facts: Facts, own: Ownership, draft: Draft, process: ProcessInstance) -> Cannot | Step | None:
    """What keeps the draft from naming this process now: the process, or the state, that it has already."""
    named = facts.process(draft.camunda_process_id)
    if named is None or not own.links(facts.values(named.id), draft.id):
        return None
    if named.id == process.id:
        message = f"the draft is {draft.status}, but its process {process.id} runs: repeat this when it has ended"
        return None if draft.status in (DRAFT, SUBMITTED) else Cannot(message)
    if named.is_active:
        return Cannot(f"the draft is in approval by process {named.id}, but {process.id} runs as well: end one")
    if draft.is_submitted:
        return Step(f"the end of its earlier process {named.id} is recorded", draft, named, finishes=True)
    return None


def _unknown_base(row: OldRow, facts: Facts, draft: Draft, process: ProcessInstance) -> str | None:
    """That the old row's base version is none of the store's, as a counter of the old service's own would be."""
    values = facts.values(process.id)
    plan_id = values.aidbox_plan_id or draft.aidbox_id
    if plan_id is None or row.base_version is None or values.base_version is not None:
        return None
    if facts.versions.get((plan_id, row.base_version)):
        return None
    return (
        f"the store does not show version {row.base_version} of plan {plan_id}: correct the row, or leave the column"
        " out (--columns base_version=)"
    )


def _foreign(row: OldRow, facts: Facts, own: Ownership, draft: Draft, process: ProcessInstance) -> str | None:
    """Why a process is not this draft's, or may not be; the process decides, not the row."""
    values, key = facts.values(process.id), process.business_key
    if values.draft_source not in (None, own.draft_source):
        return f"process {process.id} is of another deployment, {values.draft_source}: correct the row"
    if values.draft_id not in (None, draft.id, row.draft_id):
        return f"process {process.id} is of draft {values.draft_id}: correct the row"
    if values.draft_id is not None:
        return None
    other = facts.draft(key)
    if other is not None and other.id != draft.id:
        return f"process {process.id} has the business key of draft {other.id}: correct the row"
    if row.is_shared and process.id == row.process_id and key not in (draft.id, row.draft_id):
        return f"rows of several drafts name process {process.id}: set its variable draftId"
    return None


def _missing(
    row: OldRow, facts: Facts, own: Ownership, draft: Draft, process: ProcessInstance
) -> Iterator[tuple[str, str]]:
    """The variables that the process lacks, as far as they are known. None is guessed.

    The revision is what is reviewed, so it is written only if the draft was not changed since, and its base is known;
    otherwise the first decision notes it. The process before is named last: registration compares it.
    """
    values = facts.values(process.id)
    plan_id = values.aidbox_plan_id or draft.aidbox_id
    base_version = values.base_version or (row.base_version if plan_id else None)
    if values.draft_id != draft.id:
        yield "draft_id", draft.id
    if values.draft_source is None:
        yield "draft_source", own.draft_source
    if values.aidbox_plan_id is None and plan_id:
        yield "aidbox_plan_id", plan_id
    if values.base_version is None and base_version:
        yield "base_version", base_version
    if values.submitted_by is None and (submitter := usable_id(row.submitted_by or draft.created_by or "")):
        yield "submitted_by", submitter
    is_whole = base_version is not None or plan_id is None
    if values.draft_revision is None and is_whole and draft.revision and draft.updated_at <= _submitted(row, process):
        yield "draft_revision", draft.revision
    previous = row.previous_process_id
    is_before = previous != process.id and own.links(facts.values(previous), draft.id)
    if values.previous_process_id is None and previous and is_before and draft.camunda_process_id == process.id:
        yield "previous_process_id", previous


def _submitted(row: OldRow, process: ProcessInstance) -> datetime:
    return max(process.start_time, row.submitted_at or process.start_time)


def _by_the_draft(row: OldRow, facts: Facts, own: Ownership, draft: Draft) -> Verdict | None:
    """What the process that the draft itself names says; None if it names none that is its own."""
    named = facts.process(draft.camunda_process_id)
    if named is None or not (own.links(facts.values(named.id), draft.id) or _is_recorded(row, draft, named)):
        return None
    if named.is_active:
        return Already(f"the draft is in approval by process {named.id}")
    if draft.is_submitted:
        return Step(f"process {named.id} has ended: recorded on the draft", draft, named, finishes=True)
    values = facts.values(named.id)
    if draft.status == DRAFT and not row.is_over and (values.recorded_outcome, values.outcome) == (None, "approved"):
        return Cannot(f"process {named.id} approved it, and the draft is in no approval: {UNRECORDED}")
    return Already(f"process {named.id} has ended, and the draft is {draft.status}")


def _is_recorded(row: OldRow, draft: Draft, named: ProcessInstance) -> bool:
    """Whether an ended process that names no draft was recorded on the draft of its row."""
    return named.id == row.process_id and not named.is_active and not draft.is_submitted


def _by_the_row(row: OldRow, facts: Facts, own: Ownership, draft: Draft, process: ProcessInstance | None) -> Verdict:
    """What the row alone says of a draft of which nothing runs."""
    if process is None and (draft.is_submitted or not row.is_over):
        named = f"the engine does not have process {row.process_id}" if row.process_id else "no process of it runs"
        return Cannot(f"in approval, but {named}; {NEVER_STARTED}")
    if process is not None and (draft.is_submitted or not row.is_over):
        return _ended(row, facts, own, draft, process)
    if process and draft.camunda_process_id is None and own.links(facts.values(process.id), draft.id):
        return Step(f"process {process.id}, which has ended, is noted on the draft", draft, process, links=True)
    return Already(f"it was {row.status}, and the draft is in no approval")


def _ended(row: OldRow, facts: Facts, own: Ownership, draft: Draft, process: ProcessInstance) -> Verdict:
    """The row's process has ended in approval, and the draft does not name it, or nothing but the row links the two.

    What was over for the old service is not carried out again: it may have published the plan under any id.
    """
    values, named = facts.values(process.id), draft.camunda_process_id
    if foreign := _foreign(row, facts, own, draft, process):
        return Cannot(foreign)
    if named not in (None, process.id) and draft.is_submitted:
        return Cannot(f"the draft names process {named}, which is not its own: clear its process id")
    if values.outcome is None and process.state == "COMPLETED":
        return Cannot(f"process {process.id} has ended, but {UNDECIDED}")
    is_new = (draft.aidbox_id or values.aidbox_plan_id) is None
    if row.is_over and is_new and values.decided_outcome is Outcome.APPROVED:
        return Cannot("it was approved, but the draft names no plan: write aidbox_id and status of the draft by hand")
    why = f"process {process.id} has ended: recorded on the draft"
    is_linked = named == process.id and draft.is_submitted
    return Step(why, draft, process, links=not is_linked, submits=True, finishes=True)
