"""Cold: what a new process costs until it listens, and its very first request. Used by __main__.py."""

import asyncio
import statistics
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

import uvloop

from tests.bench.load import ask_all, connected
from tests.bench.processes import Measured
from tests.bench.running import Case, Systems, request_for, servers, takes_part

HEAD = """
| tasks | server, cold | CPU until it listens | CPU of the first request | and its time | memory then |
|---|---|---|---|---|---|"""


def cold(names: Sequence[str], systems: Systems, sizes: Sequence[float], *, times: int) -> Iterator[str]:
    """A line for each server and length of the list: medians of so many new processes, with no delay behind."""
    systems.asked(delay=0)
    yield HEAD
    for tasks in map(int, sizes):
        seen: dict[str, list[tuple[float, ...]]] = {name: [] for name in names}
        for name in [*names] * times:
            if takes_part(name, Case(tasks, 1, 0)):
                with ExitStack() as stack:
                    server = servers([name], systems, stack)[0]
                    seen[name].append(uvloop.run(_first(server, tasks, systems.group)))
        for name, rounds in seen.items():
            start, cpu, waited, memory = (statistics.median(values) for values in zip(*rounds, strict=True))
            told = f"{start:.2f} s | {cpu * 1000:.1f} ms | {waited * 1000:.1f} ms | {memory:.0f} MB"
            yield f"| {tasks} | {name} | {told} |"


async def _first(server: Measured, tasks: int, group: str) -> tuple[float, ...]:
    async with connected(server.port, 1) as clients:
        await asyncio.sleep(0.2)  # what a start leaves to be done is done
        start = server.cpu()
        load = await ask_all(clients, request_for(tasks, group), 1)
    return start, server.cpu() - start, load.latencies[0], server.largest_memory()
