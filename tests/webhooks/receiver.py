"""A receiver of webhooks on this machine: what it got, and what it answers at present."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqr"
HOST = "127.0.0.1"


@dataclass(frozen=True)
class Delivery:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: str

    @property
    def event(self) -> dict[str, Any]:
        """The CloudEvent, once its signature was found right."""
        event: dict[str, Any] = Webhook(SECRET).verify(self.body, self.headers)
        return event

    @property
    def json(self) -> Any:
        """The body of another format."""
        return json.loads(self.body)

    @property
    def id(self) -> str:
        """The id that repeats have in common."""
        return self.headers["webhook-id"]


@dataclass
class Receiver:
    """`status` and `location` are what it answers; while `passes` is cleared, it answers nothing at all."""

    port: int
    status: int = 204
    location: str | None = None
    got: list[Delivery] = field(default_factory=list)
    passes: threading.Event = field(default_factory=threading.Event)

    def entry(self, **further: object) -> dict[str, object]:
        """As WEBHOOK_URLS lists it."""
        return {"name": f"local-{self.port}", "url": f"http://{HOST}:{self.port}/hook", "secret": SECRET, **further}

    def events_of(self, draft_id: str) -> list[dict[str, Any]]:
        """The events of a draft in the order in which they came first."""
        events = (delivery.event for delivery in [*self.got])
        return [*{event["id"]: event for event in events if event["subject"] == draft_id}.values()]


@contextmanager
def receiving(port: int = 0, receiver: Receiver | None = None) -> Iterator[Receiver]:
    """Receive until the block ends; `port` and `receiver` of one that was ended before, to go on."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            headers = {name.lower(): value for name, value in self.headers.items()}
            known.got.append(Delivery(self.path, headers, body))
            if not known.passes.wait(timeout=60):
                return
            self.send_response(known.status)
            if known.location:
                self.send_header("Location", known.location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_GET(self) -> None:
            known.got.append(Delivery(f"GET {self.path}", {}, ""))
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A client that left is no news."""

    server = Server((HOST, port), Handler)
    known = receiver or Receiver(server.server_address[1])
    known.passes.set()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield known
    finally:
        known.passes.set()
        server.shutdown()
        server.server_close()
        thread.join()
