"""`/live`: the process answers. `/ready`: so does at least one of the three systems; the body tells which.

One dead system empties its own fields and nothing else, so it is no reason to take a replica out of service.
"""

import asyncio
from collections.abc import Awaitable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from api.errors import ApprovalApiError, UpstreamFailed
from api.transport.asking import state_of
from api.upstreams import Upstreams

LONGEST_LOOK = 3.0  # seconds


async def live(_request: Request) -> Response:
    """Always 200."""
    return JSONResponse({"status": "live"})


async def ready(request: Request) -> Response:
    """200 while at least one system answers, else 503; for each its error code, or `ok`."""
    told = await look(state_of(request).upstreams)
    is_ready = "ok" in told.values()
    return JSONResponse({"status": "ready" if is_ready else "waiting", **told}, 200 if is_ready else 503)


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
