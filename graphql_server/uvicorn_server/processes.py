"""Several processes that share a port, under uvicorn's supervisor, which replaces one that dies or hangs.

What is here is what it does not do: a socket for each process, common metrics, an end with the supervisor.
"""

import multiprocessing
import os
import signal
import socket
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import uvicorn
from uvicorn.supervisors import Multiprocess

from graphql_server.uvicorn_server.shared_metrics import forget_the_dead, shared_metrics
from graphql_server.uvicorn_server.sockets import per_process

HEALTHCHECK_TIMEOUT = 20  # seconds without an answer, of a process that starts or hangs, before it is replaced


def serve_side_by_side(
    factory: str, processes: int, sockets: Sequence[socket.socket], options: Mapping[str, Any], *, name: str
) -> None:
    """Serve in so many processes until this one is asked to stop.

    `factory`: `module:function`, which makes the application. `name`: of the service, for the folder of its metrics.
    Raises CannotServe, and SystemExit when the processes can not start.
    """
    config = uvicorn.Config(
        factory, factory=True, workers=processes, timeout_worker_healthcheck=HEALTHCHECK_TIMEOUT, **options
    )
    with shared_metrics(f"{name}-"):
        supervisor = Multiprocess(config, sockets=[per_process(each) for each in sockets])
        supervisor.run()
    if any(process.exitcode == uvicorn.config.STARTUP_FAILURE for process in supervisor.processes):
        raise SystemExit(1)


def begin_process() -> None:
    """What each of the processes does first."""
    forget_the_dead()
    threading.Thread(target=_end_with_the_supervisor, daemon=True).start()


def _end_with_the_supervisor() -> None:
    """Stop this process when its supervisor ends: nobody else could, or could take its port."""
    supervisor = multiprocessing.parent_process()
    if supervisor is not None:
        supervisor.join()
        os.kill(os.getpid(), signal.SIGTERM)
