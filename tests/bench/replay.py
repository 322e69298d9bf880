"""Engine and store played back, and a proxy before the real PostgreSQL: all with a delay, all counting what is asked.

A process of its own, started by running.py: `python -m tests.bench.replay <tasks> <postgres port>` prints its two
ports. Answers are joined from the parts of contents.py, as many as were asked for, so that it is never the bottleneck.
Right here and nowhere else: every other test speaks to the real systems.
"""

import asyncio
import json
import sys
from collections.abc import Callable
from typing import cast
from urllib.parse import parse_qs, urlsplit

import uvloop

from tests.bench.contents import Contents, contents, encoded

NOT_FOUND = 404


class Replay:
    """What is told, how late, and how often it was asked."""

    def __init__(self, held: Contents) -> None:
        self.held = held
        self.delay = 0.0
        self.asked = {"http": 0, "sql": 0}

    def answer(self, method: str, target: str, body: bytes) -> tuple[int, bytes]:
        """Status and body for one request."""
        url = urlsplit(target)
        given = {name: values[0] for name, values in parse_qs(url.query).items()}
        if url.path == "/control":
            return 200, self._control(given)
        self.asked["http"] += 1
        *_, kind, last = ("", *url.path.strip("/").split("/"))
        route: dict[tuple[str, str], Callable[[], bytes]] = {
            ("engine-rest", "task"): lambda: self._tasks(given),
            ("task", "count"): lambda: encoded({"count": len(self.held.tasks)}),
            ("history", "variable-instance"): lambda: self._variables(given, json.loads(body)),
            ("InsurancePlan", "_search"): lambda: self._found(parse_qs(body.decode())),
            ("", "fhir"): lambda: self._versions(json.loads(body)),
        }
        if (kind, last) in route:
            return 200, route[kind, last]()
        if kind == "_history":
            return 200, _resource(self.held.version[url.path.split("/")[-3]])
        if kind == "InsurancePlan" and last in self.held.found:
            return 200, _resource(self.held.found[last])
        return NOT_FOUND, encoded({"type": "NotRecorded", "message": f"{method} {target}"})

    def _control(self, given: dict[str, str]) -> bytes:
        """Set the delay in seconds; the counts since the last time."""
        self.delay = float(given.get("delay", self.delay))
        asked, self.asked = self.asked, {"http": 0, "sql": 0}
        return encoded(asked)

    def _tasks(self, given: dict[str, str]) -> bytes:
        first, most = int(given.get("firstResult", "0")), int(given["maxResults"])
        return b"[" + b",".join(self.held.tasks[first : first + most]) + b"]"

    def _variables(self, given: dict[str, str], query: dict[str, list[str]]) -> bytes:
        names = query["variableNameIn"]
        held = [self.held.variables[process] for process in query["processInstanceIdIn"]]
        rows = [variables[name] for variables in held for name in names if name in variables]
        first, most = int(given.get("firstResult", "0")), int(given.get("maxResults", len(rows)))
        return b"[" + b",".join(rows[first : first + most]) + b"]"

    def _found(self, form: dict[str, list[str]]) -> bytes:
        held = self.held.found_narrowed if "_elements" in form else self.held.found
        entries = (held[plan] for plan in form["_id"][0].split(",") if plan in held)
        return b'{"resourceType":"Bundle","type":"searchset","entry":[' + b",".join(entries) + b"]}"

    def _versions(self, bundle: dict[str, list[dict[str, dict[str, str]]]]) -> bytes:
        urls = (entry["request"]["url"] for entry in bundle["entry"])
        entries = (self.held.version[url.split("/")[1]] for url in urls)
        return b'{"resourceType":"Bundle","type":"batch-response","entry":[' + b",".join(entries) + b"]}"


def _resource(entry: bytes) -> bytes:
    return encoded(json.loads(entry)["resource"])


class Speaking(asyncio.Protocol):
    """One HTTP connection: requests with a Content-Length, one after the other."""

    def __init__(self, replay: Replay) -> None:
        self.replay = replay
        self.received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self.received += data
        while (end := self.received.find(b"\r\n\r\n")) >= 0:
            head = self.received[:end].decode("latin-1")
            lines = head.split("\r\n")
            lengths = [line[15:] for line in lines if line[:15].lower() == "content-length:"]
            whole = end + 4 + (int(lengths[0]) if lengths else 0)
            if len(self.received) < whole:
                return
            body, self.received = self.received[end + 4 : whole], self.received[whole:]
            method, target, _ = lines[0].split(" ")
            self._later(*self.replay.answer(method, target, body))

    def _later(self, status: int, body: bytes) -> None:
        head = f"HTTP/1.1 {status} Told\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        whole = head.encode() + body
        if self.replay.delay:
            asyncio.get_running_loop().call_later(self.replay.delay, self._say, whole)
        else:
            self._say(whole)

    def _say(self, whole: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(whole)


class Passing(asyncio.Protocol):
    """One end of a connection to PostgreSQL through here. What goes there is counted, and later by the delay."""

    def __init__(self, replay: Replay, *, there: bool) -> None:
        self.replay = replay
        self.there = there
        self.other: asyncio.Transport | None = None
        self.waiting: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def connected(self, other: asyncio.Transport) -> None:
        self.other = other
        for data in self.waiting:
            other.write(data)

    def data_received(self, data: bytes) -> None:
        if not self.there:
            self._pass(data)
            return
        self.replay.asked["sql"] += data[:1] in (b"P", b"Q", b"B")
        if self.replay.delay:
            asyncio.get_running_loop().call_later(self.replay.delay, self._pass, data)
        else:
            self._pass(data)

    def _pass(self, data: bytes) -> None:
        if self.other is None:
            self.waiting.append(data)
        elif not self.other.is_closing():
            self.other.write(data)

    def connection_lost(self, _error: Exception | None) -> None:
        if self.other is not None:
            self.other.close()


async def main(tasks: int, postgres_port: int) -> None:
    """Serve until the process is ended."""
    loop, replay = asyncio.get_running_loop(), Replay(contents(tasks))
    opening: set[asyncio.Task[None]] = set()

    def before_postgres() -> Passing:
        near = Passing(replay, there=True)
        task = loop.create_task(_join(near, replay, postgres_port))
        opening.add(task)
        task.add_done_callback(opening.discard)
        return near

    http = await loop.create_server(lambda: Speaking(replay), "127.0.0.1", 0)
    sql = await loop.create_server(before_postgres, "127.0.0.1", 0)
    print(*(server.sockets[0].getsockname()[1] for server in (http, sql)), flush=True)  # noqa: T201  # read by the parent
    await http.serve_forever()


async def _join(near: Passing, replay: Replay, port: int) -> None:
    far = Passing(replay, there=False)
    transport, _ = await asyncio.get_running_loop().create_connection(lambda: far, "127.0.0.1", port)
    far.connected(near.transport)
    near.connected(transport)


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), int(sys.argv[2])))
