"""Retries with exponential backoff and jitter, for idempotent requests only."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from itertools import count
from typing import TypeVar

from resilience.failures import Busy, Unreachable

Answer = TypeVar("Answer")

FIRST_PAUSE = 0.1  # seconds at most, doubled before each further retry
LONGEST_PAUSE = 2.0


async def with_retries(send: Callable[[], Awaitable[Answer]], *, tries: int, seconds: float) -> Answer:
    """What `send` returns, called at most `tries` times while it raises Unreachable or Busy.

    There is no retry whose pause would end after `seconds`. Raises what the last call raised.
    """
    loop = asyncio.get_running_loop()
    ends = loop.time() + seconds
    for attempt in count(1):
        try:
            return await send()
        except (Unreachable, Busy) as failure:
            pause = _pause(failure, attempt)
            if attempt >= tries or loop.time() + pause >= ends:
                raise
        await asyncio.sleep(pause)
    raise AssertionError  # `count` has no end


def _pause(failure: Unreachable | Busy, attempt: int) -> float:
    """Seconds before the next try: as many as a busy system asks for, else a random share of the backoff."""
    asked = failure.pause if isinstance(failure, Busy) else None
    if asked is not None:
        return asked
    return random.uniform(0, min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (attempt - 1)))  # noqa: S311  # jitter is no secret
