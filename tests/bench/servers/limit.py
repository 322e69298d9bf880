"""The limit: the inbox query and nothing else, by hand. Streams, one prepared statement, no framework.

Of each answer only what is needed is decoded, into records (msgspec), and the records are what is written.

It makes the fewest requests there can be, in three round trips, and keeps versions that never change, as the service
does. `KEEP=0` makes it ask for them each time.
"""

import asyncio
import os
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit

import msgspec
import psycopg
import uvloop

from tests.bench.query import SORTED, TASKS, VARIABLES, engine_address, environment

CHUNK = 100
DRAFTS = (
    "SELECT camunda_process_id, id, name, upper(status) FROM benefit_plan_drafts WHERE camunda_process_id = ANY(%s)"
)
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
JSON = b"Content-Type: application/json\r\n"
FORM = b"Content-Type: application/x-www-form-urlencoded\r\nCache-Control: no-store\r\n"
KEEP = os.environ.get("KEEP") != "0"
LIMIT = 2**24

Answer = TypeVar("Answer")


class Row(msgspec.Struct, rename="camel"):
    """A task of the engine."""

    id: str
    name: str
    created: str
    assignee: str | None
    process_instance_id: str


class Count(msgspec.Struct):
    count: int


class Variable(msgspec.Struct, rename="camel"):
    name: str
    process_instance_id: str
    value: str | None


class Meta(msgspec.Struct, rename="camel"):
    version_id: str
    last_updated: str


class Resource(msgspec.Struct):
    id: str
    meta: Meta
    name: str


class Entry(msgspec.Struct):
    resource: Resource


class Bundle(msgspec.Struct):
    entry: list[Entry]


class Named(msgspec.Struct):
    id: str


class Draft(msgspec.Struct):
    id: str
    name: str
    status: str


class Base(msgspec.Struct, rename="camel"):
    version_id: str


class Version(msgspec.Struct, rename="camel"):
    version_id: str
    name: str
    published_at: str


class Item(msgspec.Struct, rename="camel"):
    id: str
    name: str
    created_at: str
    assignee: Named | None
    draft: Draft | None
    base_plan: Base | None
    current_plan: Version | None
    has_conflict: bool


class Variables(msgspec.Struct):
    limit: int


class Request(msgspec.Struct):
    variables: Variables


class Decoding(Generic[Answer]):
    """What an answer is decoded into."""

    def __init__(self, kind: Any) -> None:
        self.decode: Callable[[bytes], Answer] = msgspec.json.Decoder(kind).decode


ROWS: Decoding[list[Row]] = Decoding(list[Row])
COUNTED: Decoding[Count] = Decoding(Count)
VALUES: Decoding[list[Variable]] = Decoding(list[Variable])
FOUND: Decoding[Bundle] = Decoding(Bundle)
ASKED: Decoding[Request] = Decoding(Request)
encode = msgspec.json.Encoder().encode
ALL, LISTED = encode(TASKS), encode({**TASKS, **SORTED})


class System:
    """One HTTP system: kept connections, and requests with a body."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.host, self.port, self.path = parts.hostname, parts.port, parts.path.encode()
        self.name = parts.netloc.rpartition("@")[2].encode()
        self.known = _basic(parts.username, parts.password)
        self.idle: list[Streams] = []

    async def ask(self, target: bytes, kind: bytes, body: bytes, answered: Decoding[Answer]) -> Answer:
        request = b"POST %b%b HTTP/1.1\r\nHost: %b\r\n%b%bContent-Length: %d\r\n\r\n%b"
        sent = request % (self.path, target, self.name, self.known, kind, len(body), body)
        while True:
            kept = bool(self.idle)
            reader, writer = self.idle.pop() if kept else await self._connect()
            try:
                writer.write(sent)
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                break
            except (asyncio.IncompleteReadError, ConnectionError):
                if not kept:  # else it was closed meanwhile
                    raise
        if head[9:12] != b"200":
            raise RuntimeError(head)
        if b"transfer-encoding: chunked" in head:  # the real store's way
            answer = b"".join([piece async for piece in _chunks(reader)])
        else:
            start = head.index(b"content-length:") + 15
            answer = await reader.readexactly(int(head[start : head.index(b"\r", start)]))
        if b"connection: close" in head:
            writer.close()
        else:
            self.idle.append((reader, writer))
        return answered.decode(answer)

    async def _connect(self) -> Streams:
        return await asyncio.open_connection(self.host, self.port, limit=LIMIT)


def _basic(user: str | None, password: str | None) -> bytes:
    """The header that says who asks; nothing where nobody is named."""
    if not user or not password:
        return b""
    return b"Authorization: Basic %b\r\n" % b64encode(f"{user}:{password}".encode())


class Database:
    """Kept connections to the drafts."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.idle: list[psycopg.AsyncConnection[Any]] = []

    async def drafts(self, processes: list[str]) -> dict[str, Draft]:
        connection = self.idle.pop() if self.idle else await psycopg.AsyncConnection.connect(self.url, autocommit=True)
        cursor = await connection.execute(DRAFTS, [processes], prepare=True)
        rows = await cursor.fetchall()
        self.idle.append(connection)
        return {process: Draft(row_id, name, status) for process, row_id, name, status in rows}


