"""Ordinary users beside attackers: how long their inboxes take, with and without, on the systems of a sandbox.

`python -m tests.bench.attackers --retool-dsn … --camunda-url … --aidbox-url …` prints a line for each round. Ordinary
users ask for an inbox now and then. Two attackers, each with a valid key, keep many connections busy with what is near
the limits: aliases, a hundred entities, differences of a large plan; others do not read their answers, or forge tokens.
`--beside` a checkout of another version measures that one too, in turn. All of them and the systems share this machine.
"""

import argparse
import asyncio
import base64
import hashlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from itertools import count, repeat
from pathlib import Path

import httpx
import orjson
import uvloop

from tests.auth.issuer import AUDIENCE, little_issuer
from tests.auth.signing import encoded, rsa_key
from tests.bench.load import connected, http_request
from tests.bench.processes import ROOT, python, serving
from tests.bench.query import INBOX
from tests.calls.inboxes import Inbox, Inboxes
from tests.engine_access import engine_settings
from tests.serving import Drafts, Someone

KEY = "an-ordinary-key-of-the-benchmark"
TASKS = 100
USERS, LOOK, PAUSE = 6, 10, 0.3  # so many users ask for so many tasks, and wait so many seconds
BUSY, UNREAD, FORGERS = 90, 10, 16  # connections: of each attacker, of all
ATTACKERS = ("mallory", "trent")
LARGE = '{"resourceType": "InsurancePlan", "name": "Large", "alias": [%s]}'
FIELDS = "totalCount items { id name draft { id name } currentPlan { versionId name } hasConflict }"


def asking(someone: Someone, query: str, **variables: object) -> bytes:
    """A request through the gateway."""
    headers = {"Authorization": f"Bearer {KEY}", **someone.headers}
    return http_request("/graphql", headers, orjson.dumps({"query": query, "variables": variables}))


def attacks(inbox: Inbox, task_ids: Sequence[str], large_id: str) -> Iterator[tuple[bytes, int]]:
    """Requests and how many connections repeat each; 0: it is asked by those who do not read."""
    keys = [{"__typename": "Task", "id": task_id} for task_id in task_ids]
    aliases = " ".join(f"a{n}: pendingTasks(limit: {TASKS}) {{ {FIELDS} }}" for n in range(9))
    changes = "... on Task { id draft { id changes { path } } }"
    entities = f"query E($keys: [_Any!]!) {{ _entities(representations: $keys) {{ {changes} }} }}"
    for name in ATTACKERS:
        attacker = Someone(name, inbox.reviewer.groups)
        yield asking(attacker, f"{{ {aliases} }}"), BUSY // 3
        yield asking(attacker, entities, keys=keys), BUSY // 3
        owner = Someone(name, ("benefit-auditors",))
        yield asking(owner, "query C($id: ID!) { draft(id: $id) { changes { path label } } }", id=large_id), BUSY // 3
    documents = " ".join(f"d{n}: planData" for n in range(8))
    yield asking(owner, f"query D($id: ID!) {{ draft(id: $id) {{ {documents} }} }}", id=large_id), 0


