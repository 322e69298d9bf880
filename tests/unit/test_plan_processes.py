"""The processes in which plans are compared: what comes back, and what becomes of work that has to end."""

import asyncio
import os
import signal
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from api.caller import asked_by
from api.deadline import with_deadline
from api.errors import Busy, Refused, UserErrorCode
from api.plan_processes import SMALL, PlanProcesses
from plandiff import plan_document


async def pid(processes: PlanProcesses) -> int:
    """Of the process that works next."""
    return await processes.run(partial(os.getpid))


def is_alive(process_id: int) -> bool:
    """Whether there is such a process; one that was ended is waited for."""
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True


def test_small_work_is_done_here_and_the_rest_in_one_process_that_stays() -> None:
    async def work() -> tuple[int, int, int]:
        processes = PlanProcesses(1)
        here = await processes.run(partial(os.getpid), size=SMALL)
        return here, await processes.run(partial(os.getpid), size=SMALL + 1), await pid(processes)

    here, there, again = asyncio.run(work())
    assert (here, there) == (os.getpid(), again)
    assert there != here
    assert not is_alive(there), "it ends with the service"


def test_errors_come_back_as_they_were_raised() -> None:
    async def work(broken: partial[Any]) -> None:
        processes = PlanProcesses(1)
        await processes.run(broken)

    with pytest.raises(Refused, match="must be a FHIR InsurancePlan") as refused:
        asyncio.run(work(partial(plan_document.parse, "{}", max_bytes=10)))
    assert (refused.value.code, refused.value.field) == (UserErrorCode.INVALID_PLAN, "draftId")
    with pytest.raises(ZeroDivisionError):
        asyncio.run(work(partial(divmod, 1, 0)))


def begin(mark: Path) -> None:
    """Work that has begun once the mark is there, and takes long."""
    mark.touch()
    time.sleep(600)


def test_work_ends_with_its_deadline_and_with_who_waits_for_it(tmp_path: Path) -> None:
    async def work() -> tuple[int, int, int]:
        processes = PlanProcesses(1)
        first = await pid(processes)
        with with_deadline(0.05), pytest.raises(Busy, match="longer than a request may"):
            await processes.run(partial(time.sleep, 600))
        second = await pid(processes)
        waiting = asyncio.create_task(processes.run(partial(begin, tmp_path / "begun")))
        while not (tmp_path / "begun").exists():  # noqa: ASYNC110  # another process makes it
            await asyncio.sleep(0.01)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        return first, second, await pid(processes)

    pids = asyncio.run(work())
    assert len(set(pids)) == 3
    assert not any(map(is_alive, pids))


def test_a_process_that_was_ended_from_outside_is_replaced() -> None:
    async def work() -> tuple[int, int]:
        processes = PlanProcesses(1)
        first = await pid(processes)
        os.kill(first, signal.SIGKILL)
        return first, await pid(processes)

    first, second = asyncio.run(work())
    assert first != second


def test_callers_take_turns() -> None:
    async def work() -> list[str]:
        done: list[str] = []

        async def one(caller: str) -> None:
            with asked_by(caller):
                await processes.run(partial(os.getpid))
            done.append(caller)

        processes = PlanProcesses(1)
        await asyncio.gather(*(one(caller) for caller in ("much", "much", "much", "little")))
        return done

    assert asyncio.run(work()) == ["much", "little", "much", "much"]
