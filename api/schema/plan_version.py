"""The type PlanVersion: one version of a plan in the store, with its history and its draft."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, cast

import msgspec
import strawberry

from api.requirements import RESOURCE
from api.schema.arguments import checked_limit
from api.schema.info import Info
from api.schema.read_access import readable_draft
from api.schema.requires import requires
from api.upstreams.aidbox import records
from api.upstreams.aidbox.records import Tag
from api.upstreams.camunda.process_variables import LINK_VARIABLES, ProcessVariables, names
from columnar.batched_field import batched_field, found_of
from graphql_server.documents.answer_size import counted_text
from graphql_server.scalars import Json

BASE_VARIABLES = names("aidbox_plan_id", "base_version")
APPROVAL_VARIABLES = (*BASE_VARIABLES, *LINK_VARIABLES, *names("published_version", "submitted_by"))

if TYPE_CHECKING:
    from api.schema.draft import Draft
    from api.schema.plan_approval import PlanApproval


async def _approvals(versions: "Sequence[PlanVersion]", info: Info) -> "list[PlanApproval | None]":
    """By the store's records, else by the engine."""
    from api.schema.plan_approval import plan_approvals_of  # noqa: PLC0415  # the two types name each other

    return await plan_approvals_of(info, versions)


@strawberry.federation.type(keys=["id versionId"], description="One version of a plan in the FHIR store.")
class PlanVersion:
    """An immutable version of a plan."""

    id: strawberry.ID = strawberry.field(description="The plan's id in the store, the same for all its versions.")
    version_id: strawberry.ID = strawberry.field(description="The version's id: an opaque text of the store.")
    name: str | None = strawberry.field(description="The plan's name.")
    status: str | None = strawberry.field(description="FHIR publication status: draft, active, retired or unknown.")
    published_at: datetime = strawberry.field(description="When this version was stored.")
    tags: strawberry.Private[tuple[Tag, ...]]
    resource: Json = strawberry.field(
        description="The whole FHIR InsurancePlan, exact to the digit.", metadata=requires(RESOURCE)
    )

    @strawberry.field(
        description="`resource` as text, which no client's JSON parser alters; see Draft.planDataText.",
        metadata=requires(RESOURCE),
    )
    def resource_text(self) -> str:
        """Exactly as the store sent it."""
        return counted_text(bytes(cast("msgspec.Raw", self.resource)).decode())

    @strawberry.field(
        description="The plan's versions, newest first. Null when the store could not be asked.",
        metadata=requires(loaders=("plan_histories",)),
    )
    async def history(
        self,
        info: Info,
        limit: Annotated[int, strawberry.argument(description="The most versions to return, 0 to 100.")] = 20,
    ) -> list["PlanVersion"] | None:
        """One batch for all plans of an answer."""
        versions = await info.context.loaders.plan_histories.load((self.id, checked_limit(limit, at_most=100)))
        return [plan_version(version) for version in versions or []]

    @strawberry.field(
        description="The draft that edits this plan or became it, of several the one changed last; null when the "
        "viewer may not read it.",
        metadata=requires(loaders=("drafts_by_plan",)),
    )
    async def draft(self, info: Info) -> Annotated["Draft", strawberry.lazy("api.schema.draft")] | None:
        """By the reference in the drafts table."""
        from api.schema.draft import draft  # noqa: PLC0415  # the two types name each other

        return draft(await readable_draft(info, await info.context.loaders.drafts_by_plan.load(self.id)))

    approval: Annotated["PlanApproval", strawberry.lazy("api.schema.plan_approval")] | None = batched_field(
        _approvals,
        description="Who approved it, for whoever took part or may read the draft it came of. Null for everybody else, "
        "for a version that came about in another way, and when nobody has it on record any longer.",
        metadata=requires(variables=APPROVAL_VARIABLES),
    )

    @classmethod
    async def resolve_reference(
        cls,
        info: Info,
        id: strawberry.ID,  # noqa: A002  # the key's name
        versionId: strawberry.ID,  # noqa: N803  # keys come as the schema spells them
    ) -> "PlanVersion | None":
        """For a federation gateway: the version of a key."""
        found = await info.context.loaders.plan_versions.load((id, versionId))
        return plan_version(found) if found else None


def plan_version(record: records.PlanVersion) -> PlanVersion:
    """The type of a version the store sent."""
    return PlanVersion(
        id=strawberry.ID(record.id),
        version_id=strawberry.ID(record.version_id),
        name=record.name,
        status=record.status,
        published_at=record.published_at,
        tags=record.tags,
        resource=Json(record.document),
    )


async def base_plans_of(info: Info, variables: Sequence[ProcessVariables | None]) -> list[PlanVersion | None]:
    """The versions that processes were started against, by their variables."""
    found = await found_of(info.context.loaders.plan_versions, [each.base if each else None for each in variables])
    return _as_types(found)


async def current_plans_of(info: Info, plan_ids: Sequence[str | None]) -> list[PlanVersion | None]:
    """Plans as the store has them now."""
    found = await found_of(info.context.loaders.plans, plan_ids)
    return _as_types(found)


def _as_types(found: Sequence[records.PlanVersion | None]) -> list[PlanVersion | None]:
    return [plan_version(record) if record else None for record in found]
