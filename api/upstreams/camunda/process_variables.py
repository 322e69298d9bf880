"""The variables of an approval process: their names, one reader, one writer, and what they mean together.

The engine stores variables by name, without a schema. Submissions, reviewers and this service write the ones below;
a model may have further ones of its own, which are never touched. Their names stand here and in the BPMN alone.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Literal, Self, TypeVar

import msgspec

from api.errors import Refused, UserErrorCode
from authentication.identity import utf16_length

DECISION_PREFIX = "decision_"
COMMENT_PREFIX = "comment_"
MOVE_PREFIX = "move_"
DECIDER = "decider"  # written with a decision: who held the task, which the model compares with its assignee
OUTCOME = "outcome"  # input parameter of an external task of the topic record-outcome

LONGEST_TEXT = 2000  # of a string variable on Oracle, NVARCHAR2(2000); on other databases it is 4000

Scalar = str | bool | int | float | datetime | None
Variables = Mapping[str, Scalar]
Record = TypeVar("Record")
Said = TypeVar("Said", "Decision", "Comment")


class Outcome(StrEnum):
    """How an approval ends. The values are what a process records, and most of them are statuses of drafts."""

    APPROVED = "approved"
    REJECTED = "rejected"
    RETURNED = "returned"
    CONFLICT = "conflict"
    WITHDRAWN = "withdrawn"
    SUPERSEDED = "superseded"


class ProcessVariables(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The variables of one process, as far as they were asked for. None: absent, null, blank, or of another type."""

    draft_id: str | None = None
    draft_source: str | None = None
    draft_revision: str | None = None
    base_version: str | None = None
    submitted_by: str | None = None
    aidbox_plan_id: str | None = None
    previous_process_id: str | None = None
    submission_comment: str | None = None
    submission_acted_by: str | None = None
    approval_outcome: str | None = None
    published_version: str | None = None
    approved: bool | None = None
    approved_by: str | None = None
    rejected_by: str | None = None
    withdrawn_by: str | None = None
    withdrawal_acted_by: str | None = None
    comment: str | None = None
    changes_requested: bool | None = None
    conflict_detected: bool | None = None
    decided_by_rule: bool | None = None
    reason: str | None = None
    publish_at: datetime | None = None
    rescheduled_by: str | None = None
    reschedule_acted_by: str | None = None

    @classmethod
    def read(cls, values: Variables) -> Self:
        """The record of an engine's answer; names that are not ours are ignored."""
        found: dict[str, Any] = {}
        for name, value in values.items():
            if name in _FIELDS and value is not None:
                found[_FIELDS[name]] = _READERS.get(name, _as_text)(value)
        return cls(**found)

    @property
    def base(self) -> tuple[str, str] | None:
        """The plan and its version that the draft was submitted against; None for a new plan."""
        plan_id, version_id = self.aidbox_plan_id, self.base_version
        return None if plan_id is None or version_id is None else (plan_id, version_id)

    @property
    def submitters(self) -> tuple[str | None, str | None]:
        """The person the draft was submitted for, and who submitted it where that is another person."""
        return self.submitted_by, self.submission_acted_by

    @property
    def outcome(self) -> Outcome | None:
        """How the approval ended, as the process recorded it, else as its reviewers decided; None while undecided."""
        return self.recorded_outcome or self.decided_outcome

    @property
    def recorded_outcome(self) -> Outcome | None:
        """What our tasks recorded at the end. A model without them records nothing, or what it likes: None as well."""
        return Outcome(self.approval_outcome) if self.approval_outcome in set(Outcome) else None

    @property
    def decided_outcome(self) -> Outcome | None:
        """What the reviewers decided last. A conflict is an approval of something that had moved."""
        if self.conflict_detected:
            return Outcome.CONFLICT
        if self.approved:
            return Outcome.APPROVED
        if self.changes_requested:
            return Outcome.RETURNED
        return None if self.approved is None else Outcome.REJECTED

    @property
    def unpublished_outcome(self) -> Outcome:
        """How an approval ends that publishes nothing: as its reviewers decided, else it was withdrawn."""
        decided = self.decided_outcome
        return Outcome.WITHDRAWN if decided in (None, Outcome.APPROVED) else decided


NO_VARIABLES = ProcessVariables()
_FIELDS = dict(zip(ProcessVariables.__struct_encode_fields__, ProcessVariables.__struct_fields__, strict=True))
_NAMES = {field: name for name, field in _FIELDS.items()}
VARIABLES = tuple(_FIELDS)


