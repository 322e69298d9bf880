"""The ASGI application: `build_app(settings)` → its routes, and a lifespan that opens and closes what they need.

Tests watch or disturb the upstream calls through two of its parameters.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypedDict

import msgspec
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from api.coordination.process.worker import UNLOCK_SECONDS, work
from api.settings import Settings
from api.telemetry import SERVICE, upstream_called
from api.transport.graphql import GRAPHIQL_ASSETS, graphql_endpoint
from api.transport.health import live, ready
from api.transport.metrics import metrics
from api.transport.rest import submit_plan
from api.transport.state import State
from api.transport.welcome import root, show_version
from api.upstreams import open_upstreams
from authentication import open_authentication
from authentication.addresses import LOOPBACK
from authentication.options import Options
from graphql_server.admission.request_slots import RequestSlots
from graphql_server.admission.weighted_semaphore import WeightedSemaphore
from graphql_server.graphiql import assets_route
from graphql_server.http.cross_site import at_hosts, with_browser_rules
from graphql_server.http.fallbacks import HANDLERS
from graphql_server.http.operations_port import by_port
from graphql_server.http.request_id import with_request_id
from graphql_server.http.until_sent import held_until_sent
from graphql_server.uvicorn_server.header_limits import ConnectionLimits
from notifications import demand_public_receivers, notification_work
from resilience.deadline import with_deadline
from resilience.health import Health
from resilience.http.call import Transports, unchanged
from resilience.http.proxies import named_proxies
from resilience.postgres.pool import Connection
from resilience.tls import secure_context

OPERATORS_PATHS = ("/metrics", "/ready", "/live")
IDENTITY_HEADERS = ("X-User-Id", "X-User-Groups")
STOP_TIMEOUT = 8.0  # seconds; then the worker returns its tasks to the engine

_log = logging.getLogger(__name__)


class LifespanState(TypedDict):
    """Starlette's lifespan state: for the requests, and for uvicorn's protocol."""

    held: State
    connection_limits: ConnectionLimits


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
    graphql = graphql_endpoint(settings)
    named_proxies()  # raises Misconfigured at the start

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[LifespanState]:
        await demand_public_receivers(settings)
        async with (
            open_upstreams(settings, transports=transports, connection_class=connection_class) as upstreams,
            open_authentication(
                msgspec.convert(settings, Options, from_attributes=True),
                tls=secure_context(settings.tls_ca_file, None, None),
                user_agent=SERVICE,
                observe=upstream_called,
                transports=transports,
            ) as authentication,
        ):
            stopped = stop or asyncio.Event()
            working = work(upstreams, settings, stopped, notification_work(settings)) if settings.worker else None
            worker = asyncio.create_task(working) if working else None
            request_slots, large_answers, health = (
                RequestSlots(settings.max_requests, most_each=settings.max_requests_per_caller),
                WeightedSemaphore(settings.max_cost_at_once),
                Health(
                    {
                        "retool": upstreams.retool.ping,
                        "camunda": upstreams.camunda.version,
                        "aidbox": upstreams.aidbox.ping,
                    }
                ),
            )
            yield {
                "held": State(settings, upstreams, authentication, request_slots, large_answers, health, note),
                "connection_limits": msgspec.convert(settings, ConnectionLimits, from_attributes=True),
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
    app = Starlette(routes=routes, lifespan=lifespan, exception_handlers=HANDLERS)
    # Behind a TLS terminator a redirect would lead to http://, where a client would send its key in clear text.
    app.router.redirect_slashes = False
    whole = _for_browsers(by_port(app, settings.operations_port, OPERATORS_PATHS, private=("/metrics",)), settings)
    return with_request_id(with_request_deadline(held_until_sent(whole), settings.request_seconds))


def _for_browsers(app: ASGIApp, settings: Settings) -> ASGIApp:
    """The service with the rules for browsers. AUTH=headers believes any page that comes this far."""
    if "headers" not in settings.auth:
        return with_browser_rules(app, origins=settings.cors_origins)
    message = "With AUTH=headers this service answers only to the hosts localhost, 127.0.0.1 and [::1]."
    local = at_hosts(app, LOOPBACK, message)
    return with_browser_rules(local, origins=settings.cors_origins, headers=IDENTITY_HEADERS)


async def _stop_worker(worker: asyncio.Task[None]) -> None:
    """Let the worker finish its tasks; what is not done in time is left to another worker."""
    done, _ = await asyncio.wait([worker], timeout=STOP_TIMEOUT)
    if not done:
        _log.warning("the worker was stopped in the middle of its work")
        worker.cancel()
        await asyncio.wait([worker], timeout=2 * UNLOCK_SECONDS)


def with_request_deadline(app: ASGIApp, seconds: float) -> ASGIApp:
    """The service with a deadline for every request."""

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        with with_deadline(seconds):
            await app(scope, receive, send)

    return handle
