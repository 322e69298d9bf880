"""The processes in which plans are compared: what comes back, and what becomes of work that has to end."""

import asyncio
import os
import signal
import time
from functools import partial
from pathlib import Path

import pytest

from api.errors import Busy, Refused, UserErrorCode
from api.plan_processes import PlanProcesses
from plandiff import plan_document
from resilience.caller import asked_by
from resilience.deadline import with_deadline
from resilience.worker_processes import SMALL

pytestmark = pytest.mark.anyio


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


async def test_small_work_is_done_here_and_the_rest_in_one_process_that_stays() -> None:
    processes = PlanProcesses(1)
    here = await processes.run(partial(os.getpid), size=SMALL)
    there, again = await processes.run(partial(os.getpid), size=SMALL + 1), await pid(processes)
    assert (here, there) == (os.getpid(), again)
    assert there != here


def test_its_process_ends_with_the_event_loop() -> None:
    """As the service does."""
    there = asyncio.run(pid(PlanProcesses(1)))
    assert not is_alive(there)


async def test_errors_come_back_as_they_were_raised() -> None:
    processes = PlanProcesses(1)
    with pytest.raises(Refused, match="must be a FHIR InsurancePlan") as refused:
        await processes.run(partial(plan_document.parse, "{}", max_bytes=10))
    assert (refused.value.code, refused.value.field) == (UserErrorCode.INVALID_PLAN, "draftId")
    with pytest.raises(ZeroDivisionError):
        await processes.run(partial(divmod, 1, 0))


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


async def test_a_process_that_was_ended_from_outside_is_replaced() -> None:
    processes = PlanProcesses(1)
    first = await pid(processes)
    os.kill(first, signal.SIGKILL)
    assert await pid(processes) != first


async def test_callers_take_turns() -> None:
    processes, done = PlanProcesses(1), list[str]()

    async def one(caller: str) -> None:
        with asked_by(caller):
            await processes.run(partial(os.getpid))
        done.append(caller)

    await asyncio.gather(*(one(caller) for caller in ("much", "much", "much", "little")))
    assert done == ["much", "little", "much", "much"]