class ChangeVariables(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a submission changes, for models that route by it; the service itself never reads them.

    All are written, so that an expression may name any of them: null is what could not be compared or worked out.
    """

    is_new_plan: bool
    change_count: int | None = None
    changed_areas: str | None = None
    cost_change_percent: float | None = None
    premium_change_percent: float | None = None

    def written(self) -> dict[str, Scalar]:
        """As variables to write."""
        return {
            name: getattr(self, field) for name, field in zip(CHANGE_VARIABLES, self.__struct_fields__, strict=True)
        }


CHANGE_VARIABLES = ChangeVariables.__struct_encode_fields__


class Verdict(StrEnum):
    """What a reviewer decides; CONFLICT is what an approval becomes when draft or plan have moved."""

    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    RETURNED = "RETURNED"
    CONFLICT = "CONFLICT"


class Decision(msgspec.Struct, frozen=True, omit_defaults=True):
    """One reviewer's decision, stored as a process variable that is named after its task.

    `by`: whose decision it is; `acted_by`: who made it on their behalf, where that is another person. `publish_at`:
    when to publish the plan, where that was set with this decision; `publish_at_before`: when it was to be until then.
    """

    verdict: Verdict
    asked: Verdict
    by: str
    at: datetime
    step: str
    comment: str | None = None
    reason: str | None = None
    acted_by: str | None = None
    publish_at: datetime | None = None
    publish_at_before: datetime | None = None


class Move(msgspec.Struct, frozen=True):
    """A publication moved from one time to another, stored as a process variable of its own. None: none, or at once.

    `by`: in whose name; `acted_by`: who did it on their behalf, where that is another person.
    """

    by: str
    at: datetime
    publish_at: datetime | None
    publish_at_before: datetime | None
    acted_by: str | None = None


class Comment(msgspec.Struct, frozen=True):
    """What somebody wrote on a submission beside a decision, stored as a process variable of its own.

    `by`: in whose name; `acted_by`: who wrote it on their behalf, where that is another person.
    """

    by: str
    at: datetime
    text: str
    acted_by: str | None = None


def names(*fields: str) -> tuple[str, ...]:
    """The engine's names of fields of the record, to ask for these alone. Raises KeyError for what is no field."""
    return tuple(_NAMES[field] for field in fields)


LINK_VARIABLES = names("draft_id", "draft_source")  # which draft, of which deployment


def condition(field: str, value: Scalar, operator: str = "eq") -> dict[str, object]:
    """A condition of the engine's queries: processes, or their tasks, in which a variable has this value.

    `operator`: one of the engine's, as in `publishAt gteq …`.
    """
    return {"name": _NAMES[field], "operator": operator, "value": _encoded(value)}


def written(**fields: Scalar) -> dict[str, Scalar]:
    """Variables to write, by the record's fields; None clears one. Raises KeyError for what is no field."""
    return {_NAMES[field]: value for field, value in fields.items()}


def decisions_in(values: Variables) -> dict[str, Decision]:
    """Task id → its decision, oldest first. What is no decision of ours (a task completed elsewhere) is left out."""
    return _dated(values, DECISION_PREFIX, Decision)


def comments_in(values: Variables) -> dict[str, Comment]:
    """Comment id → the comment, oldest first. What is no comment of ours is left out."""
    return _dated(values, COMMENT_PREFIX, Comment)


def _dated(values: Variables, prefix: str, kind: type[Said]) -> dict[str, Said]:
    named = {name.removeprefix(prefix): value for name, value in values.items() if name.startswith(prefix)}
    made = {own: said for own, value in named.items() if (said := _decoded(value, kind)) is not None}
    return dict(sorted(made.items(), key=lambda each: each[1].at))


def moves_in(values: Variables) -> list[Move]:
    """The moves of a publication, oldest first. What is none of ours is left out."""
    read = [_decoded(value, Move) for value in values.values()]
    return sorted((move for move in read if move is not None), key=lambda move: move.at)


def typed(variables: Variables) -> dict[str, dict[str, object]]:
    """Variables in the engine's form. Types are named: the engine would guess, and store objects as Java.

    Raises Refused (INVALID), as `demand_storable`.
    """
    demand_storable(variables)
    kinds: dict[type, Literal["String", "Boolean", "Long", "Double", "Date"]] = {
        str: "String", bool: "Boolean", int: "Long", float: "Double", datetime: "Date", type(None): "String",
    }  # fmt: skip
    return {name: {"value": _encoded(value), "type": kinds[type(value)]} for name, value in variables.items()}


def demand_storable(variables: Variables) -> None:
    """Refuse variables that are too long for a database an engine may stand on. Raises Refused (INVALID)."""
    for name, value in variables.items():
        if isinstance(value, str) and (excess := excess_length(value)):
            message = f"Process variable {name} is {excess} characters too long for the engine; shorten it."
            raise Refused(UserErrorCode.INVALID, message)


def excess_length(value: str) -> int:
    """By how many UTF-16 code units a text is longer than a string variable may be."""
    return max(utf16_length(value) - LONGEST_TEXT, 0)


def instant(moment: datetime) -> str:
    """A point in time in the only format the engine reads: milliseconds, offset without colon."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "+0000")


def _encoded(value: Scalar) -> str | bool | int | float | None:
    return instant(value) if isinstance(value, datetime) else value


def _as_flag(value: Scalar) -> bool | None:
    return value if isinstance(value, bool) else None


def _as_text(value: Scalar) -> str | None:
    """Blank text, which forms send for an empty field, is none."""
    written = str(value)
    return written if written.strip() else None


def _as_instant(value: Scalar) -> datetime | None:
    """Of an instant with its offset; a date alone, or any other text, is none."""
    try:
        moment = datetime.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        return None
    return None if moment.tzinfo is None else moment.astimezone(UTC)


_READERS: Mapping[str, Callable[[Scalar], object]] = {
    **dict.fromkeys(names("approved", "changes_requested", "conflict_detected", "decided_by_rule"), _as_flag),
    **dict.fromkeys(names("publish_at"), _as_instant),
}


def _decoded(value: Scalar, kind: type[Record]) -> Record | None:
    try:
        return msgspec.json.decode(value if isinstance(value, str) else "", type=kind)
    except msgspec.DecodeError:
        return None
