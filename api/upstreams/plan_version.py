"""The record of one version of a plan, as aidbox.py reads it and kept_versions.py keeps it."""

from datetime import datetime

import msgspec

PlanKey = tuple[str, str]
"""The id of a plan and of one of its versions."""


class PlanVersion(msgspec.Struct, frozen=True):
    """One version of a plan. `document` is the InsurancePlan as JSON bytes, untouched; None: it was not asked for."""

    id: str
    version_id: str
    published_at: datetime
    name: str | None
    status: str | None
    tags: tuple[tuple[str | None, str | None], ...]
    document: msgspec.Raw | None

    @property
    def resource(self) -> msgspec.Raw:
        """The document of a version that was read whole."""
        assert self.document is not None, "only the header of this version was read"  # noqa: S101  # a fault of ours
        return self.document
