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
    working = asyncio.create_task(work)
    leaving = asyncio.create_task(_left(request))
    try:
        await asyncio.wait([working, leaving], return_when=asyncio.FIRST_COMPLETED)
        if working.done() or not context.may_be_given_up:
            return await working
        context.give_up()
        working.cancel()
        await asyncio.wait([working])
        raise ClientDisconnect
    except asyncio.CancelledError:
        working.cancel()
        raise
    finally:
        leaving.cancel()


async def _left(request: Request) -> None:
    """The server tells that once the whole body was read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
