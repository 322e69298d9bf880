"""By when the request under way has to be answered. Set where work begins (`app`, the worker), asked by `upstreams`.

It travels with the task, like the request's id, so that no call in between has to hand it on.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_ends: ContextVar[float | None] = ContextVar("deadline", default=None)


@contextmanager
def with_deadline(seconds: float) -> Iterator[None]:
    """What is awaited in the block has so many seconds in all; an earlier end, set further out, stays."""
    ends = asyncio.get_running_loop().time() + seconds
    outer = _ends.get()
    token = _ends.set(ends if outer is None else min(ends, outer))
    try:
        yield
    finally:
        _ends.reset(token)


def seconds_left(at_most: float) -> float:
    """Seconds that may still be waited, `at_most` if nothing ends sooner; 0 or less when the time is over."""
    ends = _ends.get()
    return at_most if ends is None else min(at_most, ends - asyncio.get_running_loop().time())
