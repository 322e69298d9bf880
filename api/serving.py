"""Serving with uvicorn, in this process or in several processes that share the port.

Several processes are replicas on one machine: each has its own connections, worker and limits, and they share nothing
but the port and the metrics.
"""

import asyncio
import logging
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from api import settings as configuration
from api.app import build_app
from api.errors import Misconfigured
from api.settings import Settings
from api.telemetry import start_logging
from graphql_server.uvicorn_server import processes, sockets
from graphql_server.uvicorn_server.application import collect_garbage_rarely, stopping_at_the_signal
from graphql_server.uvicorn_server.header_limits import server_options
from graphql_server.uvicorn_server.sockets import CannotServe

GRACEFUL_SHUTDOWN = 20  # seconds for requests under way when the service is asked to stop

_log = logging.getLogger(__name__)


def serve(settings: Settings, *, note: str = "", bound: Sequence[socket.socket] = ()) -> bool:
    """Serve in this process until it is asked to stop; requests under way are finished. Whether it started.

    `note`: a sentence for the IDE's page. `bound`: sockets made by `bind` earlier. Raises Misconfigured.
    """
    listening = [*bound] or bind(settings.host, ports_of(settings))
    server = uvicorn.Server(uvicorn.Config(_ready_app(settings, note), workers=1, **_options(settings)))
    for each in listening:
        _log.info("listening", extra={"address": each.getsockname()[:2]})
    server.run(sockets=listening)
    return server.started


def ports_of(settings: Settings) -> dict[str, int]:
    """The ports that `serve` listens on, by the names of their settings."""
    own = {"PORT": settings.port}
    return own if settings.operations_port is None else {**own, "OPERATIONS_PORT": settings.operations_port}


def bind(host: str, ports: Mapping[str, int]) -> list[socket.socket]:
    """Sockets bound to these ports, by the names of their settings. Raises Misconfigured, in one line."""
    with _misconfigured():
        return sockets.bind(host, ports)


@contextmanager
def _misconfigured() -> Iterator[None]:
    try:
        yield
    except CannotServe as error:
        raise Misconfigured(str(error)) from None


def serve_side_by_side(settings: Settings) -> None:
    """Serve in PROCESSES processes, each with the settings of its environment, until this one is asked to stop.

    Raises Misconfigured, also when a port is taken, and SystemExit when the processes can not start.
    """
    build_app(settings)  # a misconfiguration is reported once, here
    listening = bind(settings.host, ports_of(settings))
    with _misconfigured():
        processes.serve_side_by_side(
            "api.serving:served", settings.processes, listening, _options(settings), name="plan-api"
        )


def served() -> ASGIApp:
    """The application of one of several processes, for uvicorn as a factory."""
    settings = configuration.read()
    start_logging(settings.log_level)
    processes.begin_process()
    return _ready_app(settings)


def _ready_app(settings: Settings, note: str = "") -> ASGIApp:
    stop = asyncio.Event()
    app = stopping_at_the_signal(build_app(settings, note=note, stop=stop), stop)
    collect_garbage_rarely()
    return app


def _options(settings: Settings) -> dict[str, Any]:
    own = {"host": settings.host, "port": settings.port, "timeout_graceful_shutdown": GRACEFUL_SHUTDOWN}
    return {**own, **server_options()}
