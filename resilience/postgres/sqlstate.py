"""What an error of PostgreSQL means for the caller: SQLSTATE → a failure."""

from collections.abc import Mapping

import psycopg
from psycopg import errors

from resilience.failures import (
    Busy,
    Denied,
    Misconfigured,
    ServiceError,
    TimedOut,
    Unreachable,
    UpstreamFailed,
    WriteRefused,
)

Messages = Mapping[type[ServiceError], str]
"""What people are told of each kind of failure: Unreachable, TimedOut, Busy, Denied, WriteRefused, Unstorable,
Misconfigured."""

LONGEST_DETAIL = 500
_NOT_AS_CONFIGURED = (errors.UndefinedTable, errors.UndefinedColumn, errors.InvalidSchemaName)
_KINDS: tuple[tuple[tuple[type[psycopg.Error], ...], type[UpstreamFailed]], ...] = (
    ((errors.QueryCanceled, errors.LockNotAvailable), TimedOut),
    ((errors.SerializationFailure, errors.DeadlockDetected), Busy),
    ((errors.InsufficientPrivilege,), Denied),
)
_TAKEN = (errors.UniqueViolation, errors.ExclusionViolation)
_CONNECTION = ("08", "53", "57", "58")  # classes of SQLSTATE: it breaks, has no room, shuts down, or fails


def failure_of(error: psycopg.Error, upstream: str, messages: Messages) -> UpstreamFailed | Misconfigured:
    """The failure that an error of PostgreSQL means. Its own words are the `detail`, which clients must not read."""
    if isinstance(error, _NOT_AS_CONFIGURED):
        return Misconfigured(messages[Misconfigured])
    detail = detail_of(error)
    for errors_alike, kind in _KINDS:
        if isinstance(error, errors_alike):
            return kind(upstream, messages[kind], detail=detail)
    state = error.sqlstate
    if (state or "").startswith(_CONNECTION) or (state is None and isinstance(error, psycopg.OperationalError)):
        return Unreachable(upstream, messages[Unreachable], detail=detail)
    return WriteRefused(upstream, messages[WriteRefused], detail=detail, is_taken=isinstance(error, _TAKEN))


def detail_of(error: psycopg.Error) -> str:
    """Message, constraint and column as PostgreSQL says them; never its DETAIL, which quotes rows."""
    message = error.diag.message_primary or str(error).partition("\n")[0]
    named = (("constraint", error.diag.constraint_name), ("column", error.diag.column_name))
    more = [f"{what} {name}" for what, name in named if name and name not in message]
    return "; ".join([message, *more])[:LONGEST_DETAIL]
