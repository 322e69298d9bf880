"""`/live`: the process answers. `/ready`: so does at least one of the three systems; the body tells which.

One dead system empties its own fields and nothing else, so it is no reason to take a replica out of service.
"""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from api.transport.state import state_of


async def live(_request: Request) -> Response:
    """Always 200."""
    return JSONResponse({"status": "live"})


async def ready(request: Request) -> Response:
    """200 while at least one system answers, else 503; for operators with each one's error code, or `ok`."""
    found = await state_of(request).health.look()
    is_ready = "ok" in found.values()
    details = found if is_for_operators(request) else {}
    return JSONResponse({"status": "ready" if is_ready else "waiting", **details}, 200 if is_ready else 503)


def is_for_operators(request: Request) -> bool:
    """Whether it came by OPERATIONS_PORT, or there is none. The port is the socket's own: no header can change it."""
    port = state_of(request).settings.operations_port
    return port is None or request.scope["server"][1] == port
