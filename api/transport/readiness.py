"""Health checks of the three systems, at most once a second, for `/ready`."""

import asyncio
import time
from collections.abc import Awaitable

from api.errors import ServiceError, UpstreamFailed
from api.upstreams import Upstreams

CHECK_TIMEOUT = 3.0  # seconds
CACHE_SECONDS = 1.0


class Health:
    """The health of the three systems, cached for a second, since anybody may ask."""

    def __init__(self, upstreams: Upstreams) -> None:
        self._upstreams = upstreams
        self._lock = asyncio.Lock()
        self._found: dict[str, str] = {}
        self._good_until = 0.0

    async def check(self) -> dict[str, str]:
        """`ok` or the error code of each system, at most a second old."""
        async with self._lock:
            if time.monotonic() >= self._good_until:
                self._found = await check(self._upstreams)
                self._good_until = time.monotonic() + CACHE_SECONDS
            return self._found


async def check(upstreams: Upstreams) -> dict[str, str]:
    """`ok` or the error code of each system, checked side by side."""
    asked: dict[str, Awaitable[object]] = {
        "retool": upstreams.retool.ping(),
        "camunda": upstreams.camunda.version(),
        "aidbox": upstreams.aidbox.ping(),
    }
    answers = await asyncio.gather(*(_outcome(work) for work in asked.values()))
    return dict(zip(asked, answers, strict=True))


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
