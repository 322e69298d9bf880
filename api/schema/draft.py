"""The type Draft: a row of the drafts table, with batched fields from the store and the engine."""

from collections.abc import Sequence
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from api.errors import Refused, UserErrorCode
from api.requirements import PLAN, REVISION
from api.schema.arguments import checked_limit
from api.schema.changes import (
    CHANGES,
    CONFLICT_VARIABLES,
    CONFLICTS,
    SUMMARY,
    ChangeBase,
    ChangeSummary,
    FieldChange,
    FieldConflict,
    change_summary_of,
    changes_of,
    conflicts_of,
)
from api.schema.comment import Comment, comments_of_draft
from api.schema.history import AuditEvent, history_of
from api.schema.info import Info
from api.schema.plan_version import BASE_VARIABLES, PlanVersion, base_plans_of, current_plans_of
from api.schema.problems import PlanProblem, problems_of
from api.schema.read_access import draft_by_id, variables_of_drafts
from api.schema.requires import requires
from api.upstreams.camunda.process_variables import LINK_VARIABLES, VARIABLES, ProcessVariables, names
from api.upstreams.retool import records as retool_records
from columnar.batched_field import batched_field
from graphql_server.documents.answer_size import counted_text
from graphql_server.scalars import Json
from plandiff.changes import MOST_ENTRIES

if TYPE_CHECKING:
    from api.schema.approval_status import ApprovalStatus

PUBLISH_AT = (
    "When the plan is to be published: as proposed until it is approved, and as decided then. Null: once it is "
    "approved, and for a draft that is in no approval."
)
_BASE_OF_CHANGES = (*CONFLICT_VARIABLES, *LINK_VARIABLES)
ChangeLimit = Annotated[int, strawberry.argument(description=f"The most entries to return, 0 to {MOST_ENTRIES}.")]
CommentLimit = Annotated[int, strawberry.argument(description="The most comments to return, 0 to 1000.")]
Against = Annotated[ChangeBase, strawberry.argument(description="The version to compare with.")]


@strawberry.enum(description="The status of a draft in the drafts database.")
class DraftStatus(Enum):
    """The values of the status column; any other value counts as DRAFT."""

    DRAFT = strawberry.enum_value("draft", description="Being written.")
    SUBMITTED = strawberry.enum_value("submitted", description="In approval.")
    APPROVED = strawberry.enum_value("approved", description="Approved and published.")
    REJECTED = strawberry.enum_value("rejected", description="Rejected; can be changed and submitted again.")
    RETURNED = strawberry.enum_value("returned", description="Sent back with requested changes.")
    CONFLICT = strawberry.enum_value("conflict", description="Draft or plan changed during approval.")
    WITHDRAWN = strawberry.enum_value("withdrawn", description="Withdrawn from approval.")


def draft_status(status: str) -> DraftStatus:
    """The status of a row."""
    return DraftStatus(status) if status in DraftStatus._value2member_map_ else DraftStatus.DRAFT


async def _base_plans(drafts: "Sequence[Draft]", info: Info) -> list[PlanVersion | None]:
    """Found by the variables of their processes."""
    return await base_plans_of(info, await variables_of_drafts(info, [each.record for each in drafts]))


async def _current_plans(drafts: "Sequence[Draft]", info: Info) -> list[PlanVersion | None]:
    """Found by the rows' references."""
    return await current_plans_of(info, [each.record.aidbox_id for each in drafts])


async def _publication_times(drafts: "Sequence[Draft]", info: Info) -> list[datetime | None]:
    """By the variables of their processes."""
    records = [each.record for each in drafts]
    values = await variables_of_drafts(info, records)
    return [publication_time(*each) for each in zip(records, values, strict=True)]


def publication_time(record: retool_records.Draft, values: ProcessVariables | None) -> datetime | None:
    """When a draft in approval is to be published, if not at once."""
    return values.publish_at if values and record.is_submitted else None


async def _approvals(drafts: "Sequence[Draft]", info: Info) -> "list[ApprovalStatus]":
    """As the root field approvalStatus."""
    from api.schema.approval_status import approval_statuses_of  # noqa: PLC0415  # the two types name each other

    return await approval_statuses_of(info, [each.record for each in drafts])


