"""The id of each request: the caller's own or a new one, in `X-Request-Id`, in errors and in log lines."""

import re
import uuid
from contextvars import ContextVar

from starlette.types import ASGIApp, Message, Receive, Scope, Send

request_id: ContextVar[str] = ContextVar("request_id", default="-")

_ACCEPTED = re.compile(r"[A-Za-z0-9._-]{1,64}")


def with_request_id(app: ASGIApp) -> ASGIApp:
    """The service with an id for every request, sent back in `X-Request-Id`."""

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        own = begin_request(dict(scope["headers"]).get(b"x-request-id", b"").decode("latin-1"))

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-request-id", own.encode())]
            await send(message)

        await app(scope, receive, send_with_id)

    return handle


def begin_request(offered: str | None) -> str:
    """The id of the request now begun: the caller's own when it is a plain word, else a new one."""
    chosen = offered if offered and _ACCEPTED.fullmatch(offered) else uuid.uuid4().hex
    request_id.set(chosen)
    return chosen
