"""`Loader`, aiodataloader's with cheaper waiting. Used by loaders.py, one for each question.

All who wait for a batch wait for one future instead of one a key, so a thousand keys cost little more than one; a list
of keys is asked for as cheaply as it is passed on.
"""

import asyncio
from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from aiodataloader import DataLoader

Key = TypeVar("Key")
Value = TypeVar("Value")
Fetch = Callable[[Sequence[Key]], Awaitable[Mapping[Key, Value | Exception]]]


class Batch(Generic[Key, Value]):
    """Keys that are asked for together, and later what was found."""

    def __init__(self) -> None:
        self.keys: list[Key] = []
        self.found: Mapping[Key, Value | Exception | None] | None = None
        self.is_over = False
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def succeed(self, found: Mapping[Key, Value | Exception | None]) -> None:
        """Tell all who wait, or ask for one of its keys later."""
        self.found = found
        self._end().set_result(None)

    def fail(self, error: BaseException) -> None:
        """As `succeed`."""
        done = self._end()
        if isinstance(error, asyncio.CancelledError):
            done.cancel()
        else:
            done.set_exception(error)
            done.exception()  # seen: nobody may be waiting

    def __await__(self) -> Generator[Any, None, Mapping[Key, Value | Exception | None]]:
        while self.found is None:
            try:
                yield from self._waited()
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if self.is_over or (task is not None and task.cancelling()):
                    raise
        return self.found

    def _waited(self) -> asyncio.Future[None]:
        """What to wait for. A task that is cancelled cancels what it waits for, and the batch is not its own."""
        if self.done.cancelled() and not self.is_over:
            self.done = asyncio.get_running_loop().create_future()
        return self.done

    def _end(self) -> asyncio.Future[None]:
        done = self._waited()
        self.is_over = True
        return done


class Loading(Generic[Key, Value]):
    """One key of a batch, to be awaited, by many and many times. Its value, or None when nothing was found."""

    __slots__ = ("batch", "key")

    def __init__(self, batch: Batch[Key, Value], key: Key) -> None:
        self.batch = batch
        self.key = key

    def __await__(self) -> Generator[Any, None, Value | None]:
        found = self.batch.found
        if found is None:
            found = yield from self.batch.__await__()
        return _value(found, self.key)


def _value(found: Mapping[Key, Value | Exception | None], key: Key) -> Value | None:
    """What was found of a key. Raises what went wrong with this one alone."""
    value = found.get(key)
    if isinstance(value, Exception):
        raise value
    return value


class Loader(DataLoader[Key, Value | None]):
    """Batches over `fetch`, no larger than `largest`. Each key is asked for once.

    A batch that raises fails for all its keys; a key whose value is an exception fails alone.
    """

    def __init__(self, fetch: Fetch[Key, Value], *, largest: int) -> None:
        async def values(keys: list[Key]) -> list[Value | Exception | None]:
            found = await fetch(keys)
            return [found.get(key) for key in keys]

        self._asked: dict[Key, Batch[Key, Value]] = {}
        self._largest = largest
        self._open: Batch[Key, Value] | None = None
        self._fetching: set[asyncio.Task[None]] = set()
        cache: Any = self._asked  # of batches instead of futures
        function: Any = values  # whose list may have exceptions, as aiodataloader means it
        super().__init__(function, max_batch_size=largest, cache_map=cache)

    def load(self, key: Key) -> Loading[Key, Value]:  # type: ignore[override]  # awaited like the future it stands for
        """The key's value, later: it is asked for with what else is asked before the event loop's next rounds."""
        return Loading(self._asked.get(key) or self._added(key), key)

    async def load_many(self, keys: Iterable[Key]) -> list[Value | None]:  # type: ignore[override]  # as above
        """The keys' values, in their order."""
        wanted, asked = list(keys), self._asked
        batches = [asked.get(key) or self._added(key) for key in wanted]
        for batch in dict.fromkeys(batches):
            await batch
        return [_value(batch.found or {}, key) for batch, key in zip(batches, wanted, strict=True)]

    def prime(self, key: Key, value: Value | None) -> "Loader[Key, Value]":
        """As `know`, of one."""
        self.know({} if value is None else {key: value})
        return self

    def know(self, values: dict[Key, Value]) -> None:
        """What was found on another way, and so is not asked for."""
        batch: Batch[Key, Value] = Batch()
        batch.succeed(values)
        for key in values:
            self._asked.setdefault(key, batch)

    def abandon(self) -> None:
        """End what is being asked: nobody waits for it any longer."""
        for task in self._fetching:
            task.cancel()

    def _added(self, key: Key) -> Batch[Key, Value]:
        batch = self._asked[key] = self._open or self._opened()
        batch.keys.append(key)
        if len(batch.keys) == self._largest:
            self._open = None
        return batch

    def _opened(self) -> Batch[Key, Value]:
        batch = self._open = Batch()
        asyncio.get_running_loop().call_soon(self._begin, batch)
        return batch

    def _begin(self, batch: Batch[Key, Value]) -> None:
        task = asyncio.get_running_loop().create_task(self._ask(batch))
        self._fetching.add(task)
        task.add_done_callback(self._fetching.discard)

    async def _ask(self, batch: Batch[Key, Value]) -> None:
        if self._open is batch:
            self._open = None
        try:
            values = await self.batch_load_fn(batch.keys)
        except BaseException as error:
            batch.fail(error)
            if not isinstance(error, Exception):
                raise
        else:
            batch.succeed(dict(zip(batch.keys, values, strict=True)))
