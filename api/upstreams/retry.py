"""What failed once and may be sent anew without harm. Used by calling.py and retool.py; never for a mere write."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_after_attempt,
    stop_before_delay,
    wait_random_exponential,
)

from api.errors import Busy, Unreachable, UpstreamFailed

Answer = TypeVar("Answer")

_jitter = wait_random_exponential(multiplier=0.1, max=2)  # seconds


async def retried(
    send: Callable[[], Awaitable[Answer]], failure: UpstreamFailed, *, tries: int, seconds: float
) -> Answer:
    """The answer of a further try, `failure` being what became of the first. `tries`: in all.

    There is none whose pause would outlast `seconds`. Raises what the last try raised.
    """
    attempts = AsyncRetrying(
        retry=retry_if_exception_type((Unreachable, Busy)),
        stop=stop_after_attempt(tries) | stop_before_delay(seconds),
        wait=_pause,
        reraise=True,
    )
    async for attempt in attempts:
        with attempt:
            if attempt.retry_state.attempt_number == 1:
                raise failure
            return await send()
    raise failure


def _pause(state: RetryCallState) -> float:
    """At random, longer each time; as long as a busy system asks for, if it says so."""
    failure = state.outcome.exception() if state.outcome else None
    asked = failure.pause if isinstance(failure, Busy) else None
    return _jitter(state) if asked is None else asked