async def ask_on(port: int, requests: Iterator[bytes], seen: Counter[str], *, pause: float = 0) -> None:
    """Ask without end on one connection after the other, whatever comes back."""
    while True:
        with suppress(OSError, asyncio.IncompleteReadError, ValueError, IndexError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                for request in requests:
                    writer.write(request)
                    head = (await reader.readuntil(b"\r\n\r\n")).lower()
                    body = await reader.readexactly(int(head.split(b"content-length:")[1].split()[0]))
                    seen[f"{head.split()[1].decode()} {_codes(body)}"] += 1
                    await asyncio.sleep(pause)
            finally:
                writer.close()
        await asyncio.sleep(0.1)


def _codes(body: bytes) -> str:
    """The error codes of an answer, a few of them."""
    found = {part.split(b'"')[0].decode() for part in body[-20_000:].split(b'"code":"')[1:]}
    return ",".join(sorted(found)) or "ok"


async def unread(port: int, request: bytes) -> None:
    """Ask, and never take the answer; again when the connection is ended."""
    while True:
        with suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
            writer.write(request)
            await asyncio.sleep(20)
            writer.close()
            del reader


def forged() -> Iterator[bytes]:
    """Requests with tokens of keys that nobody has, each of another one."""
    for n in count():
        head = orjson.dumps({"alg": "RS256", "typ": "at+jwt", "kid": f"forged-{n}"})
        token = ".".join(encoded(part) for part in (head, b"{}", b"x"))
        yield http_request("/graphql", {"Authorization": f"Bearer {token}"}, b'{"query":"{__typename}"}')


async def attack(port: int, requests: Sequence[tuple[bytes, int]]) -> Counter[str]:
    """All of it at once, until standard input ends. What was answered how often."""
    seen: Counter[str] = Counter()
    work = [
        asyncio.create_task(ask_on(port, repeat(request), seen))
        for request, connections in requests
        for _ in range(connections)
    ]
    work += [asyncio.create_task(unread(port, requests[-1][0])) for _ in range(UNREAD)]
    forgeries = forged()
    work += [asyncio.create_task(ask_on(port, forgeries, seen, pause=0.1)) for _ in range(FORGERS)]
    await asyncio.to_thread(sys.stdin.read)
    for each in work:
        each.cancel()
    await asyncio.gather(*work, return_exceptions=True)
    return seen


@contextmanager
def attacked(port: int, requests: Sequence[tuple[bytes, int]], seen: Counter[str]) -> Iterator[None]:
    """Attackers in a process of their own that gives way to all others, as if it were on another machine."""
    command = python("tests.bench.attackers", "--attack", str(port))
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603  # ours
        assert process.stdin is not None
        sent = [(base64.b64encode(request).decode(), connections) for request, connections in requests]
        process.stdin.write(json.dumps(sent) + "\n")
        process.stdin.flush()
        time.sleep(3)
        yield
        out, _ = process.communicate()
        seen.update(json.loads(out))


async def looks(port: int, requests: Sequence[bytes], seconds: float) -> tuple[list[float], int]:
    """How long each inbox took, and how many had errors or were refused."""
    taken: list[float] = []
    wrong = 0

    async def one(request: bytes, start: float) -> None:
        nonlocal wrong
        await asyncio.sleep(start)
        async with connected(port, 1) as (client,):
            while time.perf_counter() < until:
                begun = time.perf_counter()
                try:
                    wrong += b'"errors"' in await client.ask(request)
                except (AssertionError, OSError):
                    wrong += 1
                    return
                taken.append(time.perf_counter() - begun)
                await asyncio.sleep(PAUSE)

    until = time.perf_counter() + seconds
    await asyncio.gather(*(one(request, n * PAUSE / len(requests)) for n, request in enumerate(requests)))
    return taken, wrong


def line(name: str, state: str, taken: Sequence[float], wrong: int, usual: float) -> str:
    """Of one round."""
    p50, p99 = (statistics.quantiles(taken, n=100)[n] * 1000 for n in (49, 98))
    against = f", p99 {p99 / usual:.1f} times" if usual else ""
    return f"{name}, {state}: {len(taken)} inboxes, {wrong} wrong, p50 {p50:.0f} ms, p99 {p99:.0f} ms{against}"


def run(given: argparse.Namespace, stack: ExitStack) -> Iterator[str]:
    """The lines of all rounds."""
    drafts = Drafts(given.retool_dsn)
    inbox = Inboxes(drafts, given.camunda_url, given.aidbox_url).of(TASKS)
    aliases = ",".join(f'"{n:08}"' for n in range(80_000))
    large = drafts.new("Large", LARGE % aliases, aidbox_id=inbox.plan_ids[0], author=ATTACKERS[0])
    found = httpx.post(
        f"{given.camunda_url}/task", json={"candidateGroup": inbox.reviewer.groups[0], "includeAssignedTasks": True}
    )
    requests = list(attacks(inbox, [task["id"] for task in found.json()], large))
    users = [asking(Someone(f"user-{n}", inbox.reviewer.groups), INBOX, limit=LOOK) for n in range(USERS)]
    issuer = stack.enter_context(little_issuer(rsa_key("good")))
    environment = {
        "RETOOL_DATABASE_URL": given.retool_dsn,
        **{name.upper(): value for name, value in engine_settings(given.camunda_url).items()},
        "AIDBOX_URL": given.aidbox_url,
        "AUTH": "gateway,oidc",
        "GATEWAY_KEYS": f"bench:{hashlib.sha256(KEY.encode()).hexdigest()}",
        "OIDC_ISSUER": issuer.url,
        "OIDC_AUDIENCE": AUDIENCE,
        "WORKER": "false",
        "LOG_LEVEL": "error",
    }
    trees = {"this": ROOT, **({"beside": Path(given.beside)} if given.beside else {})}
    command = [sys.executable, "-P", "-m", "api", "serve"]
    measured = [
        stack.enter_context(serving(name, command, {**environment, "PYTHONPATH": str(tree)}))
        for name, tree in trees.items()
    ]
    for _ in range(given.rounds):
        for server in measured:
            usual, wrong = uvloop.run(looks(server.port, users, given.seconds))
            yield line(server.name, "alone", usual, wrong, 0)
            seen: Counter[str] = Counter()
            with attacked(server.port, requests, seen):
                taken, wrong = uvloop.run(looks(server.port, users, given.seconds))
            yield line(server.name, "attacked", taken, wrong, statistics.quantiles(usual, n=100)[98] * 1000)
            yield f"  attackers: {dict(seen.most_common())}"
            time.sleep(3)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.attackers", description=__doc__)
    parser.add_argument("--retool-dsn", help="of a running sandbox")
    parser.add_argument("--camunda-url", help="of a running sandbox")
    parser.add_argument("--aidbox-url", help="of a running sandbox")
    parser.add_argument("--beside", help="a checkout of another version, measured in turn")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each measurement")
    parser.add_argument("--attack", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.attack:
        os.nice(19)
        requests = [
            (base64.b64decode(request), connections) for request, connections in json.loads(sys.stdin.readline())
        ]
        print(json.dumps(uvloop.run(attack(given.attack, requests))))  # noqa: T201  # for the process that started this
        return
    with ExitStack() as stack:
        for told in run(given, stack):
            print(told, flush=True)  # noqa: T201  # what this program is for


if __name__ == "__main__":
    main()
