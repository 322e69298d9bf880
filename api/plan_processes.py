"""CPU-bound work beside the event loop: comparing and checking plans, in processes of its own, `Calculator`.

A thread would not do: Python's threads share one interpreter lock, so that each turn of the event loop waits up to
5 ms while one of them computes, and none of them can be ended. A process is ended when the request's deadline is over
or its client leaves, and the operating system gives it what the service itself does not need (it runs at a lower
priority). It starts when it is first needed, and ends with the service, however that ends: its socket closes then.
"""

import asyncio
import logging
import os
import pickle
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from struct import Struct
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from api.caller import present_caller
from api.deadline import left
from api.errors import ApprovalApiError, Busy, Refused, UserErrorCode
from plandiff.plan_document import InvalidPlan

Result = TypeVar("Result")

SMALL = 32_768  # bytes of documents that are worked on at once: a few milliseconds
LONGEST = 60.0  # seconds, where no request's deadline is shorter
NICENESS = 5
TRIES = 2  # a process may have been ended from outside while it waited

_LENGTH = Struct("!Q")
_log = logging.getLogger(__name__)


class Calculator:
    """So many processes, each doing one piece of work at a time. Who has work in them waits with the next."""

    def __init__(self, processes: int) -> None:
        self._free = asyncio.Semaphore(processes)
        self._turns: WeakValueDictionary[str | None, asyncio.Lock] = WeakValueDictionary()
        self._idle: list[_Process] = []

    async def run(self, work: partial[Result], *, size: int | None = None) -> Result:
        """What a function of a module comes to; it and what it takes and gives are sent between processes.

        `size`: of the documents in bytes, if small ones may be worked on here and now. One caller's pieces of work wait
        for each other, so that others' come in between. Raises what the function raises, and Busy when there is no
        time for it before the request has to end.
        """
        if size is not None and size <= SMALL:
            return _done(work)
        sent = pickle.dumps(work, protocol=pickle.HIGHEST_PROTOCOL)
        try:
            async with asyncio.timeout(left(LONGEST)), self._turn(), self._free:
                succeeded, result = pickle.loads(await self._answer(sent))  # noqa: S301  # from our own process
        except TimeoutError as error:
            raise Busy("plan-api", "Comparing plans takes longer than a request may; ask for fewer at once") from error
        if not succeeded:
            raise result
        answer: Result = result
        return answer

    def _turn(self) -> asyncio.Lock:
        return self._turns.setdefault(present_caller(), asyncio.Lock())

    async def _answer(self, work: bytes) -> bytes:
        for attempt in range(TRIES):
            process = self._idle.pop() if self._idle else await _started()
            try:
                answer = await process.ask(work)
            except (OSError, EOFError) as error:
                process.end()
                _log.warning("a calculating process has ended", extra={"reason": repr(error)})
                if attempt == TRIES - 1:
                    raise Busy("plan-api", "The plans could not be compared; try again") from error
            except BaseException:  # cancelled: nobody waits for what it is at
                process.end()
                raise
            else:
                self._idle.append(process)
                return answer
        raise AssertionError

    def close(self) -> None:
        """End the processes."""
        for process in self._idle:
            process.end()
        self._idle.clear()


@asynccontextmanager
async def open_calculator(processes: int) -> AsyncIterator[Calculator]:
    """A calculator whose processes end with the block."""
    calculator = Calculator(processes)
    try:
        yield calculator
    finally:
        calculator.close()


class _Process:
    """One process, at the other end of a socket."""

    def __init__(
        self, process: subprocess.Popen[bytes], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer

    async def ask(self, work: bytes) -> bytes:
        """Its answer to a piece of work. Raises OSError or EOFError when it is gone."""
        self._writer.writelines([_LENGTH.pack(len(work)), work])
        await self._writer.drain()
        (length,) = _LENGTH.unpack(await self._reader.readexactly(_LENGTH.size))
        return await self._reader.readexactly(length)

    def end(self) -> None:
        """Whatever it is at."""
        self._process.kill()
        self._process.wait()
        self._writer.close()


async def _started() -> _Process:
    ours, theirs = socket.socketpair()
    with theirs:
        # The path as it is here: what a -m would put first may hold another package of this name.
        program = f"import sys; sys.path[:] = {sys.path!r}; from api.plan_processes import serve; serve()"
        process = subprocess.Popen(  # noqa: S603, ASYNC220  # our own program; starting it does not wait for it
            [sys.executable, "-c", program], stdin=theirs.fileno(), stdout=subprocess.DEVNULL, start_new_session=True
        )
    reader, writer = await asyncio.open_connection(sock=ours, limit=2**20)
    return _Process(process, reader, writer)


def serve() -> None:
    """The program of such a process: work comes in on its standard input, a socket, and answers go out there."""
    os.nice(NICENESS)
    with socket.socket(fileno=0) as connection, connection.makefile("rwb") as stream, suppress(BrokenPipeError):
        while head := stream.read(_LENGTH.size):
            work = pickle.loads(stream.read(*_LENGTH.unpack(head)))  # noqa: S301  # from the service
            answer = pickle.dumps(_outcome(work), protocol=pickle.HIGHEST_PROTOCOL)
            stream.writelines([_LENGTH.pack(len(answer)), answer])
            stream.flush()


def results(works: Sequence[partial[Any]]) -> list[Any]:
    """What each of several comes to: a value, or an error of ours."""
    return [_result(work) for work in works]


def _done(work: partial[Result]) -> Result:
    try:
        return work()
    except InvalidPlan as error:
        raise Refused(UserErrorCode.INVALID_PLAN, str(error), field="draftId") from error


def _result(work: partial[Any]) -> Any:
    try:
        return _done(work)
    except ApprovalApiError as error:
        return error


def _outcome(work: partial[Any]) -> tuple[bool, Any]:
    try:
        return True, _done(work)
    except ApprovalApiError as error:
        return False, error
    except Exception as error:  # noqa: BLE001  # a fault of ours, told where it is logged
        return False, RuntimeError(repr(error)[:1000])
