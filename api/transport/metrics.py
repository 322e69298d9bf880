"""The endpoint `/metrics`: the metrics of api/telemetry.py in Prometheus's format. METRICS=false switches it off."""

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import Response

from graphql_server.uvicorn_server.shared_metrics import metrics_text


async def metrics(_request: Request) -> Response:
    """The metrics of all processes of this replica, whichever of them answers."""
    return Response(metrics_text(), headers={"Content-Type": CONTENT_TYPE_LATEST})
