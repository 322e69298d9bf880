"""What the service tells about itself: a request id for every request, JSON log lines that carry it, and numbers.

Called by `app` at the start, by `transport` for each request, by `upstreams` for each call, and by the worker. The
numbers are Prometheus's, at `/metrics`; none of them names a person, a draft or a plan.
"""

import logging
import os
import re
import uuid
from contextlib import suppress
from contextvars import ContextVar
from functools import cache
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from pythonjsonlogger.json import JsonFormatter

request_id: ContextVar[str] = ContextVar("request_id", default="-")

UPSTREAM_CALLS = Counter(
    "plan_api_upstream_calls", "Calls to a system, by what became of them: ok, or an error code.", ["upstream", "told"]
)
UPSTREAM_SECONDS = Histogram("plan_api_upstream_seconds", "How long they took, all tries included.", ["upstream"])
KEPT_VERSIONS = Counter(
    "plan_api_kept_versions", "Versions of plans that were asked for: kept from an earlier request, or not.", ["told"]
)
EXTERNAL_TASKS = Counter(
    "plan_api_external_tasks",
    "External tasks carried out, by what was reported: done, left, gave_up, postponed, or lost to another worker.",
    ["topic", "told"],
)
EXTERNAL_TASK_AGE = Histogram(
    "plan_api_external_task_age_seconds",
    "How old they were then.",
    ["topic"],
    buckets=(0.1, 0.3, 1, 3, 10, 30, 60, 300, 3600, 86400),
)
WORKER_LOOKS = Counter("plan_api_worker_looks", "Looks for work left behind: found, nothing or failed.", ["told"])
WORKER_BUSY = Gauge(
    "plan_api_worker_busy", "External tasks that this replica's worker has in hand.", multiprocess_mode="livesum"
)
RECONCILED = Counter("plan_api_reconciled", "Drafts whose process ended without them, by what they became.", ["told"])
SWEEPS = Counter("plan_api_sweeps", "Looks for such drafts: done, elsewhere (by another replica) or failed.", ["told"])
DRAFTS_WAITING = Gauge(
    "plan_api_drafts_waiting", "Drafts in approval that the last sweep saw.", multiprocess_mode="mostrecent"
)
DRAFTS_UNKNOWN = Gauge(
    "plan_api_drafts_unknown", "Those of them whose process the engine does not know.", multiprocess_mode="mostrecent"
)
DRAFTS_UNLINKED = Gauge(
    "plan_api_drafts_unlinked", "And those that name another draft's process.", multiprocess_mode="mostrecent"
)

FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # the variable that names a folder for the numbers of several processes

# finding a number by its labels takes longer than counting
_calls = cache(UPSTREAM_CALLS.labels)
_seconds = cache(UPSTREAM_SECONDS.labels)

_ACCEPTED = re.compile(r"[A-Za-z0-9._-]{1,64}")


def begin_request(offered: str | None) -> str:
    """The id of the request now begun: the caller's own when it is a plain word, else a new one."""
    chosen = offered if offered and _ACCEPTED.fullmatch(offered) else uuid.uuid4().hex
    request_id.set(chosen)
    return chosen


def upstream_called(upstream: str, told: str, seconds: float) -> None:
    """Count a call to a system, with all its tries."""
    _calls(upstream, told).inc()
    _seconds(upstream).observe(seconds)


def versions_looked_up(kept: int, missing: int) -> None:
    """Count a look for versions of plans among those that are kept."""
    KEPT_VERSIONS.labels("hit").inc(kept)
    KEPT_VERSIONS.labels("miss").inc(missing)


def numbers() -> bytes:
    """All numbers of this process, or of all that have a folder in common, in Prometheus's text format."""
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


def start_logging(level: str) -> None:
    """Every log line as one JSON object on standard error, uvicorn's own lines included."""
    handler = logging.StreamHandler()
    handler.addFilter(_with_request_id)
    handler.setFormatter(
        JsonFormatter(
            "%(asctime)s %(levelname)s %(name)s %(request_id)s %(message)s", rename_fields={"asctime": "time"}
        )
    )
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.getLogger("api.audit").setLevel(logging.INFO)  # it is not for LOG_LEVEL to leave out
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True


def _with_request_id(record: logging.LogRecord) -> bool:
    record.request_id = request_id.get()
    return True
