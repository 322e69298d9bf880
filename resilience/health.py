"""Health checks of other systems, side by side and at most once a second, for a readiness endpoint."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping

from resilience.failures import ServiceError, UpstreamFailed

CHECK_TIMEOUT = 3.0  # seconds
CACHE_SECONDS = 1.0


class Health:
    """The health of some systems, cached for a second, since anybody may ask. `checks`: a cheap call by system."""

    def __init__(self, checks: Mapping[str, Callable[[], Awaitable[object]]]) -> None:
        self._checks = checks
        self._lock = asyncio.Lock()
        self._found: dict[str, str] = {}
        self._good_until = 0.0

    async def check(self) -> dict[str, str]:
        """`ok` or the error code of each system, at most a second old."""
        async with self._lock:
            if time.monotonic() >= self._good_until:
                answers = await asyncio.gather(*(_outcome(ask()) for ask in self._checks.values()))
                self._found = dict(zip(self._checks, answers, strict=True))
                self._good_until = time.monotonic() + CACHE_SECONDS
            return self._found


async def _outcome(work: Awaitable[object]) -> str:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT):
            await work
    except TimeoutError:
        return "UPSTREAM_TIMEOUT"
    except UpstreamFailed as failure:
        return failure.code
    except ServiceError:
        return "MISCONFIGURED"
    return "ok"
