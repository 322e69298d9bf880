"""A semaphore whose slots are shared fairly between callers, with a bounded queue: `FairSemaphore`.

A plain semaphore serves who came first, so that one caller with a hundred requests is served a hundred times before
anybody else is. Here each caller has a FIFO queue of their own, and holds a part of the slots at most, also while
others are free: what they guard is slow for all when one caller keeps it busy. Callers at the same time divide that
part. For one event loop; only `acquire` waits.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Hashable

Waiter = asyncio.Future[bool]  # its result: whether a slot was granted; else it was dropped from the queue


class QueueFull(Exception):
    """The semaphore's queue is full, and this waiter was the newest of the longest one."""


class FairSemaphore:
    """So many slots, `most_each` for one caller, None excepted; at most `most_waiting` wait, all callers together.

    Several callers have `most_each` together, but `least` each in any case.
    """

    def __init__(self, slots: int, *, most_each: int, least: int, most_waiting: int) -> None:
        self._free = slots
        self._most_each = most_each
        self._least = least
        self._most_waiting = most_waiting
        self._waiting = 0
        self._held: Counter[Hashable] = Counter()
        self._present: Counter[Hashable] = Counter()  # what each has and waits for
        # Of callers with waiters alone, in the order of turns: whose turn was last stands at the end.
        self._queues: dict[Hashable, deque[Waiter]] = {}

    async def acquire(self, caller: Hashable) -> None:
        """Wait for a slot, to be given back by `release`. Raises QueueFull."""
        # 1. Nobody is overtaken: what becomes free is granted at once to who waits and may have it, so that where a
        #    slot is free, only those wait who hold as many as they may.
        if self._free and self._may_have(caller):
            self._free -= 1
            self._held[caller] += 1
            self._present[caller] += 1
            return
        # 2. A full queue is shortened where it is longest, not where it grew: one caller can not close it to others.
        waiter: Waiter = asyncio.get_running_loop().create_future()
        self._queues.setdefault(caller, deque()).append(waiter)
        self._waiting += 1
        self._present[caller] += 1
        if self._waiting > self._most_waiting:
            self._drop(caller)
        # 3. A cancellation can come when the slot was granted and this task has not run since: then it is given back.
        #    The waiter itself is cancelled where the cancellation came first, and nothing was granted.
        try:
            is_granted = await waiter
        except asyncio.CancelledError:
            if not waiter.cancelled() and waiter.result():
                self.release(caller)
            elif waiter in self._queues.get(caller, ()):
                self._queues[caller].remove(waiter)
                self._forget(caller)
                self._grant_free()
            raise
        if not is_granted:
            raise QueueFull

    def release(self, caller: Hashable) -> None:
        """Give a slot back: it goes to who waits and holds fewest, by turns among equals."""
        self._held[caller] -= 1
        if not self._held[caller]:
            del self._held[caller]
        self._free += 1
        self._leave(caller)
        self._grant_free()

    def _grant_free(self) -> None:
        while self._free and (having := [each for each in self._queues if self._may_have(each)]):
            # 4. `min` takes the first of equals, which is whose turn was longest ago.
            self._grant(min(having, key=self._held.__getitem__))

    def _may_have(self, caller: Hashable) -> bool:
        if caller is None:
            return True
        callers = len(self._present) - (None in self._present) + (caller not in self._present)
        return self._held[caller] < max(self._least, self._most_each // callers)

    def _leave(self, caller: Hashable) -> None:
        self._present[caller] -= 1
        if not self._present[caller]:
            del self._present[caller]

    def _grant(self, caller: Hashable) -> None:
        queue = self._queues.pop(caller)
        waiter = queue.popleft()
        self._waiting -= 1
        if queue:
            self._queues[caller] = queue
        # 5. A waiter that was cancelled a moment ago is in the queue until its task runs; the next one is looked for.
        if waiter.done():
            self._leave(caller)
        else:
            self._free -= 1
            self._held[caller] += 1
            waiter.set_result(True)

    def _drop(self, newcomer: Hashable) -> None:
        """Tell the newest of the longest queue; among equally long ones the newcomer's, since the others came first."""
        longest = max(self._queues, key=lambda caller: (len(self._queues[caller]), caller == newcomer))
        waiter = self._queues[longest].pop()
        self._forget(longest)
        if not waiter.done():
            waiter.set_result(False)
        self._grant_free()

    def _forget(self, caller: Hashable) -> None:
        """Account for a waiter that is in its queue no longer."""
        self._waiting -= 1
        self._leave(caller)
        if not self._queues[caller]:
            del self._queues[caller]
