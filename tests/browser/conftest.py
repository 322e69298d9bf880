"""What the browser tests share: an address to open, and a Chromium that reaches nothing else."""

import os
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
import strawberry
import uvicorn
from playwright.sync_api import Browser, ConsoleMessage, Error, Page, Route, sync_playwright
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route as Path

from api.transport import graphiql


@strawberry.type
class Viewer:
    """The person a request acts for, as in the schema proper."""

    id: strawberry.ID


@strawberry.type
class Query:
    """Enough of the schema for the page to have something to ask."""

    @strawberry.field
    def viewer(self, info: strawberry.Info[dict[str, Request], None]) -> Viewer:
        """Who asks."""
        return Viewer(id=strawberry.ID(info.context["request"].headers.get("x-user-id", "reviewer")))


SCHEMA = strawberry.Schema(query=Query)


@dataclass
class Watch:
    """What a page did that it should not have done."""

    origin: str
    complaints: list[str] = field(default_factory=list)

    def on_console(self, message: ConsoleMessage) -> None:
        """An error or a warning in the console; refusals by the content security policy are among them."""
        if message.type in ("error", "warning"):
            self.complaints.append(f"console {message.type}: {message.text}")

    def on_error(self, error: Error) -> None:
        """An exception that nothing in the page caught."""
        self.complaints.append(f"uncaught: {error}")

    def on_request(self, route: Route) -> None:
        """Every request: those to another host are noted and cut off."""
        url = route.request.url
        if url.startswith((self.origin + "/", "data:", "blob:")):
            route.continue_()
        else:
            self.complaints.append(f"foreign request: {url}")
            route.abort()


@pytest.fixture(scope="session")
def graphiql_url() -> Iterator[str]:
    """The address of a running GraphiQL page. It opens as `reviewer` and its schema has `viewer { id }`."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(_application(), log_level="error", ws="none", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        while not server.started and thread.is_alive():
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/graphql"
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The machine's own Chromium, without a name service: it can reach addresses of this machine alone.

    For one module: while it is there playwright's event loop runs in this thread, and `asyncio.run` is refused.
    """
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        complain = pytest.fail if os.environ.get("CI") else pytest.skip
        complain("Chromium is not installed (Debian and Ubuntu: apt-get install chromium).")
    alone = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
    with sync_playwright() as playwright, playwright.chromium.launch(executable_path=program, args=[alone]) as browser:
        yield browser


@pytest.fixture
def opened(chromium: Browser, graphiql_url: str) -> Iterator[Page]:
    """The page, loaded and ready. The test fails when the page complains or asks another host for anything."""
    parts = urlsplit(graphiql_url)
    watch = Watch(f"{parts.scheme}://{parts.netloc}")
    with chromium.new_context(viewport={"width": 1280, "height": 800}) as context:
        page = context.new_page()
        context.route("**/*", watch.on_request)
        page.on("console", watch.on_console)
        page.on("pageerror", watch.on_error)
        page.goto(graphiql_url)
        page.locator(".graphiql-query-editor .view-line").first.wait_for()
        yield page
    assert watch.complaints == []


def _application() -> Starlette:
    return Starlette(
        routes=[Path("/graphql", _page), Path("/graphql", _answer, methods=["POST"]), graphiql.assets_route("/assets")]
    )


def _page(_request: Request) -> Response:
    note = "You act as `reviewer` unless you set `X-User-Id`."
    return graphiql.page(endpoint="/graphql", assets="/assets", note=note, tabs=graphiql.examples())


async def _answer(request: Request) -> Response:
    asked = await request.json()
    result = await SCHEMA.execute(asked["query"], asked.get("variables"), context_value={"request": request})
    errors = {"errors": [error.formatted for error in result.errors]} if result.errors else {}
    return JSONResponse({"data": result.data} | errors)
