"""`/metrics`: the numbers of api/telemetry.py as Prometheus reads them. Switched off by METRICS=false."""

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import Response

from api.telemetry import numbers


async def metrics(_request: Request) -> Response:
    """This replica's own; those of all its processes, whichever of them is asked."""
    return Response(numbers(), headers={"Content-Type": CONTENT_TYPE_LATEST})
