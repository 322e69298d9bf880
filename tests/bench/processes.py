"""Processes under measurement: started with a port, and what they have cost so far. Used by running.py."""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sandbox.ports import free_port

ROOT = Path(__file__).parent.parent.parent
LONGEST_START = 100.0  # seconds
LONGEST_END = 10.0


@dataclass(frozen=True)
class Measured:
    """A process that serves on a port, with those it has started."""

    name: str
    pid: int
    port: int

    def cpu(self) -> float:
        """Seconds of CPU so far, user and system, all threads (clock_getcpuclockid(3) of another process)."""
        return sum(time.clock_gettime((~pid << 3) | 2) for pid in self._family())

    def memory(self) -> float:
        """Resident now, in MB."""
        return sum(_status(pid, "VmRSS") for pid in self._family())

    def largest_memory(self) -> float:
        """The most ever resident, in MB."""
        return sum(_status(pid, "VmHWM") for pid in self._family())

    def _family(self) -> list[int]:
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text("ascii")
        return [self.pid, *map(int, children.split())]


def _status(pid: int, name: str) -> float:
    found = re.search(rf"{name}:\s+(\d+)", Path(f"/proc/{pid}/status").read_text("ascii"))
    assert found is not None
    return int(found[1]) / 1024


@contextmanager
def serving(name: str, command: list[str], environment: Mapping[str, str]) -> Iterator[Measured]:
    """The command with PORT set to a free port, from when it listens there until the block ends."""
    port = free_port()
    with subprocess.Popen(  # noqa: S603  # a command of ours
        command, cwd=ROOT, env={**os.environ, **environment, "PORT": str(port)}
    ) as process:
        try:
            _wait_until_listening(process, port)
            yield Measured(name, process.pid, port)
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(LONGEST_END)
            process.kill()


def python(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", module, *arguments]


def _wait_until_listening(process: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + LONGEST_START
    while process.poll() is None and time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.01)
        else:
            return
    raise AssertionError(f"{process.args!r} does not listen")
