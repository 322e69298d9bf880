"""The bytes of documents in an answer so far: an answer that gets too large is refused before it is assembled.

They are counted where documents and texts enter the answer; the HTTP server counts the rest in the finished answer.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class AnswerSize:
    """The counter of one answer."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._total = 0

    @property
    def is_over(self) -> bool:
        """Whether the answer has become too large."""
        return self._total > self.limit

    def add(self, size: int) -> bool:
        """Count so many bytes more. Whether the answer may still have them."""
        self._total += size
        return not self.is_over


_size: ContextVar[AnswerSize | None] = ContextVar("answer_size", default=None)


@contextmanager
def counting_bytes(limit: int) -> Iterator[AnswerSize]:
    """Count the bytes that are added in the block, and in the tasks it starts."""
    size = AnswerSize(limit)
    token = _size.set(size)
    try:
        yield size
    finally:
        _size.reset(token)


def add_bytes(size: int) -> bool:
    """Count so many bytes more of the current answer. Whether it may still have them; if not, it is not sent."""
    answer = _size.get()
    return answer is None or answer.add(size)


def counted_text(text: str) -> str:
    """The text, counted; empty where the answer is too large already."""
    return text if add_bytes(len(text)) else ""
