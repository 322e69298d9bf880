"""How the three systems fare, looked at once a second at most. For `/ready`."""

import asyncio
import time
from collections.abc import Awaitable

from api.errors import ApprovalApiError, UpstreamFailed
from api.upstreams import Upstreams

LONGEST_LOOK = 3.0  # seconds
GOOD_FOR = 1.0  # seconds


class Health:
    """How the three systems fare. Anybody may ask, so they are looked at once a second at most, however many ask."""

    def __init__(self, upstreams: Upstreams) -> None:
        self._upstreams = upstreams
        self._lock = asyncio.Lock()
        self._found: dict[str, str] = {}
        self._good_until = 0.0

    async def look(self) -> dict[str, str]:
        """For each system its error code, or `ok`; at most a second old."""
        async with self._lock:
            if time.monotonic() >= self._good_until:
                self._found = await look(self._upstreams)
                self._good_until = time.monotonic() + GOOD_FOR
            return self._found


async def look(upstreams: Upstreams) -> dict[str, str]:
    """Ask all three for a sign of life, side by side."""
    asked: dict[str, Awaitable[object]] = {
        "retool": upstreams.retool.ping(),
        "camunda": upstreams.camunda.version(),
        "aidbox": upstreams.aidbox.ping(),
    }
    answers = await asyncio.gather(*(_sign(work) for work in asked.values()))
    return dict(zip(asked, answers, strict=True))


async def _sign(work: Awaitable[object]) -> str:
    try:
        async with asyncio.timeout(LONGEST_LOOK):
            await work
    except TimeoutError:
        return "UPSTREAM_TIMEOUT"
    except UpstreamFailed as failure:
        return failure.code
    except ApprovalApiError:
        return "MISCONFIGURED"
    return "ok"
