"""What the service tells about itself: a request id for every request, and JSON log lines that carry it.

Called by `app` at the start, by `transport` for each request, and by `upstreams` when a call fails.
"""

import logging
import re
import uuid
from contextvars import ContextVar

from pythonjsonlogger.json import JsonFormatter

request_id: ContextVar[str] = ContextVar("request_id", default="-")

_ACCEPTED = re.compile(r"[A-Za-z0-9._-]{1,64}")


def begin_request(offered: str | None) -> str:
    """The id of the request now begun: the caller's own when it is a plain word, else a new one."""
    chosen = offered if offered and _ACCEPTED.fullmatch(offered) else uuid.uuid4().hex
    request_id.set(chosen)
    return chosen


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
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True


def _with_request_id(record: logging.LogRecord) -> bool:
    record.request_id = request_id.get()
    return True
