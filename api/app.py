"""The service put together: `build_app(settings)` → its routes, and a lifespan that opens and closes what they need.

Called by `plan-api serve` and `demo`, and by the tests, which watch or disturb the wire through the two parameters.
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
from api.coordination.process.worker import GIVING_BACK, work
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
from api.upstreams import open_upstreams, unchanged
from api.upstreams.http.call import Transports
from api.upstreams.http.proxies import named_proxies
from api.upstreams.retool.pool import Connection
from api.weighted_semaphore import WeightedSemaphore

OPERATORS_PATHS = ("/metrics", "/ready", "/live")
LARGE_BODY = 65_536  # bytes, as many as the server's buffer holds before it waits for the client
LONGEST_STOP = 8.0  # seconds; what the worker has in hand then is given back

_log = logging.getLogger(__name__)


class Held(TypedDict):
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
    """The ASGI application. `note`: a sentence for the IDE's page. Raises Misconfigured.

    `stop`: set when the server is asked to stop, so that its worker takes nothing new while requests are finished.
    """

    operations = open_operations(settings)
    named_proxies()  # what is wrong with them is told at the start

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[Held]:
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
        Route("/live", live),
        Route("/ready", ready),
    ]
    if settings.metrics:
        routes.append(Route("/metrics", metrics))
    if settings.graphiql:
        routes.append(assets_route(GRAPHIQL_ASSETS))
    handlers: dict[Any, Any] = {404: nothing_here, 405: not_like_that, ClientDisconnect: gone, Exception: masked}
    app = Starlette(routes=routes, lifespan=lifespan, exception_handlers=handlers)
    # behind a TLS terminator a redirect would name http://, where a client that follows sends its key in clear
    app.router.redirect_slashes = False
    ported = by_port(app, settings.operations_port)
    return with_request_id(with_browser_rules(ported, settings), seconds=settings.request_seconds)


async def masked(_request: Request, _error: Exception) -> Response:
    """The answer to what nobody expected. The server logs the error itself, with the request id."""
    return JSONResponse(request_error(MASKED, code="INTERNAL_ERROR"), 500)


async def nothing_here(request: Request, _error: Exception) -> Response:
    """The answer to a path that is none of ours."""
    hint = " Leave out the last slash." if request.url.path.endswith("/") else ""
    return problem(404, "NOT_FOUND", f"There is nothing at this address.{hint}")


async def not_like_that(_request: Request, error: Exception) -> Response:
    """The answer to a method that the path does not have."""
    headers = error.headers if isinstance(error, HTTPException) else None
    return problem(405, "BAD_REQUEST", "This address is not asked like that.", headers)


async def gone(_request: Request, _error: Exception) -> Response:
    """The client left before its request was whole; nobody reads this."""
    return Response(status_code=400)


async def _stop_worker(worker: asyncio.Task[None]) -> None:
    """Let the worker finish what it holds; what is not done in time stays in the engine for another."""
    done, _ = await asyncio.wait([worker], timeout=LONGEST_STOP)
    if not done:
        _log.warning("the worker was stopped in the middle of its work")
        worker.cancel()
        await asyncio.wait([worker], timeout=2 * GIVING_BACK)


def by_port(app: ASGIApp, operations_port: int | None) -> ASGIApp:
    """The service, with what operators ask at the port for operators and all else at the other, where there are two."""

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            # the socket's own port, which no header can change
            is_for_operators = scope["server"][1] == operations_port
            paths = OPERATORS_PATHS if is_for_operators else ("/metrics",)
            if (scope["path"] in paths) is not is_for_operators:
                await problem(404, "NOT_FOUND", "There is nothing at this address.")(scope, receive, send)
                return
        await app(scope, receive, send)

    return app if operations_port is None else handle


def with_request_id(app: ASGIApp, *, seconds: float) -> ASGIApp:
    """Give every request an id, its caller's own or a new one, sent back in `X-Request-Id`, and an end to its time."""

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
    """Send a message; after a large body return only when the client has taken nearly all of it.

    The server waits for that before a further message, so the end of a large body is a message of its own.
    """
    is_last = message["type"] == "http.response.body" and not message.get("more_body", False)
    if is_last and len(message.get("body", b"")) > LARGE_BODY:
        await send({**message, "more_body": True})
        message = {"type": "http.response.body", "body": b"", "more_body": False}
    await send(message)
