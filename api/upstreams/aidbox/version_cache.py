"""The cache of plan versions: a version, `(id, versionId)`, never changes once it is written.

Nothing else is cached from one request to the next. A version that an administrator purges from the store is served
from here until it is evicted or the process ends.
"""

from collections.abc import Iterable

import msgspec
from cachetools import LRUCache

from api.telemetry import versions_looked_up
from api.upstreams.aidbox.records import PlanKey, PlanVersion

HEADER_BYTES = 1000  # what a version takes in memory beside its resource, about


class VersionCache:
    """Versions of plans, as many as fit into `size` bytes; with 0 none."""

    def __init__(self, size: int) -> None:
        self._versions: LRUCache[PlanKey, PlanVersion] = LRUCache(size, getsizeof=_size)

    def find(self, keys: Iterable[PlanKey], *, with_document: bool) -> dict[PlanKey, PlanVersion]:
        """Those of the versions that are cached; `with_document`: with their resource."""
        asked = set(keys)
        cached = ((key, self._versions.get(key)) for key in asked)
        found = {
            key: version for key, version in cached if version and (version.document is not None or not with_document)
        }
        versions_looked_up(len(found), len(asked) - len(found))
        return found

    def store(self, version: PlanVersion) -> None:
        """Cache a version, unless at least as much of it is cached already."""
        key = (version.id, version.version_id)
        cached = self._versions.get(key)
        if cached is not None and (cached.document is not None or version.document is None):
            return
        document = version.document and version.document.copy()  # else the whole answer it came in would stay
        copied = msgspec.structs.replace(version, document=document)
        if _size(copied) <= self._versions.maxsize // 10:  # one version must not evict nearly all others
            self._versions[key] = copied


def _size(version: PlanVersion) -> int:
    return HEADER_BYTES + (len(version.document) if version.document else 0)
