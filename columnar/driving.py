"""Many resolvers at once, without a task for each: coroutines that wait for the same batch are resumed together.

Called by running.py. While a coroutine runs here no task is current, so whatever needs one (a time-out, a task group)
refuses at once instead of taking another's; who gets that refusal runs them as tasks.
"""

import asyncio
from asyncio import tasks
from collections.abc import Coroutine, Sequence
from contextvars import Context, copy_context
from typing import Any, NamedTuple

Step = Coroutine[Any, Any, Any]


class Driven(NamedTuple):
    """A coroutine under way, with its place in the list and a context of its own, as a task would have one."""

    number: int
    coroutine: Step
    context: Context


async def drive(coroutines: Sequence[Step]) -> list[Any]:
    """What they return, in their order. Raises the first exception that one of them raises; the others are closed."""
    results: list[Any] = [None] * len(coroutines)
    ready = [Driven(number, each, copy_context()) for number, each in enumerate(coroutines)]
    waiting: dict[asyncio.Future[Any] | None, list[Driven]] = {}
    try:
        while True:
            _resume(ready, waiting, results)
            if not waiting:
                return results
            ready = await _next(waiting)
    finally:
        for each in coroutines:
            each.close()


async def together(coroutines: Sequence[Step]) -> list[Any]:
    """As `drive`, each in a task of its own."""
    started = [asyncio.ensure_future(each) for each in coroutines]
    try:
        return await asyncio.gather(*started)
    except BaseException:
        for each in started:
            each.cancel()
        await asyncio.gather(*started, return_exceptions=True)
        raise


def _resume(
    ready: Sequence[Driven], waiting: dict[asyncio.Future[Any] | None, list[Driven]], results: list[Any]
) -> None:
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None  # noqa: S101  # a coroutine of ours runs in one
    tasks._leave_task(loop, task)  # noqa: SLF001  # documented for who writes tasks of their own
    try:
        for each in ready:
            try:
                awaited = each.context.run(each.coroutine.send, None)
            except StopIteration as ended:
                results[each.number] = ended.value
                continue
            if awaited is not None:
                awaited._asyncio_future_blocking = False  # noqa: SLF001  # how a task tells that it got the future
            waiting.setdefault(awaited, []).append(each)
    finally:
        tasks._enter_task(loop, task)  # noqa: SLF001


async def _next(waiting: dict[asyncio.Future[Any] | None, list[Driven]]) -> list[Driven]:
    """Those that can go on: what they waited for is done. A bare yield waits for the next round of the event loop."""
    if None in waiting:
        await asyncio.sleep(0)
        return waiting.pop(None)
    futures = [future for future in waiting if future is not None]
    done, _ = await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)
    return [each for future in futures if future in done for each in waiting.pop(future)]
