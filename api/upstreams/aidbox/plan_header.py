"""The few elements of a plan that lists read, in a resource and in a page of a search."""

from collections.abc import Iterator
from datetime import datetime
from typing import Literal

import msgspec

from api.upstreams.aidbox.records import PlanVersion, Tag
from fhir_answers.bundle import Link, Outcome


class Meta(msgspec.Struct, frozen=True, rename="camel"):
    """Of a resource's `meta` what says which version it is, and whose."""

    version_id: str
    last_updated: datetime
    tag: tuple[Tag, ...] = ()


class Header(msgspec.Struct, frozen=True, tag_field="resourceType", tag="InsurancePlan"):
    """The elements of a plan that lists read."""

    id: str
    meta: Meta
    name: str | None = None
    status: str | None = None

    def version(self, document: msgspec.Raw | None) -> PlanVersion:
        """The record of this version; `document` is the whole resource, None when it was not asked for."""
        meta = self.meta
        return PlanVersion(self.id, meta.version_id, meta.last_updated, self.name, self.status, meta.tag, document)


class _HeaderEntry(msgspec.Struct, frozen=True):
    resource: Header | Outcome | None = None


class Headers(msgspec.Struct, frozen=True, rename="camel"):
    """A page of a search that asked for headers alone: read in one go."""

    resource_type: Literal["Bundle"]
    entry: tuple[_HeaderEntry, ...] = ()
    link: tuple[Link, ...] = ()

    def held(self) -> Iterator[Header]:
        """The headers of plans, without remarks."""
        return (entry.resource for entry in self.entry if isinstance(entry.resource, Header))
