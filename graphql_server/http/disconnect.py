"""Client disconnects: a query whose client has gone is cancelled, with its upstream calls; a mutation never is."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Protocol, TypeVar

from starlette.requests import ClientDisconnect, Request

Answer = TypeVar("Answer")


class Cancellable(Protocol):
    """The context of a request. `may_be_given_up`: it writes nothing."""

    @property
    def may_be_given_up(self) -> bool:
        """Whether the request may be cancelled; known once it is prepared."""

    def give_up(self) -> None:
        """Cancel what goes on in other tasks."""


async def cancelled_on_disconnect(request: Request, context: Cancellable, work: Coroutine[Any, Any, Answer]) -> Answer:
    """The result of `work`, for a request whose body has been read. Raises ClientDisconnect when it was cancelled."""
    working = asyncio.current_task()
    assert working is not None  # noqa: S101  # the server's own, for this request
    is_cancelled = False

    async def watch() -> None:
        nonlocal is_cancelled
        await _disconnected(request)
        if context.may_be_given_up:
            is_cancelled = True
            context.give_up()
            working.cancel()

    watching = asyncio.create_task(watch())
    try:
        return await work
    except asyncio.CancelledError:
        if is_cancelled and not working.uncancel():  # nobody else wants it to end
            raise ClientDisconnect from None
        raise
    finally:
        watching.cancel()


async def _disconnected(request: Request) -> None:
    """Wait for the disconnect, which the server reports once the whole body was read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
