"""`python -m tests.bench`, or `make bench`: every server, every case, and the table of docs/performance.md.

By default the systems behind are played back. With --camunda-url, --aidbox-url and --retool-dsn they are those of a
sandbox, where tasks are made for a group of their own.
"""

import argparse
import itertools
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack

import uvloop

from tests.bench.cold import cold
from tests.bench.running import (
    Case,
    Result,
    Systems,
    bench_database,
    filled,
    own_database,
    replayed,
    run_rounds,
    servers,
)

TIMED = ("cpu", "p50", "p99")
NAMES = ("plan-api", "limit", "plain", "naive")
HEAD = """
| tasks | clients | delay | server | CPU | p50 | p99 | requests/s | asked behind |
|---|---|---|---|---|---|---|---|---|"""


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--tasks", default="1,50,200,1000", help="lengths of the list")
    parser.add_argument("--clients", default="1,16", help="clients at once")
    parser.add_argument("--delays", default="0,5", help="of every answer from behind, in milliseconds")
    parser.add_argument("--servers", default=",".join(NAMES), help="`plan-api EXECUTOR=stock` is one with that setting")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="of a round of the fastest server, about")
    parser.add_argument("--cold", type=int, default=3, help="first requests of new processes")
    parser.add_argument("--retool-dsn", help="a PostgreSQL server to make a database on; by default one is started")
    parser.add_argument("--camunda-url", help="a sandbox's engine, instead of the replay")
    parser.add_argument("--aidbox-url", help="and its store; --retool-dsn is then its drafts database")
    return parser.parse_args()


def main() -> None:
    given = parsed()
    sizes, names = _numbers(given.tasks), given.servers.split(",")
    delays = [0.0] if given.camunda_url else [each / 1000 for each in _numbers(given.delays)]
    with ExitStack() as stack:
        systems = _systems(given, max(sizes), stack)
        if given.cold:
            print_lines(cold(names, systems, sizes, times=given.cold))
        measured = servers(names, systems, stack)
        print_lines([HEAD])
        for delay, tasks, clients in itertools.product(delays, sizes, _numbers(given.clients)):
            case = Case(int(tasks), int(clients), delay)
            results = uvloop.run(run_rounds(measured, systems, case, rounds=given.rounds, seconds=given.seconds))
            print_lines(rows(case, results))
        print_lines(f"{each.name}: {each.largest_memory():.0f} MB at most" for each in measured)


def _systems(given: argparse.Namespace, most: float, stack: ExitStack) -> Systems:
    if given.camunda_url:
        return filled(given.retool_dsn, given.camunda_url, given.aidbox_url, int(most))
    server = given.retool_dsn or stack.enter_context(own_database())
    return stack.enter_context(replayed(bench_database(server), int(most)))


def _numbers(text: str) -> list[float]:
    return [float(word) for word in text.split(",")]


def rows(case: Case, results: Mapping[str, Result]) -> Iterator[str]:
    """A line of the table for each server: medians, and in brackets how many times the limit's they are."""
    limit = results.get("limit")
    for name, result in results.items():
        first = f"| {case.tasks} | {case.clients} | {case.delay * 1000:g} ms | {name} |"
        timed = " | ".join(f"{result.median(each) * 1000:.2f} ms {_times(result, limit, each)}" for each in TIMED)
        rate = f"{result.median('rate'):.0f} {_times(result, limit, 'rate')}"
        yield f"{first} {timed} | {rate} | {result.median('http'):.0f} + {result.median('sql'):.0f} |"


def _times(result: Result, limit: Result | None, measure: str) -> str:
    if limit is None or result is limit:
        return ""
    median, least, most = result.ratio(limit, measure)
    return f"(**{median:.2f}**, {least:.2f}–{most:.2f})"


def print_lines(lines: Iterable[str]) -> None:
    for line in lines:
        print(line, flush=True)  # noqa: T201  # what this program is for


if __name__ == "__main__":
    main()
