"""A real little OpenID Connect issuer: discovery and keys over HTTP, which can rotate, go away, say wrong things."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.auth.signing import SigningKey, token

AUDIENCE = "https://plan-api.example.org"
DISCOVERY = "/.well-known/openid-configuration"
KEYS = "/keys"


@dataclass
class LittleIssuer:
    """What it publishes and what it was asked. `delay` in seconds; `status` other than 200 is all it answers then.

    While `hangs` is set it answers nothing.
    """

    url: str = ""
    keys: list[dict[str, Any]] = field(default_factory=list)
    configuration: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    status: int = 200
    delay: float = 0
    hangs: threading.Event = field(default_factory=threading.Event)

    def claims(self, **changed: object) -> dict[str, Any]:
        """The claims of a good token; those changed to None are left out."""
        now = int(time.time())
        usual = {"iss": self.url, "aud": AUDIENCE, "sub": "0001", "email": "ann@example.org", "name": "Ann Author"}
        times = {"iat": now - 5, "nbf": now - 5, "exp": now + 300}
        whole = {**usual, **times, "groups": ["benefit-reviewers"], **changed}
        return {name: value for name, value in whole.items() if value is not None}

    def token(self, key: SigningKey, **changed: object) -> str:
        """A token that it signed, with these claims changed."""
        return token(key, self.claims(**changed))

    def fetches(self) -> int:
        """How often its keys were asked for."""
        return self.asked.count(KEYS)

    def answer(self, request: Request) -> Response:
        self.asked.append(request.url.path)
        time.sleep(self.delay)  # the delay is the fault under test; starlette runs this in a thread
        while self.hangs.is_set():
            time.sleep(0.01)
        if self.status != 200:
            return Response("away", self.status)
        if request.url.path == KEYS:
            return JSONResponse({"keys": self.keys})
        return JSONResponse({"issuer": self.url, "jwks_uri": self.url + KEYS, **self.configuration})


@contextmanager
def little_issuer(*keys: SigningKey) -> Iterator[LittleIssuer]:
    """An issuer that publishes these keys, until the block ends."""
    issuer = LittleIssuer(keys=[key.published() for key in keys])
    app = Starlette(routes=[Route("/{path:path}", issuer.answer)])
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "the issuer did not start"
            thread.join(0.01)
        issuer.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        yield issuer
    finally:
        server.should_exit = True
        thread.join()
