"""Requests and answers that are altered on their way: for what a system of another make, or a broken one, would say.

For `serving(settings, transports=…)`. The real system is asked and does what it is asked; nothing of ours is replaced.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import httpx

from resilience.http.call import Transports
from sandbox.samples import ENCODER
from tests.stories.behind import read
from tests.wiretap import Send, Tapped

Json = dict[str, Any]
NOT_THE_BODY = ("content-length", "content-encoding", "transfer-encoding")


@dataclass
class Alteration:
    """What happens to the calls of one system like `call` (METHOD /path), while it `is_on`; `seen` counts them.

    `sent` alters a request's JSON and `answered` an answer's; `body` stands in place of an answer's whole body, and
    `headers` alters headers, or takes them away.
    `is_lost`: that it succeeded is never told.
    """

    call: str
    upstream: str = "aidbox"
    sent: Callable[[Json], Json] | None = None
    answered: Callable[[Json], Json] | None = None
    body: bytes | None = None
    headers: dict[str, Callable[[str], str] | None] = field(default_factory=dict)
    is_lost: bool = False
    is_on: bool = True
    seen: int = 0

    def is_of(self, request: httpx.Request) -> bool:
        """Whether it has a part in this call."""
        return self.is_on and re.fullmatch(self.call, f"{request.method} {request.url.path}") is not None


async def _alter(alterations: list[Alteration], request: httpx.Request, send: Send) -> httpx.Response:
    mine = [each for each in alterations if each.is_of(request)]
    for each in mine:
        each.seen += 1
        if each.sent is not None:
            request = _with_body(request, ENCODER.encode(each.sent(read(await request.aread()))))
    response = await send(request)
    for each in mine:
        response = await _altered(response, each)
    return response


def _with_body(request: httpx.Request, body: bytes) -> httpx.Request:
    kept = {name: value for name, value in request.headers.items() if name not in NOT_THE_BODY}
    return httpx.Request(request.method, request.url, headers=kept, content=body, extensions=request.extensions)


async def _altered(response: httpx.Response, alteration: Alteration) -> httpx.Response:
    content = await response.aread()
    if alteration.is_lost and response.is_success:
        raise httpx.ReadError("nobody will read the answer")
    if alteration.answered is not None and response.is_success:
        content = ENCODER.encode(alteration.answered(read(content)))
    if alteration.body is not None:
        content = alteration.body
    headers = {name: value for name, value in response.headers.items() if name not in NOT_THE_BODY}
    for name, change in alteration.headers.items():
        was = headers.pop(name.lower(), "")
        headers |= {} if change is None else {name: change(was)}
    return httpx.Response(response.status_code, headers=headers, content=content, extensions=response.extensions)


def altering(*alterations: Alteration) -> Transports:
    """These alterations, for as long as each `is_on`."""
    listed = list(alterations)

    def transports(name: str, inner: httpx.AsyncBaseTransport) -> httpx.AsyncBaseTransport:
        return Tapped(inner, partial(_alter, [each for each in listed if each.upstream == name]))

    return transports
