"""One, two and four replicas behind a balancer: what they answer together, and what each request costs them.

`python -m tests.bench.replicas [--retool-dsn …]` prints the figures of docs/performance.md.
"""

import argparse
import os
import statistics
from collections.abc import Sequence
from contextlib import ExitStack

import uvloop

from tests.bench.load import ask_all, connected
from tests.bench.processes import Measured, python, serving
from tests.bench.query import GROUP
from tests.bench.running import Systems, bench_database, own_database, replayed, request_for, servers

TASKS = 50
CLIENTS = 16
DELAY = 0.005
HEAD = "| replicas | requests/s | against one | CPU of a request | cores busy in them |\n|---|---|---|---|---|"

Round = tuple[float, float, float]  # requests a second, CPU seconds of a request, cores


def run(systems: Systems, counts: Sequence[int], *, rounds: int, requests: int) -> dict[int, list[Round]]:
    """Rounds of so many requests to each number of replicas, in turn."""
    systems.asked(delay=DELAY)
    seen: dict[int, list[Round]] = {count: [] for count in counts}
    with ExitStack() as stack:
        replicas = servers(["plan-api"] * max(counts), systems, stack)
        before = {count: _balanced(replicas[:count], stack) for count in counts}
        for number in range(rounds + 1):
            for count in counts:
                result = uvloop.run(_round(before[count], replicas[:count], requests))
                if number:  # the first round warms up
                    seen[count].append(result)
    return seen


def _balanced(replicas: Sequence[Measured], stack: ExitStack) -> Measured:
    command = python("tests.bench.balancer", *(str(replica.port) for replica in replicas))
    return stack.enter_context(serving("balancer", command, {}))


async def _round(balancer: Measured, replicas: Sequence[Measured], requests: int) -> Round:
    async with connected(balancer.port, CLIENTS) as clients:
        begun = sum(replica.cpu() for replica in replicas)
        load = await ask_all(clients, request_for(TASKS, GROUP), requests)
        cpu = sum(replica.cpu() for replica in replicas) - begun
    return requests / load.seconds, cpu / requests, cpu / load.seconds


def rows(seen: dict[int, list[Round]]) -> list[str]:
    """The table."""
    one = next(iter(seen.values()))
    lines = [HEAD]
    for count, rounds in seen.items():
        rate, cpu, cores = (statistics.median(values) for values in zip(*rounds, strict=True))
        against = [mine[0] / theirs[0] for mine, theirs in zip(rounds, one, strict=True)]
        times = f"{statistics.median(against):.2f} × ({min(against):.2f}–{max(against):.2f})"
        lines.append(f"| {count} | {rate:.0f} | {times} | {cpu * 1000:.1f} ms | {cores:.2f} of {os.cpu_count()} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.replicas", description=__doc__)
    parser.add_argument("--retool-dsn", help="a PostgreSQL server to make a database on; by default one is started")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    with ExitStack() as stack:
        server = given.retool_dsn or stack.enter_context(own_database())
        systems = stack.enter_context(replayed(bench_database(server), TASKS))
        for line in rows(run(systems, (1, 2, 4), rounds=given.rounds, requests=300)):
            print(line)  # noqa: T201  # what this program is for


if __name__ == "__main__":
    main()
