"""Log lines in JSON, each with the id of its request."""

import logging
from collections.abc import Sequence

from pythonjsonlogger.json import JsonFormatter

from graphql_server.http.request_id import request_id


def start_logging(level: str, *, always: Sequence[str] = ()) -> None:
    """Every log line as one JSON object on standard error, uvicorn's own lines included.

    `always`: loggers whose lines are written whatever the level is.
    """
    handler = logging.StreamHandler()
    handler.addFilter(_with_request_id)
    handler.setFormatter(
        JsonFormatter(
            "%(asctime)s %(levelname)s %(name)s %(request_id)s %(message)s", rename_fields={"asctime": "time"}
        )
    )
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    for name in always:
        logging.getLogger(name).setLevel(logging.INFO)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True


def _with_request_id(record: logging.LogRecord) -> bool:
    record.request_id = request_id.get()
    return True
