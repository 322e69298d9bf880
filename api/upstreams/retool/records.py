"""Records of the drafts database: rows, filters, the columns they are read from, and the table's name."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import msgspec
from psycopg import sql

from api.draft_status import OUR_NAMES, SUBMITTED, StatusNames
from api.errors import Misconfigured, Refused, UserErrorCode

TOO_LARGE = "The plan of this draft is too large to be read: its numbers have too many digits, or its text is too long."
SORT_KEYS = ("updated_at", "name", "status", "id")
GIVEN_ORDER = "given_order"  # a sort key of a filter by processes: the order in which it names them

_NAME_PART = re.compile(r'"((?:[^"]|"")+)"(?:\.|$)|([^."]+)(?:\.|$)')


class Parts(NamedTuple):
    """What of a row is read that makes it long: its plan, and its revision, for which the database reads the plan."""

    plan: bool = True
    revision: bool = True


WHOLE, NEITHER = Parts(), Parts(plan=False, revision=False)


class Draft(msgspec.Struct, frozen=True):
    """A row of the drafts table. `plan` and `fingerprint` are None where they were not asked for, or `is_too_large`."""

    id: str
    name: str
    status: str
    plan: str | None
    fingerprint: str | None
    aidbox_id: str | None
    camunda_process_id: str | None
    created_by: str | None
    updated_at: datetime
    is_too_large: bool = False

    @property
    def plan_data(self) -> str:
        """The plan as JSON text. Raises Refused (INVALID_PLAN) where it is too large to be read."""
        if self.is_too_large:
            raise Refused(UserErrorCode.INVALID_PLAN, TOO_LARGE, field="draftId")
        assert self.plan is not None, "this draft was read without its plan"  # noqa: S101  # a fault of ours
        return self.plan

    @property
    def revision(self) -> str:
        """The fingerprint of name and plan; empty, and so no submitted one, where the plan is too large to be read."""
        if self.is_too_large:
            return ""
        assert self.fingerprint is not None, "this draft was read without its revision"  # noqa: S101  # as above
        return self.fingerprint

    @property
    def is_submitted(self) -> bool:
        """Whether the draft waits for a process."""
        return self.status == SUBMITTED


class Waiting(msgspec.Struct, frozen=True):
    """A draft in approval, and the process it waits for."""

    id: str
    process_id: str | None


@dataclass(frozen=True)
class Columns:
    """The drafts table as this deployment names it."""

    table: str
    id: str
    name: str
    status: str
    plan_data: str
    aidbox_id: str
    camunda_process_id: str
    created_by: str
    updated_at: str
    statuses: StatusNames = OUR_NAMES


class Reader(msgspec.Struct, frozen=True):
    """Whose drafts a page shows: those the person wrote, these of these processes, and what nobody wrote or sent in.

    `submitted`: ids of drafts, each with the process it must name.
    """

    user_id: str
    submitted: tuple[tuple[str, str], ...]


class DraftFilter(msgspec.Struct, frozen=True):
    """What a page of drafts is narrowed to; None leaves a condition out.

    `processes`: drafts in approval, each with the process it must name.
    """

    statuses: tuple[str, ...] | None = None
    created_by: str | None = None
    name_contains: str | None = None
    aidbox_id: str | None = None
    processes: tuple[tuple[str, str], ...] | None = None
    reader: Reader | None = None


def table_name(columns: Columns) -> sql.Identifier:
    """The drafts table as SQL names it."""
    return sql.Identifier(*table_parts(columns))


def table_parts(columns: Columns) -> list[str]:
    """`schema.table` taken apart. Parts are as they are written; double quotes may enclose them.

    Raises Misconfigured for what is no name.
    """
    found = list(_NAME_PART.finditer(columns.table))
    if not 1 <= len(found) <= 2 or "".join(part[0] for part in found) != columns.table or columns.table.endswith("."):
        raise Misconfigured(f"DRAFTS_TABLE must be a name like table or schema.table, not {columns.table}")
    return [part[1].replace('""', '"') if part[1] else part[2] for part in found]
