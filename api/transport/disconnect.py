"""Clients that leave before their answer is there. A query is given up then, down to its calls; a mutation never is.

Called by graphql.py for every execution.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect, Request

from api.context import Context

Answer = TypeVar("Answer")


async def unless_left(request: Request, context: Context, work: Coroutine[Any, Any, Answer]) -> Answer:
    """What `work` comes to. Its body has been read. Raises ClientDisconnect when it was given up."""
    working = asyncio.current_task()
    assert working is not None  # noqa: S101  # the server's own, for this request
    is_given_up = False

    async def watch() -> None:
        nonlocal is_given_up
        await _left(request)
        if context.may_be_given_up:
            is_given_up = True
            context.give_up()
            working.cancel()

    watching = asyncio.create_task(watch())
    try:
        return await work
    except asyncio.CancelledError:
        if is_given_up and not working.uncancel():  # nobody else wants it to end
            raise ClientDisconnect from None
        raise
    finally:
        watching.cancel()


async def _left(request: Request) -> None:
    """The server tells that once the whole body was read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
