"""Statements to a PostgreSQL database: `Database.rows`, with its deadline, retries and the translation of errors."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

import psycopg
from psycopg import sql

from resilience.circuit_breaker import CircuitBreaker
from resilience.deadline import seconds_left
from resilience.failures import TimedOut, Unreachable, Unstorable, UpstreamFailed
from resilience.observation import Observe, logged, observed
from resilience.postgres.encoding import codec_of, storable
from resilience.postgres.pool import Connections, run_with_timeout
from resilience.postgres.sqlstate import Messages, failure_of
from resilience.retry import with_retries

Send = Callable[[], Awaitable[list[Any]]]


class Database:
    """A database over one connection pool, and the deadline, tries and slots of statements to it.

    `name`: in errors and logs. `deadline`: of a statement with all its tries, in seconds. `messages`: what people are
    told of each kind of failure.
    """

    def __init__(
        self,
        name: str,
        connections: Connections,
        *,
        deadline: float,
        tries: int,
        breaker: CircuitBreaker,
        messages: Messages,
        observe: Observe,
    ) -> None:
        self.name = name
        self.connections = connections
        self.deadline = deadline
        self.tries = tries
        self.breaker = breaker
        self.messages = messages
        self._observe = observe

    async def rows(
        self, statement: sql.SQL | sql.Composed, values: Sequence[object], shape: Any, *, writes: bool = False
    ) -> list[Any]:
        """Run one idempotent statement; its rows as `shape` (a row factory of psycopg) makes them.

        It is run again, on a new connection, if the first turns out broken. `writes`: a text that the database can not
        hold is refused, rather than compared with nothing. Raises UpstreamFailed, logged once, or Misconfigured.
        """
        seconds = seconds_left(self.deadline)
        with observed(self.name, self._observe):
            try:
                async with self.breaker.slot(seconds):
                    return await self._in_time(partial(self._once, statement, values, shape, writes=writes), seconds)
            except UpstreamFailed as failure:
                raise logged(failure, reason=failure.detail) from failure.__cause__

    async def _in_time(self, send: Send, seconds: float) -> list[Any]:
        try:
            return await run_with_timeout(seconds, with_retries(send, tries=self.tries, seconds=seconds))
        except TimeoutError as error:
            raise TimedOut(self.name, self.messages[TimedOut]) from error

    async def _once(
        self, statement: sql.SQL | sql.Composed, values: Sequence[object], shape: Any, *, writes: bool
    ) -> list[Any]:
        try:
            async with self.connections.connection() as connection, connection.cursor(row_factory=shape) as cursor:
                encoding = connection.info.parameter_status("server_encoding") or "UTF8"
                await cursor.execute(statement, self._storable(values, encoding, writes=writes))
                return await cursor.fetchall() if cursor.description else []
        except psycopg.Error as error:
            failure = failure_of(error, self.name, self.messages)
            if isinstance(failure, Unreachable):  # the others are as likely to be broken
                await self.connections.close()
            raise failure from error

    def _storable(self, values: Sequence[object], encoding: str, *, writes: bool) -> list[Any]:
        """The values as far as the database can hold them. Raises Unstorable for a write of others."""
        found = storable(values, encoding)
        if writes and (lost := [n for n, value in enumerate(values) if found[n] != value]):
            detail = f"{codec_of(encoding)} has no such character"
            raise Unstorable(self.name, self.messages[Unstorable], detail=detail, position=lost[0])
        return found
