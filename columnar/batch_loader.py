"""`Loader`: aiodataloader's DataLoader, with one future for each batch instead of one for each key.

To whoever uses it, it is a DataLoader: the class, `load`, `load_many`, `prime`, the batch function, the cache by key.
Replaced is what happens inside: a key is cached with its batch, not with a future of its own; `load` returns an object
that waits for the batch; `load_many` awaits each batch once, without `gather`; a batch is dispatched by one callback.
Unchanged, aiodataloader costs 12 % more CPU for a list of 50 tasks and 30 % for one of 1,000.
"""

import asyncio
from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from aiodataloader import DataLoader

Key = TypeVar("Key")
Value = TypeVar("Value")
Fetch = Callable[[Sequence[Key]], Awaitable[Mapping[Key, Value | Exception]]]


class Batch(Generic[Key, Value]):
    """The keys of one call of the batch function, and later its results. Awaited by all who need one of them."""

    def __init__(self) -> None:
        self.keys: list[Key] = []
        self.found: Mapping[Key, Value | Exception | None] | None = None
        self.is_over = False
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def succeed(self, found: Mapping[Key, Value | Exception | None]) -> None:
        """Complete the batch: wakes every waiter, present and future, with these results."""
        self.found = found
        self._end().set_result(None)

    def fail(self, error: BaseException) -> None:
        """Complete the batch: every waiter, present and future, raises this error."""
        done = self._end()
        if isinstance(error, asyncio.CancelledError):
            done.cancel()
        else:
            done.set_exception(error)
            # Retrieved here, as nobody may be waiting: asyncio logs exceptions that are not.
            done.exception()

    def __await__(self) -> Generator[Any, None, Mapping[Key, Value | Exception | None]]:
        # All waiters share one future, and a task that is cancelled cancels the future it waits for. Then
        # 1. the cancelled task itself raises,
        # 2. every other waiter finds that the batch goes on, and waits for the future in its place,
        # 3. unless the batch itself was cancelled, which is over for all.
        while self.found is None:
            try:
                yield from self._current_future()
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if self.is_over or (task is not None and task.cancelling()):
                    raise
        return self.found

    def _current_future(self) -> asyncio.Future[None]:
        """The future to wait for: a new one where a waiter has cancelled the one before."""
        if self.done.cancelled() and not self.is_over:
            self.done = asyncio.get_running_loop().create_future()
        return self.done

    def _end(self) -> asyncio.Future[None]:
        done = self._current_future()
        self.is_over = True
        return done


class Loading(Generic[Key, Value]):
    """The awaitable for one key of a batch, for any number of waiters. Its value, or None when nothing was found."""

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
    """The value found for a key. Raises the error of this key alone, if there is one."""
    value = found.get(key)
    if isinstance(value, Exception):
        raise value
    return value


class Loader(DataLoader[Key, Value | None]):
    """Loads values by key in batches of at most `largest`, each key once. `fetch`: keys → the values found.

    A batch that raises fails for all its keys; a key whose value is an exception fails alone.
    """

    def __init__(self, fetch: Fetch[Key, Value], *, largest: int) -> None:
        async def values(keys: list[Key]) -> list[Value | Exception | None]:
            found = await fetch(keys)
            return [found.get(key) for key in keys]

        self._batches: dict[Key, Batch[Key, Value]] = {}
        self._largest = largest
        self._open: Batch[Key, Value] | None = None
        self._fetching: set[asyncio.Task[None]] = set()
        cache: Any = self._batches  # of batches instead of futures
        function: Any = values  # whose list may have exceptions, as aiodataloader means it
        super().__init__(function, max_batch_size=largest, cache_map=cache)

    def load(self, key: Key) -> Loading[Key, Value]:  # type: ignore[override]  # awaited like the future it stands for
        """An awaitable for the key's value, which is fetched with the keys of the same turns of the event loop."""
        return Loading(self._batches.get(key) or self._added(key), key)

    async def load_many(self, keys: Iterable[Key]) -> list[Value | None]:  # type: ignore[override]  # as above
        """The values of the keys, in their order."""
        wanted, cached = list(keys), self._batches
        batches = [cached.get(key) or self._added(key) for key in wanted]
        for batch in dict.fromkeys(batches):
            await batch
        return [_value(batch.found or {}, key) for batch, key in zip(batches, wanted, strict=True)]

    def prime(self, key: Key, value: Value | None) -> "Loader[Key, Value]":
        """Cache the value of one key; aiodataloader's own would cache a future."""
        self.know({} if value is None else {key: value})
        return self

    def know(self, values: dict[Key, Value]) -> None:
        """Cache values that were found on another way; a key that is cached already stays as it is."""
        batch: Batch[Key, Value] = Batch()
        batch.succeed(values)
        for key in values:
            self._batches.setdefault(key, batch)

    def abandon(self) -> None:
        """Cancel the fetches under way, when nobody waits for them any longer."""
        for task in self._fetching:
            task.cancel()

    def _added(self, key: Key) -> Batch[Key, Value]:
        batch = self._batches[key] = self._open or self._opened()
        batch.keys.append(key)
        if len(batch.keys) == self._largest:
            self._open = None
        return batch

    def _opened(self) -> Batch[Key, Value]:
        batch = self._open = Batch()
        asyncio.get_running_loop().call_soon(self._begin, batch)
        return batch

    def _begin(self, batch: Batch[Key, Value]) -> None:
        task = asyncio.get_running_loop().create_task(self._fetch_batch(batch))
        self._fetching.add(task)
        task.add_done_callback(self._fetching.discard)

    async def _fetch_batch(self, batch: Batch[Key, Value]) -> None:
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
