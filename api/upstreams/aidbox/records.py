"""The record of one version of a plan."""

from datetime import datetime

import msgspec

PlanKey = tuple[str, str]
"""The id of a plan and of one of its versions."""


class Tag(msgspec.Struct, frozen=True):
    """A mark on a version: publications of ours carry one with their process, and a digest of what was written."""

    system: str | None = None
    code: str | None = None
    display: str | None = None


class PlanVersion(msgspec.Struct, frozen=True):
    """One version of a plan. `document` is the InsurancePlan as JSON bytes, untouched; None: it was not asked for."""

    id: str
    version_id: str
    published_at: datetime
    name: str | None
    status: str | None
    tags: tuple[Tag, ...]
    document: msgspec.Raw | None

    @property
    def resource(self) -> msgspec.Raw:
        """The document of a version that was read whole."""
        assert self.document is not None, "only the header of this version was read"  # noqa: S101  # a fault of ours
        return self.document
