"""The root address `/`, for people and programs that only know the host, and `/version`."""

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response

from api import __version__
from api.transport.state import state_of

ADDRESSES = "GraphQL: /graphql. Submit a draft: POST /api/plans/{id}/submit. Health: /live, /ready. Version: /version."


async def root(request: Request) -> Response:
    """A browser is sent to GraphiQL, where there is one; anybody else gets a line of where things are.

    The redirect is relative and keeps the scheme and the path before it, whatever terminates TLS or adds a prefix.
    """
    is_browser = "text/html" in request.headers.get("accept", "")
    if is_browser and state_of(request).settings.graphiql:
        return RedirectResponse("graphql", 307)
    return PlainTextResponse(f"plan-api {__version__}. {ADDRESSES}\n")


async def show_version(_request: Request) -> Response:
    """The version of the service."""
    return JSONResponse({"version": __version__})
