"""The ASGI application: `build_app(settings)` → its routes, and a lifespan that opens and closes what they need.

Tests watch or disturb the upstream calls through two of its parameters.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from typing import Any, TypedDict

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.authentication import open_authentication
from api.coordination.process.worker import UNLOCK_SECONDS, work
from api.deadline import with_deadline
from api.settings import Settings
from api.telemetry import begin_request
from api.transport.cross_site import with_browser_rules
from api.transport.graphiql import assets_route
from api.transport.graphql import GRAPHIQL_ASSETS, graphql
from api.transport.graphql_errors import MASKED, request_error
from api.transport.health import live, ready
from api.transport.metrics import metrics
from api.transport.persisted_queries import open_operations
from api.transport.readiness import Health
from api.transport.request_slots import RequestSlots
from api.transport.rest import problem, submit_plan
from api.transport.state import UNTIL_SENT, State
from api.transport.welcome import root, show_version
from api.upstreams import open_upstreams, unchanged
from api.upstreams.http.call import Transports
from api.upstreams.http.proxies import named_proxies
from api.upstreams.retool.pool import Connection
from api.weighted_semaphore import WeightedSemaphore

OPERATORS_PATHS = ("/metrics", "/ready", "/live")
LARGE_BODY = 65_536  # bytes; the server's buffer holds as many before it waits for the client
STOP_TIMEOUT = 8.0  # seconds; then the worker returns its tasks to the engine

_log = logging.getLogger(__name__)


class LifespanState(TypedDict):
    """Starlette's lifespan state."""

    held: State


def build_app(
    settings: Settings,
    *,
    note: str = "",
    stop: asyncio.Event | None = None,
    transports: Transports = unchanged,
    connection_class: type[Connection] = Connection,
) -> ASGIApp:
    """The ASGI application. `note`: a sentence on the GraphiQL page. Raises Misconfigured.

    `stop`: set when the server is asked to stop, so that its worker takes nothing new while requests are finished.
    """

    operations = open_operations(settings)
    named_proxies()  # raises Misconfigured at the start

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[LifespanState]:
        async with (
            open_upstreams(settings, transports=transports, connection_class=connection_class) as upstreams,
            open_authentication(settings, transports=transports) as authentication,
        ):
            stopped = stop or asyncio.Event()
            worker = asyncio.create_task(work(upstreams, settings, stopped)) if settings.worker else None
            request_slots, large_answers, health = (
                RequestSlots(settings),
                WeightedSemaphore(settings.max_cost_at_once),
                Health(upstreams),
            )
            yield {
                "held": State(
                    settings, upstreams, authentication, operations, request_slots, large_answers, health, note
                )
            }
            stopped.set()
            if worker is not None:
                await _stop_worker(worker)

    routes = [
        Route("/graphql", graphql, methods=["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]),
        Route("/api/plans/{id:path}/submit", submit_plan, methods=["POST"]),
        Route("/", root),
        Route("/version", show_version),
        Route("/live", live),
        Route("/ready", ready),
    ]
    if settings.metrics:
        routes.append(Route("/metrics", metrics))
    if settings.graphiql:
        routes.append(assets_route(GRAPHIQL_ASSETS))
    handlers: dict[Any, Any] = {
        404: not_found,
        405: method_not_allowed,
        ClientDisconnect: disconnected,
        Exception: masked,
    }
    app = Starlette(routes=routes, lifespan=lifespan, exception_handlers=handlers)
    # Behind a TLS terminator a redirect would lead to http://, where a client would send its key in clear text.
    app.router.redirect_slashes = False
    ported = by_port(app, settings.operations_port)
    return with_request_id(with_browser_rules(ported, settings), seconds=settings.request_seconds)


async def masked(_request: Request, _error: Exception) -> Response:
    """The answer to an unexpected exception, which the server logs with the request id."""
    return JSONResponse(request_error(MASKED, code="INTERNAL_ERROR"), 500)


async def not_found(request: Request, _error: Exception) -> Response:
    """The answer to an unknown path."""
    hint = " Leave out the trailing slash." if request.url.path.endswith("/") else ""
    return problem(404, "NOT_FOUND", f"Not found.{hint}")


async def method_not_allowed(_request: Request, error: Exception) -> Response:
    """The answer to a method that the path does not allow; the header Allow has those it does."""
    headers = error.headers if isinstance(error, HTTPException) else None
    allowed = (headers or {}).get("Allow", "another")
    return problem(405, "BAD_REQUEST", f"Method not allowed; use {allowed}.", headers)


async def disconnected(_request: Request, _error: Exception) -> Response:
    """The answer to a client that disconnected before its request was complete; nobody reads it."""
    return Response(status_code=400)


async def _stop_worker(worker: asyncio.Task[None]) -> None:
    """Let the worker finish its tasks; what is not done in time is left to another worker."""
    done, _ = await asyncio.wait([worker], timeout=STOP_TIMEOUT)
    if not done:
        _log.warning("the worker was stopped in the middle of its work")
        worker.cancel()
        await asyncio.wait([worker], timeout=2 * UNLOCK_SECONDS)


def by_port(app: ASGIApp, operations_port: int | None) -> ASGIApp:
    """The service on two ports, if there are two: operators' paths at OPERATIONS_PORT, all others at PORT."""

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            # The socket's own port, which no header can change.
            is_for_operators = scope["server"][1] == operations_port
            paths = OPERATORS_PATHS if is_for_operators else ("/metrics",)
            if (scope["path"] in paths) is not is_for_operators:
                await problem(404, "NOT_FOUND", "Not found.")(scope, receive, send)
                return
        await app(scope, receive, send)

    return app if operations_port is None else handle


def with_request_id(app: ASGIApp, *, seconds: float) -> ASGIApp:
    """Give every request a deadline, and an id: the caller's own or a new one, sent back in `X-Request-Id`."""

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        offered = dict(scope["headers"]).get(b"x-request-id", b"").decode("latin-1")
        request_id = begin_request(offered)

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
            await send_whole(message, send)

        with with_deadline(seconds), ExitStack() as until_sent:
            scope[UNTIL_SENT] = until_sent
            await app(scope, receive, send_with_id)

    return handle


async def send_whole(message: Message, send: Send) -> None:
    """Send an ASGI message; after a large body return only when the client has received nearly all of it.

    The server waits for that before the next message, so the end of a large body is a message of its own.
    """
    is_last = message["type"] == "http.response.body" and not message.get("more_body", False)
    if is_last and len(message.get("body", b"")) > LARGE_BODY:
        await send({**message, "more_body": True})
        message = {"type": "http.response.body", "body": b"", "more_body": False}
    await send(message)
