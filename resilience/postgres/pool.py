"""A pool of connections to a PostgreSQL database that refuses at once.

A connection is made in its caller's task, so that a refusal reaches the caller at once, and the next call connects
anew. psycopg's own pool connects in the background: its callers wait out their whole deadline for a database that
refuses.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import psycopg
from psycopg.abc import Buffer
from psycopg.adapt import Loader
from psycopg.pq import TransactionStatus

Answer = TypeVar("Answer")
Connection = psycopg.AsyncConnection[Any]

LONGEST_IDLE = 300.0  # seconds; firewalls may forget a connection that is silent for long
CANCEL_TIMEOUT = 1.0  # seconds the server has to cancel a statement before its connection is closed


class _AnyText(Loader):
    def load(self, data: Buffer) -> str:
        return bytes(data).decode("utf-8", "replace")


class Connections:
    """A pool of at most `size` connections to `url`, on which this service calls itself `application_name`."""

    def __init__(
        self, url: str, *, size: int, application_name: str, connection_class: type[Connection] = Connection
    ) -> None:
        self.url = url
        self.application_name = application_name
        self.connection_class = connection_class
        self._slots = asyncio.Semaphore(size)
        self._idle: list[tuple[float, Connection]] = []

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection in autocommit mode, for the block. Raises psycopg.OperationalError when none can be made."""
        async with self._slots:
            connection = self._idle_connection() or await self._new()
            try:
                yield connection
            finally:
                await self._give_back(connection)

    async def close(self) -> None:
        """Close the idle connections; those in use are closed when they come back broken, or with the process."""
        while self._idle:
            await self._idle.pop()[1].close()

    def _idle_connection(self) -> Connection | None:
        """The connection used last, so that the others become too old and are closed."""
        oldest = time.monotonic() - LONGEST_IDLE
        while self._idle:
            since, connection = self._idle.pop()
            if since > oldest and not connection.closed:
                return connection
            connection.pgconn.finish()
        return None

    async def _new(self) -> Connection:
        """A new connection, on which the server converts encodings; poolers in transaction mode track this one setting.

        A database without an encoding (SQL_ASCII) has bytes of any: what is not UTF-8 is read with replacements.
        """
        connection = await self.connection_class.connect(
            self.url,
            autocommit=True,
            prepare_threshold=None,
            application_name=self.application_name,
            client_encoding="UTF8",
        )
        if connection.info.parameter_status("server_encoding") == "SQL_ASCII":
            for kind in ("text", "varchar", "name"):
                connection.adapters.register_loader(kind, _AnyText)
            await connection.execute("SET client_encoding TO 'SQL_ASCII'")
        return connection

    async def _give_back(self, connection: Connection) -> None:
        if connection.closed or connection.info.transaction_status != TransactionStatus.IDLE:
            await connection.close()
        else:
            self._idle.append((time.monotonic(), connection))


async def run_with_timeout(seconds: float, work: Coroutine[Any, Any, Answer]) -> Answer:
    """The result of `work`. Raises TimeoutError when the time is over, without waiting for the cancellation.

    The first cancellation asks the server to stop the statement, which a hanging server keeps waiting for ten
    seconds; at the second, psycopg closes the connection.
    """
    task = asyncio.create_task(work)
    try:
        done, _ = await asyncio.wait([task], timeout=seconds)
    finally:
        if not task.done():
            task.cancel()
            task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
            asyncio.get_running_loop().call_later(CANCEL_TIMEOUT, task.cancel)
    if not done:
        raise TimeoutError
    return task.result()
