"""The emulation on the network: `aidbox_like` serves it from a thread, behind its authentication."""

import threading
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from urllib.parse import parse_qsl

import httpx
import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.aidbox_like.hapi import Hapi, decoded, encoded
from tests.aidbox_like.interactions import Answer, Interactions, failure
from tests.aidbox_like.operations import Asked, path_of, perform
from tests.aidbox_like.switches import SERVICE_AGENT, Switches
from tests.aidbox_like.transaction_ids import TransactionIds

LONGEST_LINE = 8192  # bytes; BOX_WEB_MAX_LINE
SECONDS = 120.0
METHODS = ["GET", "POST", "PUT", "DELETE"]


@dataclass(frozen=True)
class Emulation:
    """A store at `url`; another may share its `ids`, and so its version ids."""

    url: str
    ids: TransactionIds


@contextmanager
def aidbox_like(
    hapi_url: str, switches: Switches | None = None, ids: TransactionIds | None = None
) -> Iterator[Emulation]:
    """Serve a store before this HAPI until the block ends."""
    known, chosen = ids or TransactionIds(), switches or Switches()
    config = uvicorn.Config(_app(hapi_url, chosen, known), port=0, log_level="warning", lifespan="on")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "the emulation did not start"
            thread.join(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield Emulation(f"http://127.0.0.1:{port}/fhir", known)
    finally:
        server.should_exit = True
        thread.join()


def _app(hapi_url: str, switches: Switches, ids: TransactionIds) -> Starlette:
    stores: list[Interactions] = []

    @asynccontextmanager
    async def connected(_app: Starlette) -> AsyncIterator[None]:
        limits = httpx.Limits(max_connections=100)
        async with httpx.AsyncClient(base_url=hapi_url, timeout=SECONDS, limits=limits, trust_env=False) as client:
            stores.append(Interactions(Hapi(client), switches, ids))
            yield

    async def endpoint(request: Request) -> Response:
        return _response(await _answered(stores[0], request))

    return Starlette(routes=[Route("/fhir{path:path}", endpoint, methods=METHODS)], lifespan=connected)


async def _answered(store: Interactions, request: Request) -> Answer:
    if len(request.scope["raw_path"]) + len(request.scope["query_string"]) > LONGEST_LINE:
        return failure(414, "URI Too Long")
    if not _is_let_in(request, store.switches.client):
        return failure(401, "Unauthorized")
    try:
        asked = await _asked(request)
    except msgspec.DecodeError:
        return failure(422, "Invalid JSON", code="invalid")
    return await perform(store, asked)


def _is_let_in(request: Request, client: tuple[str, str] | None) -> bool:
    if client is None:
        return True
    return request.headers.get("authorization") == "Basic " + b64encode(":".join(client).encode()).decode()


async def _asked(request: Request) -> Asked:
    content = await request.body()
    is_form = request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
    form = dict(parse_qsl(content.decode())) if is_form else {}
    return Asked(
        request.method,
        path_of(request.path_params["path"]),
        {**request.query_params, **form},
        decoded(content) if content and not is_form else None,
        _version(request.headers.get("if-match")),
        request.headers.get("user-agent", "").startswith(SERVICE_AGENT),
    )


def _response(answer: Answer) -> Response:
    content = b"" if answer.body is None else encoded(answer.body)
    headers = {"Content-Type": "application/fhir+json", **answer.headers} if content else dict(answer.headers)
    return Response(content, answer.status, headers)


def _version(if_match: str | None) -> str | None:
    return None if if_match is None else if_match.removeprefix("W/").strip('"')
