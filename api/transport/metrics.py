"""`/metrics`: the numbers of api/telemetry.py as Prometheus reads them. Switched off by METRICS=false."""

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import Response


async def metrics(_request: Request) -> Response:
    """This replica's own; a replica is one process, so they need no gathering."""
    return Response(generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})
