"""Versions of plans that were read before: a pinned version, `(id, versionId)`, never changes. Used by aidbox.py alone.

Nothing else is kept from one request to the next. A version that an administrator purges from the store is told until
it is forgotten here, or the process ends.
"""

from collections.abc import Iterable

import msgspec

from api.bounded_cache import BoundedCache
from api.telemetry import versions_looked_up
from api.upstreams.aidbox.records import PlanKey, PlanVersion

HEADER_BYTES = 1000  # what a version takes in memory beside its resource, about


class VersionCache:
    """As many as fit into `room` bytes; 0 keeps none."""

    def __init__(self, room: int) -> None:
        self._kept: BoundedCache[PlanKey, PlanVersion] = BoundedCache(room)

    def find(self, keys: Iterable[PlanKey], *, with_document: bool) -> dict[PlanKey, PlanVersion]:
        """Those of the versions that are kept; `with_document`: with their resource."""
        asked = set(keys)
        kept = ((key, self._kept.get(key)) for key in asked)
        found = {
            key: version for key, version in kept if version and (version.document is not None or not with_document)
        }
        versions_looked_up(len(found), len(asked) - len(found))
        return found

    def keep(self, version: PlanVersion) -> None:
        """Keep a version, unless at least as much of it is kept already."""
        key = (version.id, version.version_id)
        kept = self._kept.get(key)
        if kept is not None and (kept.document is not None or version.document is None):
            return
        document = version.document and version.document.copy()  # else the whole answer it came in would stay
        size = HEADER_BYTES + (len(document) if document else 0)
        self._kept.put(key, msgspec.structs.replace(version, document=document), size)
