"""Clients that ask for a thousand tasks each and leave: how soon a replica and what is behind it are idle again.

`python -m tests.bench.leaving [--retool-dsn …]` prints a line for each round.
"""

import argparse
import asyncio
import time
from collections.abc import Iterator
from contextlib import ExitStack

import uvloop

from tests.bench.load import connected
from tests.bench.processes import Measured
from tests.bench.query import GROUP
from tests.bench.running import Systems, bench_database, own_database, replayed, request_for, servers

TASKS = 1000
CLIENTS = 16
DELAY = 0.05  # seconds of every answer from behind, so that many are under way
STEP = 0.1
IDLE = 0.02  # of a core
LONGEST = 30.0


def run(systems: Systems, *, rounds: int) -> Iterator[tuple[float, int]]:
    """Of each round: seconds until nothing is done any longer, and requests behind that began after the leaving."""
    systems.asked(delay=DELAY)
    with ExitStack() as stack:
        (replica,) = servers(["plan-api"], systems, stack)
        for _ in range(rounds):
            uvloop.run(_asked_and_left(replica, systems))
            yield _until_idle(replica), systems.asked()["http"]


async def _asked_and_left(replica: Measured, systems: Systems) -> None:
    async with connected(replica.port, CLIENTS) as clients:
        for client in clients:
            client.ask(request_for(TASKS, GROUP)).add_done_callback(lambda left: left.exception())
        await asyncio.sleep(4 * DELAY)
        systems.asked()


def _until_idle(replica: Measured) -> float:
    begun = time.monotonic()
    before = replica.cpu()
    while (since := time.monotonic() - begun) < LONGEST:
        time.sleep(STEP)
        now = replica.cpu()
        if now - before < IDLE * STEP:
            return since
        before = now
    return LONGEST


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.leaving", description=__doc__)
    parser.add_argument("--retool-dsn", help="a PostgreSQL server to make a database on; by default one is started")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    with ExitStack() as stack:
        server = given.retool_dsn or stack.enter_context(own_database())
        systems = stack.enter_context(replayed(bench_database(server), TASKS))
        for seconds, requests in run(systems, rounds=given.rounds):
            print(f"idle after {seconds:.1f} s, {requests} requests behind begun meanwhile")  # noqa: T201  # what this program is for


if __name__ == "__main__":
    main()
