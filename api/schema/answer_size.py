"""How many bytes of documents an answer has so far; one that gets too large is refused before it is put together.

Counted where documents and texts enter the answer, since what is too large should not be made first. The rest is
counted by `transport` in the finished answer.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class AnswerSize:
    """One answer's."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._total = 0

    @property
    def is_over(self) -> bool:
        """Whether it has become too large."""
        return self._total > self.limit

    def add(self, size: int) -> bool:
        """Whether so many bytes more are not too many."""
        self._total += size
        return not self.is_over


_size: ContextVar[AnswerSize | None] = ContextVar("answer_size", default=None)


@contextmanager
def weighing(limit: int) -> Iterator[AnswerSize]:
    """Count what is weighed in the block, and in the tasks it starts."""
    size = AnswerSize(limit)
    token = _size.set(size)
    try:
        yield size
    finally:
        _size.reset(token)


def weigh(size: int) -> bool:
    """Whether the answer under way may have so many bytes more; if not, nobody will see it."""
    answer = _size.get()
    return answer is None or answer.add(size)


def weighed(text: str) -> str:
    """The text, which is part of the answer now."""
    return text if weigh(len(text)) else ""
