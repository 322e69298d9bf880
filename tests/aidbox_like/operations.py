"""Requests and entries of batches alike: which operation they are, whether a policy allows it, and its answer."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

from tests.aidbox_like.interactions import Answer, Interactions, failure
from tests.aidbox_like.outcomes import Resource
from tests.aidbox_like.switches import WRITES, Operation

ROUTES = {
    r"POST /": Operation.TRANSACTION,
    r"GET /metadata": Operation.METADATA,
    r"GET /[A-Z]\w+|POST /[A-Z]\w+/_search": Operation.SEARCH,
    r"POST /[A-Z]\w+": Operation.CREATE,
    r"POST /[A-Z]\w+/\$validate": Operation.VALIDATE,
    r"GET /[A-Z]\w+/[^/]+": Operation.READ,
    r"PUT /[A-Z]\w+/[^/]+": Operation.UPDATE,
    r"DELETE /[A-Z]\w+/[^/]+": Operation.DELETE,
    r"GET /[A-Z]\w+/[^/]+/_history": Operation.HISTORY,
    r"GET /[A-Z]\w+/[^/]+/_history/[^/]+": Operation.VREAD,
}
WITH_RESOURCE = (Operation.CREATE, Operation.UPDATE, Operation.VALIDATE)


@dataclass(frozen=True)
class Asked:
    """A request, or an entry of a batch. `params`: a form's too; `if_match`: without `W/` and quotes."""

    method: str
    path: tuple[str, ...]
    params: Mapping[str, str] = field(default_factory=dict)
    body: object = None
    if_match: str | None = None
    by_service: bool = False

    @property
    def line(self) -> str:
        """Method and path."""
        return f"{self.method} /{'/'.join(self.path)}"

    @property
    def operation(self) -> Operation | None:
        """What is to be allowed; None for what there is no route of."""
        return next((operation for route, operation in ROUTES.items() if re.fullmatch(route, self.line)), None)

    @property
    def kind(self) -> str:
        """The resource type."""
        return self.path[0]

    @property
    def address(self) -> str:
        """`Type/id`."""
        return "/".join(self.path[:2])

    @property
    def resource(self) -> Resource:
        """The body, of what has been found to have one."""
        assert isinstance(self.body, dict)
        return self.body


async def perform(store: Interactions, asked: Asked) -> Answer:
    """Whatever is asked, if a policy allows it and nothing fails."""
    operation = asked.operation
    if operation is None:
        return failure(404, f"Route {asked.line} not found")
    if refusal := _refusal(store, asked, operation):
        return refusal
    return await _HANDLERS[operation](store, asked)


def _refusal(store: Interactions, asked: Asked, operation: Operation) -> Answer | None:
    """What stands before the operation itself."""
    if operation in store.switches.denied:
        return failure(403, "Forbidden")
    if status := store.switches.failing(operation, "/".join(asked.path)):
        return failure(status, f"Failed with {status}")
    if operation in WITH_RESOURCE and not _is_of_kind(asked.body, asked.kind):
        return failure(422, f"A resource of type {asked.kind} is needed", code="invalid")
    return store.clash() if operation in WRITES and asked.by_service else None


def _is_of_kind(body: object, kind: str) -> bool:
    return isinstance(body, dict) and body.get("resourceType", kind) == kind


async def _batch(store: Interactions, asked: Asked) -> Answer:
    """One entry after another, each under the policies; `ifMatch` and the like are not documented, and not seen."""
    bundle = asked.body if isinstance(asked.body, dict) else {}
    if bundle.get("type") != "batch":
        return failure(422, "The emulation knows batches alone", code="not-supported")
    entries = [await _entry(store, entry, by_service=asked.by_service) for entry in bundle.get("entry", [])]
    return Answer(200, {"resourceType": "Bundle", "type": "batch-response", "entry": entries})


async def _entry(store: Interactions, entry: Resource, *, by_service: bool) -> Resource:
    """A failure has a `response`, with nothing but the number; a success may have one."""
    url = urlsplit(entry["request"]["url"])
    params, body = dict(parse_qsl(url.query)), entry.get("resource")
    asked = Asked(entry["request"]["method"], path_of(url.path), params, body, by_service=by_service)
    answer = await perform(store, asked)
    told: Resource = {} if answer.body is None else {"resource": answer.body}
    if answer.status < 400 and not store.switches.success_entries_have_response:
        return told
    etag = {"etag": answer.headers["ETag"]} if "ETag" in answer.headers else {}
    return {**told, "response": {"status": str(answer.status), **etag}}


async def _vread(store: Interactions, asked: Asked) -> Answer:
    return _unsupported(store, asked) or await store.vread(asked.address, asked.path[3])


async def _history(store: Interactions, asked: Asked) -> Answer:
    return _unsupported(store, asked) or await store.history(asked.address, asked.params)


def _unsupported(store: Interactions, asked: Asked) -> Answer | None:
    """`_elements` is documented for searches alone."""
    if "_elements" not in asked.params or store.switches.takes_elements_of_versions:
        return None
    return failure(400, "Unsupported parameter _elements", code="not-supported")


async def _search(store: Interactions, asked: Asked) -> Answer:
    if asked.method == "POST" and not store.switches.has_post_search:
        return failure(404, f"Route {asked.line} not found")
    return await store.search(asked.kind, asked.params)


async def _statement(store: Interactions, _asked: Asked) -> Answer:
    return Answer(200, (await store.hapi.statement()).resource)


_HANDLERS: Mapping[Operation, Callable[[Interactions, Asked], Awaitable[Answer]]] = {
    Operation.TRANSACTION: _batch,
    Operation.METADATA: _statement,
    Operation.SEARCH: _search,
    Operation.READ: lambda store, asked: store.read(asked.address),
    Operation.VREAD: _vread,
    Operation.HISTORY: _history,
    Operation.CREATE: lambda store, asked: store.create(asked.kind, asked.resource),
    Operation.UPDATE: lambda store, asked: store.update(asked.address, asked.resource, asked.if_match),
    Operation.DELETE: lambda store, asked: store.delete(asked.address, asked.if_match),
    Operation.VALIDATE: lambda store, asked: store.validate(asked.kind, asked.resource),
}


def path_of(path: str) -> tuple[str, ...]:
    """A path below the base, however it is written."""
    parts = tuple(part for part in path.split("/") if part)
    return parts[1:] if parts[:1] == ("fhir",) else parts
