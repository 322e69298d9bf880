"""How the service is served: by uvicorn, in this process, or in several that share the port. Called by `__main__`.

Several processes are replicas that happen to be on one machine: each has its own connections, worker and limits, and
they share nothing but the port and the numbers at /metrics. uvicorn's supervisor starts another for one that dies.
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
from api.transport.header_limits import server_options

LONGEST_FINISH = 20  # seconds for requests under way when the service is asked to stop
LONGEST_SILENCE = 20  # seconds, of a process that starts or hangs, before another takes its place
NO_SUCH_ADDRESS = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)  # a name may have addresses that this machine has not
SHARED_MEMORY = "/dev/shm"  # noqa: S108  # can be written in a container whose file system can not

_log = logging.getLogger(__name__)


def serve(settings: Settings, *, note: str = "", sockets: Sequence[socket.socket] = ()) -> bool:
    """In this process, until it is asked to stop; requests under way are finished. Whether it began.

    `note`: a sentence for the IDE's page. `sockets`: as `bind` made them earlier. Raises Misconfigured.
    """
    listening = [*sockets] or bind(settings.host, ports_of(settings))
    server = uvicorn.Server(uvicorn.Config(_made_ready(settings, note), workers=1, **_options(settings)))
    for each in listening:
        _log.info("listening", extra={"address": each.getsockname()[:2]})
    server.run(sockets=listening)
    return server.started


def ports_of(settings: Settings) -> dict[str, int]:
    """The ports that `serve` listens on, by the names of their settings."""
    own = {"PORT": settings.port}
    return own if settings.operations_port is None else {**own, "OPERATIONS_PORT": settings.operations_port}


def bind(host: str, ports: Mapping[str, int]) -> list[socket.socket]:
    """Sockets at these ports, before anything else is started. Nobody is answered yet.

    `ports`: by what people choose them with. Raises Misconfigured, in one line, when one is taken or can not be had.
    """
    return [made for name, port in ports.items() for made in _bound(host, name, port)]


def _bound(host: str, name: str, port: int) -> Iterator[socket.socket]:
    """One for each address of the host, as `localhost` may have two; for any free port only one."""
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
    """In PROCESSES processes, each with the settings of its environment, until this one is asked to stop.

    Raises Misconfigured, also when a port is taken, and SystemExit when the processes can not begin.
    """
    build_app(settings)  # what is wrong is told once, here
    config = uvicorn.Config(
        "api.serving:served",
        factory=True,
        workers=settings.processes,
        timeout_worker_healthcheck=LONGEST_SILENCE,
        **_options(settings),
    )
    sockets = bind(settings.host, ports_of(settings))
    with _shared_numbers():
        supervisor = Multiprocess(config, sockets=[_own_sockets(each) for each in sockets])
        supervisor.run()
    if any(process.exitcode == uvicorn.config.STARTUP_FAILURE for process in supervisor.processes):
        raise SystemExit(1)


class OwnSocket(NamedTuple):
    """What stands for a socket in the supervisor and becomes a new one, for the same address, in each process.

    Linux spreads new connections over such sockets. Of a socket in common, the process that wakes first takes nearly
    all: 15 of 16 clients were seen at one of two.
    """

    family: int
    address: tuple[Any, ...]

    def __reduce__(self) -> tuple[Any, ...]:
        return bound_beside, (self.family, self.address)


def _own_sockets(bound: socket.socket) -> Any:
    """In place of a socket, which was bound to see that nobody else has the port; itself where sharing is not so."""
    if sys.platform != "linux":
        return bound
    family, address = bound.family, bound.getsockname()
    bound.close()
    return OwnSocket(family, address)


def bound_beside(family: int, address: tuple[Any, ...]) -> socket.socket:
    """A socket beside others of the same address."""
    own = socket.socket(family)
    own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    own.bind(address)
    return own


def served() -> ASGIApp:
    """The service in one of several processes. Called there by uvicorn."""
    settings = configuration.read()
    start_logging(settings.log_level)
    forget_the_dead()
    threading.Thread(target=_end_with_the_supervisor, daemon=True).start()
    return _made_ready(settings)


def _made_ready(settings: Settings, note: str = "") -> ASGIApp:
    stop = asyncio.Event()
    app = _told_at_once(build_app(settings, note=note, stop=stop), stop)
    _leave_garbage_longer()
    return app


def _options(settings: Settings) -> dict[str, Any]:
    own = {"host": settings.host, "port": settings.port, "timeout_graceful_shutdown": LONGEST_FINISH}
    return {**own, **server_options()}


@contextmanager
def _shared_numbers() -> Iterator[None]:
    """A folder where the processes that are started meanwhile keep their numbers, so that each can tell them all."""
    where = SHARED_MEMORY if os.access(SHARED_MEMORY, os.W_OK) else None
    try:
        folder = tempfile.TemporaryDirectory(prefix="plan-api-", dir=where)
    except OSError as error:
        raise Misconfigured(f"PROCESSES needs a folder for /metrics that can be written: {error}") from None
    with folder as name:
        os.environ[FOLDER] = name
        yield


def _end_with_the_supervisor() -> None:
    """Without it nobody could stop this process, or take its port."""
    supervisor = multiprocessing.parent_process()
    if supervisor is not None:
        supervisor.join()
        os.kill(os.getpid(), signal.SIGTERM)


def _told_at_once(app: ASGIApp, stop: asyncio.Event) -> ASGIApp:
    """Set `stop` when the signal comes. By itself uvicorn tells the app after the last request."""

    def listen(number: int) -> None:
        finish = signal.getsignal(number)

        def handle(number: int, frame: FrameType | None) -> None:
            stop.set()
            if callable(finish):
                finish(number, frame)

        signal.signal(number, handle)

    async def told(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":  # it begins when uvicorn has its own handlers in place
            for number in uvicorn.server.HANDLED_SIGNALS:
                listen(number)
        await app(scope, receive, send)

    return told


def _leave_garbage_longer() -> None:
    """What is loaded by now stays for good; an answer of a thousand rows is no reason to look for cycles many times."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
