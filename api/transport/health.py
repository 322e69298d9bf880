"""Health endpoints. `/live`: the process answers. `/ready`: at least one of the three systems answers, too.

A system that is down empties its own fields and nothing else, so it is no reason to take a replica out of service.
"""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from api.transport.state import state_of


async def live(_request: Request) -> Response:
    """Liveness: always 200."""
    return JSONResponse({"status": "live"})


async def ready(request: Request) -> Response:
    """Readiness: 200 while at least one system answers, else 503; for operators with `ok` or the error code of each."""
    found = await state_of(request).health.check()
    is_ready = "ok" in found.values()
    details = found if is_for_operators(request) else {}
    return JSONResponse({"status": "ready" if is_ready else "waiting", **details}, 200 if is_ready else 503)


def is_for_operators(request: Request) -> bool:
    """Whether the request came in at OPERATIONS_PORT, or there is none. No header can change the socket's own port."""
    port = state_of(request).settings.operations_port
    return port is None or request.scope["server"][1] == port
