"""The cache of versions of resources: a version, `(id, versionId)`, never changes once it is written.

A version that an administrator purges from the server is served from here until it is evicted or the process ends.
"""

from collections.abc import Callable, Iterable
from typing import Generic, Protocol, TypeVar

import msgspec
from cachetools import LRUCache

HEADER_BYTES = 1000  # what a version takes in memory beside its resource, about

Key = tuple[str, str]
"""The id of a resource and of one of its versions."""


class Versioned(Protocol):
    """A frozen struct of msgspec for a version. `document`: its resource; None where it was read without."""

    @property
    def id(self) -> str: ...
    @property
    def version_id(self) -> str: ...
    @property
    def document(self) -> msgspec.Raw | None: ...


Version = TypeVar("Version", bound=Versioned)


class VersionCache(Generic[Version]):
    """Versions of resources, as many as fit into `size` bytes; with 0 none. `observe`: told of hits and misses."""

    def __init__(self, size: int, *, observe: Callable[[int, int], None]) -> None:
        self._versions: LRUCache[Key, Version] = LRUCache(size, getsizeof=_size)
        self._observe = observe

    def find(self, keys: Iterable[Key], *, with_document: bool) -> dict[Key, Version]:
        """Those of the versions that are cached; `with_document`: with their resource."""
        asked = set(keys)
        cached = ((key, self._versions.get(key)) for key in asked)
        found = {
            key: version for key, version in cached if version and (version.document is not None or not with_document)
        }
        self._observe(len(found), len(asked) - len(found))
        return found

    def store(self, version: Version) -> None:
        """Cache a version, unless at least as much of it is cached already."""
        key = (version.id, version.version_id)
        cached = self._versions.get(key)
        if cached is not None and (cached.document is not None or version.document is None):
            return
        document = version.document and version.document.copy()  # else the whole answer it came in would stay
        copied = msgspec.structs.replace(version, document=document)  # type: ignore[type-var]  # a struct, by contract
        if _size(copied) <= self._versions.maxsize // 10:  # one version must not evict nearly all others
            self._versions[key] = copied


def _size(version: Versioned) -> int:
    return HEADER_BYTES + (len(version.document) if version.document else 0)
