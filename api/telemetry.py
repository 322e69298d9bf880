"""Telemetry: the log and the metrics.

The metrics are Prometheus's, at `/metrics`; none of them names a person, a draft or a plan.
"""

from functools import cache

from prometheus_client import Counter, Gauge, Histogram

from graphql_server.http import json_log

SERVICE = "plan-api"  # how the service calls itself to other systems

UPSTREAM_CALLS = Counter(
    "plan_api_upstream_calls", "Calls to a system, by outcome: ok, or an error code.", ["upstream", "outcome"]
)
UPSTREAM_SECONDS = Histogram("plan_api_upstream_seconds", "Duration of a call, retries included.", ["upstream"])
VERSION_CACHE = Counter("plan_api_version_cache", "Look-ups in the cache of plan versions: hit or miss.", ["outcome"])
EXTERNAL_TASKS = Counter(
    "plan_api_external_tasks",
    "External tasks carried out, by outcome: done, bpmn_error, incident, retry, or lost to another worker.",
    ["topic", "outcome"],
)
EXTERNAL_TASK_AGE = Histogram(
    "plan_api_external_task_age_seconds",
    "Age of an external task when it was carried out.",
    ["topic"],
    buckets=(0.1, 0.3, 1, 3, 10, 30, 60, 300, 3600, 86400),
)
WORKER_POLLS = Counter(
    "plan_api_worker_polls", "Polls of the worker for external tasks: found, nothing or failed.", ["outcome"]
)
WORKER_BUSY = Gauge(
    "plan_api_worker_busy", "External tasks that this replica's worker is carrying out.", multiprocess_mode="livesum"
)
RECONCILED = Counter(
    "plan_api_reconciled", "Drafts whose process had ended without updating them, by the status they got.", ["outcome"]
)
RECONCILIATIONS = Counter(
    "plan_api_reconciliations", "Rounds of reconciliation: done, elsewhere (by another replica) or failed.", ["outcome"]
)
DRAFTS_WAITING = Gauge(
    "plan_api_drafts_waiting", "Drafts in approval at the last reconciliation.", multiprocess_mode="mostrecent"
)
DRAFTS_UNKNOWN = Gauge(
    "plan_api_drafts_unknown",
    "Drafts in approval whose process the engine did not know at the last reconciliation.",
    multiprocess_mode="mostrecent",
)
DRAFTS_UNLINKED = Gauge(
    "plan_api_drafts_unlinked",
    "Drafts in approval that named another draft's process at the last reconciliation.",
    multiprocess_mode="mostrecent",
)

# finding a number by its labels takes longer than counting
_calls = cache(UPSTREAM_CALLS.labels)
_seconds = cache(UPSTREAM_SECONDS.labels)


def upstream_called(upstream: str, outcome: str, seconds: float) -> None:
    """Count a call to a system, with all its tries."""
    _calls(upstream, outcome).inc()
    _seconds(upstream).observe(seconds)


def versions_looked_up(kept: int, missing: int) -> None:
    """Count a look for versions of plans among those that are kept."""
    VERSION_CACHE.labels("hit").inc(kept)
    VERSION_CACHE.labels("miss").inc(missing)


def start_logging(level: str) -> None:
    """The service's log; its audit log is not for LOG_LEVEL to leave out."""
    json_log.start_logging(level, always=["api.audit"])
