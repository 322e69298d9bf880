"""The processes in which plans are compared: what comes back, and what becomes of work that has to end."""

import asyncio
import os
import signal
import time
from functools import partial
from typing import Any

import pytest

from api.caller import asked_by
from api.deadline import within
from api.errors import Busy, Refused, UserErrorCode
from api.plan_processes import SMALL, Calculator, open_calculator
from plandiff import plan_document


async def pid(calculator: Calculator) -> int:
    """Of the process that works next."""
    return await calculator.run(partial(os.getpid))


def is_alive(process_id: int) -> bool:
    """Whether there is such a process; one that was ended is waited for by the calculator."""
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True


def test_small_work_is_done_here_and_the_rest_in_one_process_that_stays() -> None:
    async def work() -> tuple[int, int, int]:
        async with open_calculator(1) as calculator:
            here = await calculator.run(partial(os.getpid), size=SMALL)
            return here, await calculator.run(partial(os.getpid), size=SMALL + 1), await pid(calculator)

    here, there, again = asyncio.run(work())
    assert (here, there) == (os.getpid(), again)
    assert there != here
    assert not is_alive(there), "it ends with the service"


def test_errors_come_back_as_they_were_raised() -> None:
    async def work(broken: partial[Any]) -> None:
        async with open_calculator(1) as calculator:
            await calculator.run(broken)

    with pytest.raises(Refused, match="must be a FHIR InsurancePlan") as refused:
        asyncio.run(work(partial(plan_document.parse, "{}", max_bytes=10)))
    assert (refused.value.code, refused.value.field) == (UserErrorCode.INVALID_PLAN, "draftId")
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        asyncio.run(work(partial(divmod, 1, 0)))


def test_work_ends_with_its_deadline_and_with_who_waits_for_it() -> None:
    async def work() -> tuple[int, int, int]:
        async with open_calculator(1) as calculator:
            first = await pid(calculator)
            with within(0.05), pytest.raises(Busy, match="longer than a request may"):
                await calculator.run(partial(time.sleep, 600))
            second = await pid(calculator)
            waiting = asyncio.create_task(calculator.run(partial(time.sleep, 600)))
            await asyncio.sleep(0)  # it is sent: nothing is in its way
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            return first, second, await pid(calculator)

    pids = asyncio.run(work())
    assert len(set(pids)) == 3
    assert not any(map(is_alive, pids))


def test_a_process_that_was_ended_from_outside_is_replaced() -> None:
    async def work() -> tuple[int, int]:
        async with open_calculator(1) as calculator:
            first = await pid(calculator)
            os.kill(first, signal.SIGKILL)
            return first, await pid(calculator)

    first, second = asyncio.run(work())
    assert first != second


def test_callers_take_turns() -> None:
    async def work() -> list[str]:
        done: list[str] = []

        async def one(caller: str) -> None:
            with asked_by(caller):
                await calculator.run(partial(os.getpid))
            done.append(caller)

        async with open_calculator(1) as calculator:
            await asyncio.gather(*(one(caller) for caller in ("much", "much", "much", "little")))
        return done

    assert asyncio.run(work()) == ["much", "little", "much", "much"]
