"""PostgreSQL's errors translated to UpstreamFailed, and texts that a database can not hold."""

import codecs
import re
from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import errors

from api.errors import Busy, Denied, Misconfigured, TimedOut, Unreachable, UpstreamFailed, WriteRefused

LONGEST_DETAIL = 500
_UNKNOWN = "UTF8"  # takes every text that can be sent at all
_ALIASES = {"SQL_ASCII": _UNKNOWN, "MULE_INTERNAL": _UNKNOWN, "EUC_TW": _UNKNOWN, "KOI8R": "koi8_r", "KOI8U": "koi8_u"}
_NOT_AS_CONFIGURED = (errors.UndefinedTable, errors.UndefinedColumn, errors.InvalidSchemaName)
_KINDS: tuple[tuple[tuple[type[psycopg.Error], ...], type[UpstreamFailed], str], ...] = (
    ((errors.QueryCanceled, errors.LockNotAvailable), TimedOut, "The drafts database did not answer in time"),
    ((errors.SerializationFailure, errors.DeadlockDetected), Busy, "Other writes to the drafts got in between"),
    ((errors.InsufficientPrivilege,), Denied, "The drafts database denies a right: run `plan-api check`"),
)
_TAKEN = (errors.UniqueViolation, errors.ExclusionViolation)
_CONNECTION = ("08", "53", "57", "58")  # classes of SQLSTATE: it breaks, has no room, shuts down, or fails


def failure_of(error: psycopg.Error, table: str) -> UpstreamFailed | Misconfigured:
    """The failure that an error of PostgreSQL means. Its own words are the `detail`, for log and incident alone."""
    if isinstance(error, _NOT_AS_CONFIGURED):
        return Misconfigured(f"The drafts table {table} is not as configured: run `plan-api check`.")
    detail = detail_of(error)
    for errors_alike, kind, message in _KINDS:
        if isinstance(error, errors_alike):
            return kind("retool", message, detail=detail)
    state = error.sqlstate
    if (state or "").startswith(_CONNECTION) or (state is None and isinstance(error, psycopg.OperationalError)):
        return Unreachable("retool", "The drafts database can not be reached", detail=detail)
    message = "The drafts database refused a statement: run `plan-api check`, and see the log"
    return WriteRefused("retool", message, detail=detail, is_taken=isinstance(error, _TAKEN))


def detail_of(error: psycopg.Error) -> str:
    """Message, constraint and column as PostgreSQL says them; never its DETAIL, which quotes rows."""
    message = error.diag.message_primary or str(error).partition("\n")[0]
    named = (("constraint", error.diag.constraint_name), ("column", error.diag.column_name))
    more = [f"{what} {name}" for what, name in named if name and name not in message]
    return "; ".join([message, *more])[:LONGEST_DETAIL]


def held(values: Sequence[object], encoding: str, *, writes: bool) -> list[Any]:
    """The values of a statement, as far as a database of this encoding can hold them.

    What it can not hold is none of its texts, so a read compares with NULL in its place, which nothing equals. A write
    raises WriteRefused.
    """
    codec = _codec(encoding)
    found = [_held(value, codec) for value in values]
    if writes and (lost := [n for n, value in enumerate(values) if found[n] != value]):
        message = "The drafts database can not hold a character of this"
        raise WriteRefused("retool", message, detail=f"{codec} has no such character", position=lost[0])
    return found


def _held(value: object, codec: str) -> object:
    if isinstance(value, list):
        return [_held(each, codec) for each in value]
    return value if not isinstance(value, str) or _is_held(value, codec) else None


def _is_held(text: str, codec: str) -> bool:
    if text.isascii():
        return "\x00" not in text
    try:
        text.encode(codec)
    except UnicodeEncodeError:
        return False
    return "\x00" not in text


def _codec(encoding: str) -> str:
    """Python's codec for an encoding as PostgreSQL names it."""
    name = re.sub(r"^WIN", "cp", _ALIASES.get(encoding, encoding))
    try:
        return codecs.lookup(name).name
    except LookupError:
        return _UNKNOWN
