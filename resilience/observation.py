"""What is said of a call when it ends: to the service's metrics, and to the log when it failed."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from resilience.failures import UpstreamFailed

Observe = Callable[[str, str, float], None]
"""The name of a system, the outcome of a call to it (`ok` or the code of its failure) and its seconds → counted."""

_log = logging.getLogger(__name__)


@contextmanager
def observed(upstream: str, observe: Observe) -> Iterator[None]:
    """A call to a system with all its tries, reported to `observe` when the block ends."""
    began, outcome = time.perf_counter(), "ok"
    try:
        yield
    except UpstreamFailed as failure:
        outcome = failure.code
        raise
    finally:
        observe(upstream, outcome, time.perf_counter() - began)


def logged(failure: UpstreamFailed, **about: object) -> UpstreamFailed:
    """The failure, once it is in the log. `about`: what else is known of the call."""
    _log.warning("upstream call failed", extra={"upstream": failure.upstream, "code": failure.code, **about})
    return failure
