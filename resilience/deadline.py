"""The deadline of the request under way, in a context variable.

It is set where work begins and travels with the task, like the request's id, so that no call in between hands it on.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_ends: ContextVar[float | None] = ContextVar("deadline", default=None)


@contextmanager
def with_deadline(seconds: float) -> Iterator[None]:
    """A deadline for what is awaited in the block, in so many seconds; an earlier one, set further out, stays."""
    ends = asyncio.get_running_loop().time() + seconds
    outer = _ends.get()
    token = _ends.set(ends if outer is None else min(ends, outer))
    try:
        yield
    finally:
        _ends.reset(token)


def seconds_left(at_most: float) -> float:
    """Seconds until the deadline, `at_most` if there is none or it is later; 0 or less when it has passed."""
    ends = _ends.get()
    return at_most if ends is None else min(at_most, ends - asyncio.get_running_loop().time())
