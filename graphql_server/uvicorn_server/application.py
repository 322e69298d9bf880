"""What a process does for the application it serves: shutdown that begins at the signal, rare garbage collection."""

import asyncio
import gc
import signal
from types import FrameType

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send


def stopping_at_the_signal(app: ASGIApp, stop: asyncio.Event) -> ASGIApp:
    """The app, which sets `stop` when a signal comes; uvicorn tells the app only after the last request."""

    def listen(number: int) -> None:
        finish = signal.getsignal(number)

        def handle(number: int, frame: FrameType | None) -> None:
            stop.set()
            if callable(finish):
                finish(number, frame)

        signal.signal(number, handle)

    async def listening(scope: Scope, receive: Receive, send: Send) -> None:
        # uvicorn's own handlers are in place when the lifespan begins.
        if scope["type"] == "lifespan":
            for number in uvicorn.server.HANDLED_SIGNALS:
                listen(number)
        await app(scope, receive, send)

    return listening


def collect_garbage_rarely() -> None:
    """Exempt what is loaded from garbage collection, and collect less often: an answer of 1,000 rows is no leak."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