class Inbox:
    """The query."""

    def __init__(self) -> None:
        self.engine = System(engine_address())
        self.store = System(environment("AIDBOX_URL"))
        self.database = Database(environment("RETOOL_DATABASE_URL"))
        self.versions: dict[tuple[str, str], Version] = {}

    async def answer(self, request: Request) -> bytes:
        limit = request.variables.limit
        tasks, count = await asyncio.gather(
            self.engine.ask(b"/task?maxResults=%d&firstResult=0" % limit, JSON, LISTED, ROWS),
            self.engine.ask(b"/task/count", JSON, ALL, COUNTED),
        )
        processes = [task.process_instance_id for task in tasks]
        query = encode({"processInstanceIdIn": processes, "variableNameIn": VARIABLES})
        target = b"/history/variable-instance?deserializeValues=false&maxResults=5000&firstResult=0"
        rows, drafts = await asyncio.gather(
            self.engine.ask(target, JSON, query, VALUES), self.database.drafts(processes)
        )
        held: dict[str, dict[str, str | None]] = {process: {} for process in processes}
        for row in rows:
            held[row.process_instance_id][row.name] = row.value
        current = await self._plans(held)
        items = [self._item(task, held[task.process_instance_id], drafts, current) for task in tasks]
        return encode({"data": {"pendingTasks": {"totalCount": count.count, "items": items}}})

    async def _plans(self, held: dict[str, dict[str, str | None]]) -> dict[str, Version]:
        """The current versions; those the processes began with are noted on the way."""
        named = ((variables["aidboxPlanId"], variables["baseVersion"]) for variables in held.values())
        pinned = {(plan, str(version)) for plan, version in named if plan}
        plans = list({plan: None for plan, _ in pinned})
        wanted = [key for key in pinned if key not in self.versions]
        searches = [self._search(plans[at : at + CHUNK]) for at in range(0, len(plans), CHUNK)]
        batches = [self._batch(wanted[at : at + CHUNK]) for at in range(0, len(wanted), CHUNK)]
        found = await asyncio.gather(*searches, *batches)
        versions = {key: version for page in found[len(searches) :] for key, version in page.items()}
        self.known = {**self.versions, **versions}
        if KEEP:
            self.versions = self.known
        return {plan: version for page in found[: len(searches)] for (plan, _), version in page.items()}

    async def _search(self, plans: list[str]) -> dict[tuple[str, str], Version]:
        body = b"_id=%b&_count=%d&_elements=id,meta,name" % (",".join(plans).encode(), len(plans))
        return _versions(await self.store.ask(b"/InsurancePlan/_search", FORM, body, FOUND))

    async def _batch(self, keys: list[tuple[str, str]]) -> dict[tuple[str, str], Version]:
        urls = [f"InsurancePlan/{plan}/_history/{version}" for plan, version in keys]
        entries = [{"request": {"method": "GET", "url": url}} for url in urls]
        bundle = {"resourceType": "Bundle", "type": "batch", "entry": entries}
        return _versions(await self.store.ask(b"", JSON, encode(bundle), FOUND))

    def _item(
        self, task: Row, variables: dict[str, str | None], drafts: dict[str, Draft], current: dict[str, Version]
    ) -> Item:
        plan, version = variables["aidboxPlanId"], variables["baseVersion"]
        base = self.known.get((plan or "", version or ""))
        now = current.get(plan or "")
        return Item(
            task.id,
            task.name,
            _instant(task.created),
            Named(task.assignee) if task.assignee else None,
            drafts.get(task.process_instance_id),
            Base(base.version_id) if base else None,
            now,
            now.version_id != version if now else False,
        )


async def _chunks(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    while size := int(await reader.readline(), 16):
        yield (await reader.readexactly(size + 2))[:-2]
    await reader.readline()


def _versions(bundle: Bundle) -> dict[tuple[str, str], Version]:
    resources = (entry.resource for entry in bundle.entry)
    return {
        (each.id, each.meta.version_id): Version(each.meta.version_id, each.name, _instant(each.meta.last_updated))
        for each in resources
    }


def _instant(text: str) -> str:
    """All of them are in UTC, to the millisecond."""
    return f"{text[:19]}Z" if text[20:23] == "000" else f"{text[:23]}000Z"


def serving(answer: Callable[[Request], Awaitable[bytes]]) -> Callable[..., Awaitable[None]]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                start = head.index(b"content-length:") + 15
                body = await reader.readexactly(int(head[start : head.index(b"\r", start)]))
                whole = await answer(ASKED.decode(body))
                writer.write(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(whole)
                )
                writer.write(whole)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    return serve


async def main() -> None:
    server = await asyncio.start_server(serving(Inbox().answer), "127.0.0.1", int(environment("PORT")))
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
