"""A small process that outlives its parent just long enough to end what the parent started.

Started by `Keeper` with a pipe as its input; the pipe closes when the parent dies, however it dies (kill -9 included,
on Linux and macOS alike). Each line names a process and the signal to end it with; 0 takes it off the list.
"""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Self


def keep_watch() -> None:
    """Read the list until the parent is gone, then end every process still on it."""
    watched: dict[int, int] = {}
    for line in sys.stdin:
        pid, number = map(int, line.split())
        if number:
            watched[pid] = number
        else:
            watched.pop(pid, None)
    for pid, number in watched.items():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
            os.kill(pid, signal.SIGCONT)  # a paused process acts on no signal but SIGKILL


class Keeper:
    """The parent's end of the pipe."""

    def __init__(self) -> None:
        # its own session: Ctrl-C in a terminal reaches the parent only, which then stops everything in order
        self._process = subprocess.Popen(  # noqa: S603  our own interpreter and file
            [sys.executable, "-I", "-S", str(Path(__file__))], stdin=subprocess.PIPE, start_new_session=True
        )

    def watch(self, pid: int, end_with: signal.Signals = signal.SIGKILL) -> None:
        self._tell(pid, end_with)

    def forget(self, pid: int) -> None:
        self._tell(pid, 0)

    def _tell(self, pid: int, number: int) -> None:
        assert self._process.stdin is not None  # noqa: S101  made with a pipe
        os.write(self._process.stdin.fileno(), f"{pid} {number:d}\n".encode())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None  # noqa: S101  made with a pipe
        self._process.stdin.close()
        self._process.wait()


if __name__ == "__main__":
    keep_watch()
