"""What a request holds until its answer is sent: slots and the like, released when the client has received it."""

from contextlib import ExitStack

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

UNTIL_SENT = "graphql_server.until_sent"  # key in an ASGI scope
LARGE_BODY = 65_536  # bytes; the server's buffer holds as many before it waits for the client


def until_sent(request: Request) -> ExitStack:
    """The stack that is closed when the answer to this request is sent."""
    stack = request.scope[UNTIL_SENT]
    assert isinstance(stack, ExitStack)  # noqa: S101  # put there below; for the type checker
    return stack


def held_until_sent(app: ASGIApp) -> ASGIApp:
    """The service with a stack for each request."""

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return

        async def send_all(message: Message) -> None:
            await send_whole(message, send)

        with ExitStack() as scope[UNTIL_SENT]:
            await app(scope, receive, send_all)

    return handle


async def send_whole(message: Message, send: Send) -> None:
    """Send an ASGI message; after a large body return only when the client has received nearly all of it.

    The server waits for that before the next message, so the end of a large body is a message of its own.
    """
    is_last = message["type"] == "http.response.body" and not message.get("more_body", False)
    if is_last and len(message.get("body", b"")) > LARGE_BODY:
        await send({**message, "more_body": True})
        message = {"type": "http.response.body", "body": b"", "more_body": False}
    await send(message)
