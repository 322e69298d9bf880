"""Serving with uvicorn, in this process or in several processes that share the port.

Several processes are replicas on one machine: each has its own connections, worker and limits, and they share nothing
but the port and the metrics. uvicorn's supervisor replaces one that dies or hangs; what is here is what it does not do:
a socket for each process, common metrics, an end with the supervisor, and shutdown that begins at the signal.
"""

import asyncio
import errno
import gc
import logging
import multiprocessing
import os
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any, NamedTuple

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.supervisors import Multiprocess

from api import settings as configuration
from api.app import build_app
from api.errors import Misconfigured
from api.settings import Settings
from api.telemetry import FOLDER, forget_the_dead, start_logging
from graphql_server.serving.header_limits import server_options

GRACEFUL_SHUTDOWN = 20  # seconds for requests under way when the service is asked to stop
HEALTHCHECK_TIMEOUT = 20  # seconds without an answer, of a process that starts or hangs, before it is replaced
NO_SUCH_ADDRESS = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)  # a name may have addresses that this machine has not
SHARED_MEMORY = "/dev/shm"  # noqa: S108  # can be written in a container whose file system can not

_log = logging.getLogger(__name__)


def serve(settings: Settings, *, note: str = "", sockets: Sequence[socket.socket] = ()) -> bool:
    """Serve in this process until it is asked to stop; requests under way are finished. Whether it started.

    `note`: a sentence for the IDE's page. `sockets`: made by `bind` earlier. Raises Misconfigured.
    """
    listening = [*sockets] or bind(settings.host, ports_of(settings))
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
    """Sockets bound to these ports, by the names of their settings; they do not listen yet.

    Raises Misconfigured, in one line, when a port is taken or can not be bound.
    """
    return [made for name, port in ports.items() for made in _bound(host, name, port)]


def _bound(host: str, name: str, port: int) -> Iterator[socket.socket]:
    """A socket for each address of the host, as `localhost` may have two; for port 0 only one."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise Misconfigured(f"HOST is wrong: {host} is no address of this machine ({error.strerror})") from None
    addresses = list(dict.fromkeys((family, address) for family, _, _, _, address in found))
    for family, address in addresses[:1] if port == 0 else addresses:
        try:
            yield _socket_at(family, address)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                taken = f"port {port} at {host} is taken by another program"
                raise Misconfigured(f"{taken}: choose another with {name}, or stop that one") from None
            if error.errno not in NO_SUCH_ADDRESS or len(addresses) == 1:
                raise Misconfigured(f"port {port} at {host} can not be listened on: {error.strerror}") from None


def _socket_at(family: int, address: tuple[Any, ...]) -> socket.socket:
    # With the protocol named asyncio switches Nagle's algorithm off, which delays every second answer.
    made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind(address)
    except OSError:
        made.close()
        raise
    return made


def serve_side_by_side(settings: Settings) -> None:
    """Serve in PROCESSES processes, each with the settings of its environment, until this one is asked to stop.

    Raises Misconfigured, also when a port is taken, and SystemExit when the processes can not start.
    """
    build_app(settings)  # a misconfiguration is reported once, here
    config = uvicorn.Config(
        "api.serving:served",
        factory=True,
        workers=settings.processes,
        timeout_worker_healthcheck=HEALTHCHECK_TIMEOUT,
        **_options(settings),
    )
    sockets = bind(settings.host, ports_of(settings))
    with _shared_metrics():
        supervisor = Multiprocess(config, sockets=[_per_process(each) for each in sockets])
        supervisor.run()
    if any(process.exitcode == uvicorn.config.STARTUP_FAILURE for process in supervisor.processes):
        raise SystemExit(1)


class SocketPerProcess(NamedTuple):
    """A stand-in for a socket that is pickled as a new socket, for the same address, in each process.

    Linux spreads new connections over such sockets (SO_REUSEPORT). Of one socket in common, the process that wakes
    first takes nearly all: 15 of 16 clients were seen at one of two.
    """

    family: int
    address: tuple[Any, ...]

    def __reduce__(self) -> tuple[Any, ...]:
        return bound_beside, (self.family, self.address)


def _per_process(bound: socket.socket) -> Any:
    """On Linux, a stand-in that each process turns into its own socket; elsewhere the socket itself.

    It was bound to find out whether anybody else has the port.
    """
    if sys.platform != "linux":
        return bound
    family, address = bound.family, bound.getsockname()
    bound.close()
    return SocketPerProcess(family, address)


def bound_beside(family: int, address: tuple[Any, ...]) -> socket.socket:
    """A new socket with SO_REUSEPORT, beside others of the same address."""
    own = socket.socket(family)
    own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    own.bind(address)
    return own


def served() -> ASGIApp:
    """The application of one of several processes, for uvicorn as a factory."""
    settings = configuration.read()
    start_logging(settings.log_level)
    forget_the_dead()
    threading.Thread(target=_end_with_the_supervisor, daemon=True).start()
    return _ready_app(settings)


def _ready_app(settings: Settings, note: str = "") -> ASGIApp:
    stop = asyncio.Event()
    app = _stopping_at_the_signal(build_app(settings, note=note, stop=stop), stop)
    _collect_garbage_rarely()
    return app


def _options(settings: Settings) -> dict[str, Any]:
    own = {"host": settings.host, "port": settings.port, "timeout_graceful_shutdown": GRACEFUL_SHUTDOWN}
    return {**own, **server_options()}


@contextmanager
def _shared_metrics() -> Iterator[None]:
    """A folder for the metrics of the processes started meanwhile, so that each can answer /metrics for all."""
    where = SHARED_MEMORY if os.access(SHARED_MEMORY, os.W_OK) else None
    try:
        folder = tempfile.TemporaryDirectory(prefix="plan-api-", dir=where)
    except OSError as error:
        raise Misconfigured(f"PROCESSES needs a folder for /metrics that can be written: {error}") from None
    with folder as name:
        os.environ[FOLDER] = name
        yield


def _end_with_the_supervisor() -> None:
    """Stop this process when its supervisor ends: nobody else could, or could take its port."""
    supervisor = multiprocessing.parent_process()
    if supervisor is not None:
        supervisor.join()
        os.kill(os.getpid(), signal.SIGTERM)


def _stopping_at_the_signal(app: ASGIApp, stop: asyncio.Event) -> ASGIApp:
    """The app, which sets `stop` when a signal comes; uvicorn tells the app only after the last request."""

    def listen(number: int) -> None:
        finish = signal.getsignal(number)

        def handle(number: int, frame: FrameType | None) -> None:
            stop.set()
            if callable(finish):
                finish(number, frame)

        signal.signal(number, handle)

    async def listening(scope: Scope, receive: Receive, send: Send) -> None:
        # uvicorn's own handlers are in place when the lifespan begins.
        if scope["type"] == "lifespan":
            for number in uvicorn.server.HANDLED_SIGNALS:
                listen(number)
        await app(scope, receive, send)

    return listening


def _collect_garbage_rarely() -> None:
    """Exempt what is loaded from garbage collection, and collect less often: an answer of 1,000 rows is no leak."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
