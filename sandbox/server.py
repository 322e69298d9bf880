"""One server process of the sandbox: start, wait until it answers, stop, kill, pause.

postgres.py and jvm.py say what to run and when it is ready.
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from resilience.failures import ServiceError
from sandbox.keeper import Keeper

READY_WITHIN = 180.0
TRY_AGAIN_FOR = 15.0
STOPPED_WITHIN = 20.0


class SandboxError(ServiceError):
    """The sandbox cannot start or go on; the message is for the person at the terminal."""


class Server:
    """A process that can die and come back on the same port and data."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        keeper: Keeper,
        log: Path,
        is_ready: Callable[[], bool],
        environment: Mapping[str, str] | None = None,
        stop_with: signal.Signals = signal.SIGTERM,
        end_with: signal.Signals = signal.SIGKILL,
        try_again_on: tuple[str, ...] = (),
        family: Callable[[], list[int]] = list,
    ) -> None:
        """`end_with`: the signal for a sandbox that died; `try_again_on`: last words after which a start is repeated;
        `family`: other processes of the same server, asked for when it is paused."""
        self.name = name
        self._command = list(command)
        self._keeper = keeper
        self._log = log
        self._is_ready = is_ready
        self._environment = environment
        self._stop_with = stop_with
        self._end_with = end_with
        self._try_again_on = try_again_on
        self._family = family
        self._process: subprocess.Popen[bytes] | None = None
        self._paused: list[int] = []

    @property
    def pid(self) -> int:
        if self._process is None:
            raise SandboxError(f"{self.name} is not running")
        return self._process.pid

    def start(self) -> None:
        """Start it and wait until it is ready; nothing to do when it runs already."""
        self.launch()
        self.wait_until_ready()

    def launch(self) -> None:
        """Start it without waiting."""
        if self._process is not None and self._process.poll() is None:
            return
        self._reap()
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603  a command of ours
                self._command,
                cwd="/",
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._keeper.watch(self._process.pid, self._end_with)

    def wait_until_ready(self) -> None:
        began = time.monotonic()
        while not self._is_ready():
            waited = time.monotonic() - began
            if self._process is None or self._process.poll() is not None:
                self._mourn(may_try_again=waited < TRY_AGAIN_FOR)
            elif waited > READY_WITHIN:
                raise SandboxError(f"{self.name} was not ready within {READY_WITHIN:.0f} s.{self._last_words()}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop it in its own order; one that does not stop in time is killed."""
        if self._process is None:
            return
        self.ask_to_stop()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOPPED_WITHIN)
        self.kill()

    def ask_to_stop(self) -> None:
        """Send the signal without waiting, so that several servers can stop at the same time."""
        self.resume()
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(self._stop_with)

    def kill(self) -> None:
        """kill -9, at once."""
        if self._process is None:
            return
        self._process.kill()
        self._reap()
        self.resume()

    def pause(self) -> None:
        """Let it hang: connections stay open, nothing answers."""
        family = self._family()
        os.kill(self.pid, signal.SIGSTOP)
        for pid in family:
            self._keeper.watch(pid)
        self._paused = [self.pid, *family]
        for pid in family:
            _send(pid, signal.SIGSTOP)

    def resume(self) -> None:
        paused, self._paused = self._paused, []
        for pid in paused:
            _send(pid, signal.SIGCONT)
            if self._process is None or pid != self._process.pid:
                self._keeper.forget(pid)

    def _reap(self) -> None:
        if self._process is not None:
            self._process.wait()
            self._keeper.forget(self._process.pid)
            self._process = None

    def _mourn(self, *, may_try_again: bool) -> None:
        words = self._last_words()
        if not (may_try_again and any(reason in words for reason in self._try_again_on)):
            raise SandboxError(f"{self.name} ended before it was ready.{words}")
        time.sleep(0.1)
        self.launch()

    def _last_words(self) -> str:
        lines = self._log.read_text(errors="replace").splitlines() if self._log.exists() else []
        return "\n".join([f" The end of {self._log}:", *lines[-25:]])


def _send(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
