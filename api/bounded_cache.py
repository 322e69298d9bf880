"""A cache that stays within a size and forgets what was used least lately. For documents and registered queries."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class BoundedCache(Generic[Key, Value]):
    """Values by key. `room`: the sum of all sizes, at most; a value larger than a tenth of it is not kept."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._used = 0
        self._kept: OrderedDict[Key, tuple[Value, int]] = OrderedDict()

    def get(self, key: Key) -> Value | None:
        """The value, which is now the last to be forgotten."""
        found = self._kept.get(key)
        if found is None:
            return None
        self._kept.move_to_end(key)
        return found[0]

    def put(self, key: Key, value: Value, size: int) -> bool:
        """Keep a value of this size; whether it is kept."""
        if size > self._room // 10:
            return False
        self._used += size - self._kept.pop(key, (None, 0))[1]
        self._kept[key] = (value, size)
        while self._used > self._room:
            _, (_, forgotten) = self._kept.popitem(last=False)
            self._used -= forgotten
        return True
