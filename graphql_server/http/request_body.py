"""The body of an HTTP request, with limits on its size and on the time it takes to come."""

import asyncio

from starlette.requests import Request

from graphql_server.refusals import HttpRefusal

# The rest of the body is not read, so the connection cannot serve another request.
CLOSE = {"Connection": "close"}


async def received(request: Request, *, at_most: int, seconds: float) -> bytes:
    """The body of a request. Raises HttpRefusal: 413 when it has more bytes, 408 when it does not arrive in time."""
    try:
        async with asyncio.timeout(seconds):
            return await _whole(request, at_most)
    except TimeoutError as error:
        message = f"The body did not arrive within {seconds:g} seconds."
        raise HttpRefusal(408, message, CLOSE, code="REQUEST_TOO_SLOW") from error


async def _whole(request: Request, at_most: int) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > at_most:
            raise HttpRefusal(413, f"The body may have at most {at_most} bytes.", CLOSE, code="REQUEST_TOO_LARGE")
    return bytes(body)