@strawberry.federation.type(keys=["id"], description="A benefit plan as its author writes it, in Retool's database.")
class Draft:
    """Plain fields are the row's. Others ask another system and are null when it could not be asked."""

    record: strawberry.Private[retool_records.Draft]
    id: strawberry.ID = strawberry.field(description="Retool's own id.")
    name: str = strawberry.field(description="Its name.")
    status: DraftStatus = strawberry.field(
        description="As in the drafts database; `approval` has the state of the process."
    )
    plan_data: Json = strawberry.field(
        description="The plan as written (FHIR InsurancePlan JSON), exact to the digit.", metadata=requires(PLAN)
    )
    revision: str = strawberry.field(
        description="Fingerprint of name and planData; changes whenever either does.", metadata=requires(REVISION)
    )
    created_by: strawberry.ID | None = strawberry.field(description="Its author; null when none is on record.")
    updated_at: datetime = strawberry.field(description="When the row last changed.")
    camunda_process_id: strawberry.ID | None = strawberry.field(
        description="The process it was last submitted to; null before the first submission."
    )
    aidbox_id: strawberry.ID | None = strawberry.field(
        description="The plan of the store it edits or became; null for a new plan."
    )

    base_plan: PlanVersion | None = batched_field(
        _base_plans,
        description="The plan version this draft was submitted against, if it edits one.",
        metadata=requires(variables=(*BASE_VARIABLES, *LINK_VARIABLES), loaders=("plan_versions",)),
    )
    current_plan: PlanVersion | None = batched_field(
        _current_plans,
        description="The current plan in the store. Null when there is none yet.",
        metadata=requires(loaders=("plans",)),
    )

    @strawberry.field(
        description="`planData` as text, which no JSON parser alters: JSON.parse makes 1500 of 1500.00 and rounds "
        "integers beyond 2^53. To write a plan back, edit this with a parser that keeps numbers as written.",
        metadata=requires(PLAN),
    )
    def plan_data_text(self) -> str:
        """Exactly as in the row."""
        return counted_text(self.record.plan_data)

    @strawberry.field(
        description="Field by field, what this draft changes (everything is ADDED for a new plan). After `limit` "
        "entries one more says how many others there are. Null when the store could not be asked, or the draft holds "
        "no plan.",
        metadata=requires(
            PLAN, variables=_BASE_OF_CHANGES, loaders=(CHANGES,), with_document=("plans", "plan_versions")
        ),
    )
    async def changes(
        self, info: Info, limit: ChangeLimit = 50, against: Against = ChangeBase.CURRENT
    ) -> list[FieldChange] | None:
        """By currentPlan's request, or basePlan's."""
        return await changes_of(info, self.record, against, limit=checked_limit(limit, at_most=MOST_ENTRIES))

    @strawberry.field(
        description="How much this draft changes, in numbers and a few words. Null when the store could not be asked, "
        "or the draft holds no plan.",
        metadata=requires(
            PLAN, variables=_BASE_OF_CHANGES, loaders=(SUMMARY,), with_document=("plans", "plan_versions")
        ),
    )
    async def change_summary(self, info: Info, against: Against = ChangeBase.CURRENT) -> ChangeSummary | None:
        """By currentPlan's request, or basePlan's; compared once with `changes`."""
        return await change_summary_of(info, self.record, against)

    @strawberry.field(
        description="Fields that both this draft and the store changed, to different values, since the version the "
        "draft is based on: the one rebaseDraft moved it to, else the one it became, else basePlan. "
        "After `limit` entries one more says how many others there are. Empty: no conflict. Null when that could not "
        "be asked, or the draft holds no plan.",
        metadata=requires(
            PLAN,
            variables=(*CONFLICT_VARIABLES, *LINK_VARIABLES),
            loaders=(CONFLICTS,),
            with_document=("plans", "plan_versions"),
        ),
    )
    async def conflicts(self, info: Info, limit: ChangeLimit = 50) -> list[FieldConflict] | None:
        """By basePlan's and currentPlan's requests."""
        return await conflicts_of(info, self.record, limit=checked_limit(limit, at_most=MOST_ENTRIES))

    @strawberry.field(
        description="What is wrong with the plan: what this service finds in it and, unless that is switched off, what "
        "the store says to it. Errors would be refused by submitForApproval. For a few drafts of a request only. Null "
        "when the store could not be asked.",
        metadata=requires(PLAN),
    )
    async def problems(self, info: Info) -> list[PlanProblem] | None:
        """One request to the store for each draft."""
        return await problems_of(info, self.record)

    @strawberry.field(
        description="Every submission of this draft and its outcome, newest first. Null when the engine could not "
        "be asked.",
        metadata=requires(variables=VARIABLES),
    )
    async def history(
        self,
        info: Info,
        limit: Annotated[int, strawberry.argument(description="The most events to return, 0 to 1000.")] = 50,
    ) -> list[AuditEvent] | None:
        """Four requests to the engine, for all drafts of an answer; five where a publication was moved."""
        return await history_of(info, self.record, checked_limit(limit))

    @strawberry.field(
        description="What was written on its submissions beside the decisions, newest first. Null when the engine "
        "could not be asked.",
        metadata=requires(variables=(*names("previous_process_id"), *LINK_VARIABLES)),
    )
    async def comments(self, info: Info, limit: CommentLimit = 50) -> list[Comment] | None:
        """Three requests to the engine, for all drafts of an answer."""
        return await comments_of_draft(info, self.record, checked_limit(limit))

    publish_at: datetime | None = batched_field(
        _publication_times, description=PUBLISH_AT, metadata=requires(variables=(*names("publish_at"), *LINK_VARIABLES))
    )
    approval: Annotated["ApprovalStatus", strawberry.lazy("api.schema.approval_status")] | None = batched_field(
        _approvals,
        description="The state of its approval, read live from the engine.",
        metadata=requires(loaders=("approvals",)),
    )

    @classmethod
    async def resolve_reference(cls, info: Info, id: strawberry.ID) -> "Draft | None":  # noqa: A002  # the key's name
        """For a federation gateway: the draft of a key."""
        return draft(await draft_by_id(info, id))


def draft(record: retool_records.Draft | None) -> Draft | None:
    """The type of a row, if there is one."""
    if record is None:
        return None
    return Draft(
        record=record,
        id=strawberry.ID(record.id),
        name=record.name,
        status=draft_status(record.status),
        plan_data=_unless_too_large(record, Json(record.plan)),
        revision=_unless_too_large(record, record.fingerprint),
        created_by=strawberry.ID(record.created_by) if record.created_by else None,
        updated_at=record.updated_at,
        camunda_process_id=strawberry.ID(record.camunda_process_id) if record.camunda_process_id else None,
        aidbox_id=strawberry.ID(record.aidbox_id) if record.aidbox_id else None,
    )


def _unless_too_large(record: retool_records.Draft, value: Any) -> Any:
    """The value; for a draft that is too large, an error of this draft alone."""
    return Refused(UserErrorCode.INVALID_PLAN, retool_records.TOO_LARGE) if record.is_too_large else value
