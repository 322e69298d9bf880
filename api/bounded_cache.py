"""An LRU cache that is bounded by size: cachetools', with the size of each value given by who stores it."""

from collections.abc import Hashable
from operator import itemgetter
from typing import Generic, TypeVar

from cachetools import LRUCache

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class BoundedCache(Generic[Key, Value]):
    """Values by key. `size`: the sum of their sizes, at most; a value larger than a tenth of it is not stored."""

    def __init__(self, size: int) -> None:
        self._entries: LRUCache[Key, tuple[Value, int]] = LRUCache(size, getsizeof=itemgetter(1))

    def get(self, key: Key) -> Value | None:
        """The value, which is now the last to be evicted."""
        found = self._entries.get(key)
        return None if found is None else found[0]

    def put(self, key: Key, value: Value, size: int) -> bool:
        """Store a value of this size; whether it was stored."""
        if size > self._entries.maxsize // 10:
            return False
        self._entries[key] = (value, size)
        return True
