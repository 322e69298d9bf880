"""What the browser tests share: an address to open, and a Chromium that reaches nothing else."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Error, Page, Route, sync_playwright

from api.settings import Settings
from tests.serving import serving


@dataclass
class Watch:
    """What a page did that it should not have done."""

    origin: str
    complaints: list[str] = field(default_factory=list)

    def on_console(self, message: ConsoleMessage) -> None:
        """An error or a warning in the console; refusals by the content security policy are among them.

        That a wrong query is answered with 400 is one to Chromium, but none to us.
        """
        if message.type in ("error", "warning") and "a status of 400" not in message.text:
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
def graphiql_url(settings: Settings) -> Iterator[str]:
    """The address of the API and its GraphiQL page, which opens as `reviewer`."""
    reviewer = {"auth_default_user": "reviewer", "auth_default_groups": frozenset({"benefit-reviewers"})}
    with serving(settings.model_copy(update=reviewer), note="You act as `reviewer` unless you set `X-User-Id`.") as api:
        yield str(api.client.base_url.join("/graphql"))


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


@contextmanager
def opening(chromium: Browser, url: str) -> Iterator[Page]:
    """The page, loaded and ready. Fails when the page complains or asks another host for anything."""
    parts = urlsplit(url)
    watch = Watch(f"{parts.scheme}://{parts.netloc}")
    with chromium.new_context(viewport={"width": 1280, "height": 800}) as context:
        page = context.new_page()
        context.route("**/*", watch.on_request)
        page.on("console", watch.on_console)
        page.on("pageerror", watch.on_error)
        page.goto(url)
        page.locator(".graphiql-query-editor .view-line").first.wait_for()
        yield page
    assert watch.complaints == []


@pytest.fixture
def opened(chromium: Browser, graphiql_url: str) -> Iterator[Page]:
    """The page at its own address."""
    with opening(chromium, graphiql_url) as page:
        yield page
