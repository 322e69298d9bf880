"""Prometheus's metrics of several processes, which share a folder, so that each can answer for all."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from graphql_server.uvicorn_server.sockets import CannotServe

FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # the variable that names the folder
SHARED_MEMORY = "/dev/shm"  # noqa: S108  # can be written in a container whose file system can not


@contextmanager
def shared_metrics(prefix: str) -> Iterator[None]:
    """A folder for the metrics of the processes started meanwhile, so that each can answer /metrics for all."""
    where = SHARED_MEMORY if os.access(SHARED_MEMORY, os.W_OK) else None
    try:
        folder = tempfile.TemporaryDirectory(prefix=prefix, dir=where)
    except OSError as error:
        raise CannotServe(f"PROCESSES needs a folder for /metrics that can be written: {error}") from None
    with folder as name:
        os.environ[FOLDER] = name
        yield


def metrics_text() -> bytes:
    """All metrics of this process, or of all that have a folder in common, in Prometheus's text format."""
    if FOLDER not in os.environ:
        return generate_latest()
    together = CollectorRegistry()
    MultiProcessCollector(together)  # type: ignore[no-untyped-call]  # has no types
    return generate_latest(together)


def forget_the_dead() -> None:
    """Of processes that are no more, leave out what they were doing; what they have done still counts."""
    for file in Path(os.environ[FOLDER]).glob("gauge_live*_*.db"):
        process_id = int(file.stem.rpartition("_")[2])
        try:
            os.kill(process_id, 0)
        except ProcessLookupError:
            with suppress(FileNotFoundError):  # another one that starts was faster
                mark_process_dead(process_id)  # type: ignore[no-untyped-call]  # as above
