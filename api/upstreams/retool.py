"""Retool's PostgreSQL: the drafts, and the conditional writes that are made to them.

Loaders and coordination read through it; coordination writes. Every write says in its WHERE what must still hold,
so it can be repeated without harm and a lost race changes nothing. Table and column names come from the settings.
"""

import logging
import re
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, LiteralString, TypeVar

import msgspec
import psycopg
from psycopg import sql
from psycopg.rows import args_row, dict_row, scalar_row

from api import telemetry
from api.deadline import left
from api.errors import Misconfigured, TimedOut, Unreachable, UpstreamFailed
from api.upstreams.capacity import Capacity
from api.upstreams.connections import Connection, Connections, within
from api.upstreams.draft_ids import as_key, is_text
from api.upstreams.drafts import (
    STATUSES,
    WHOLE,
    Columns,
    Draft,
    DraftFilter,
    Parts,
    Waiting,
    table_name,
)
from api.upstreams.repeating import sent_again

Row = TypeVar("Row")
Send = Callable[[], Awaitable[list[Any]]]

JSON_TYPES = ("jsonb", "json")
SETUP_LOCK = 7_265_013_318_221_846_001  # any number, the same for all who set up
SWEEP_LOCK = 7_265_013_318_221_846_002  # as above, for all who sweep

_WILD = re.compile(r"[\\%_]")  # in a pattern of LIKE

_LEFT_OUT = sql.SQL("NULL::text")

_log = logging.getLogger(__name__)


class Retool:
    """The drafts table over one connection pool. Every method raises UpstreamFailed when it can not be asked."""

    def __init__(
        self, connections: Connections, columns: Columns, *, deadline: float, tries: int, capacity: Capacity
    ) -> None:
        self.connections = connections
        self.columns = columns
        self.deadline = deadline
        self.tries = tries
        self.capacity = capacity
        self._types: dict[str, str] | None = None
        self._heads: dict[Parts, sql.SQL] = {}  # put together once: that takes longer than to send it

    # Reading

    async def draft(self, draft_id: str) -> Draft | None:
        """One draft as it is now."""
        return (await self.drafts_by_id([draft_id])).get(draft_id)

    async def drafts_by_id(self, draft_ids: Sequence[str], *, parts: Parts = WHOLE) -> dict[str, Draft]:
        """Drafts by the ids they were asked by; ids that can not be ids of this table are simply absent."""
        id_type = await self._type_of_ids()
        keys = {draft_id: key for draft_id in draft_ids if (key := as_key(draft_id, id_type)) is not None}
        if not keys:
            return {}
        where = sql.SQL("{id} = ANY(%s::text[]::{type}[])").format(id=self._name("id"), type=sql.SQL(id_type))
        found = {draft.id: draft for draft in await self._select(where, [list(keys.values())], parts)}
        return {asked: found[key] for asked, key in keys.items() if key in found}

    async def can_have(self, draft_id: str) -> bool:
        """Whether it can be an id of this table."""
        return as_key(draft_id, await self._type_of_ids()) is not None

    async def drafts_by_plan(self, plan_ids: Sequence[str], *, parts: Parts = WHOLE) -> dict[str, Draft]:
        """For each plan of the store the draft that edits it or became it, the last touched one."""
        return await self._by("aidbox_id", plan_ids, parts)

    async def _by(self, column: str, values: Sequence[str], parts: Parts) -> dict[str, Draft]:
        asked = [value for value in values if is_text(value)]
        if not asked:
            return {}
        where = sql.SQL("{column}::text = ANY(%s) ORDER BY {updated_at} NULLS FIRST").format(
            column=self._name(column), updated_at=self._row("updated_at")
        )
        return {getattr(draft, column): draft for draft in await self._select(where, [asked], parts)}

    async def submitted_processes(self, name_part: str, *, limit: int) -> list[str]:
        """The processes of submitted drafts with this in their names, in any case; so many at most."""
        statement = sql.SQL(
            "SELECT {process}::text FROM {table} WHERE {name}::text ILIKE %s AND lower({status}::text) = 'submitted'"
            " AND {process} IS NOT NULL LIMIT %s"
        ).format(
            process=self._name("camunda_process_id"),
            table=self._table(),
            name=self._name("name"),
            status=self._name("status"),
        )
        found: list[str] = await self._rows(statement, [_containing(name_part), limit], scalar_row)
        return found

    async def page(
        self,
        narrowed: DraftFilter,
        sort: Sequence[tuple[str, bool]],
        *,
        limit: int,
        offset: int,
        parts: Parts = WHOLE,
    ) -> list[Draft]:
        """A page of drafts; `sort` names (key of SORT_KEYS, descending)."""
        where, values = self._condition(narrowed)
        order = [
            sql.SQL("{column} {way} NULLS LAST").format(
                column=self._row(key), way=sql.SQL("DESC" if descending else "ASC")
            )
            for key, descending in (*sort, ("id", False))
        ]
        tail = sql.SQL("{where} ORDER BY {order} LIMIT %s OFFSET %s").format(
            where=where, order=sql.SQL(", ").join(order)
        )
        return await self._select(tail, [*values, limit, offset], parts)

    async def count(self, narrowed: DraftFilter) -> int:
        """How many drafts match."""
        where, values = self._condition(narrowed)
        statement = sql.SQL("SELECT count(*) FROM {table} WHERE {where}").format(table=self._table(), where=where)
        found: list[int] = await self._rows(statement, values, scalar_row)
        return found[0]

    async def submitted(self, after_id: str | None, *, limit: int) -> list[Waiting]:
        """Drafts in approval by their id, from after this one on."""
        statement = sql.SQL(
            "SELECT {id}::text AS id, {process}::text AS process_id FROM {table}"
            " WHERE lower({status}::text) = 'submitted' AND {id}::text > %s ORDER BY {id}::text LIMIT %s"
        ).format(
            id=self._name("id"),
            process=self._name("camunda_process_id"),
            status=self._name("status"),
            table=self._table(),
        )
        found: list[Waiting] = await self._rows(statement, [after_id or "", limit], args_row(Waiting))
        return found

    def _condition(self, narrowed: DraftFilter) -> tuple[sql.Composable, list[object]]:
        parts: list[sql.Composable] = [sql.SQL("true")]
        values: list[object] = []
        if narrowed.statuses is not None:
            parts.append(sql.SQL("{status} = ANY(%s)").format(status=self._status()))
            values.append(list(narrowed.statuses))
        named = narrowed.name_contains
        wanted: tuple[tuple[LiteralString, str, str | None], ...] = (
            ("{}::text = %s", "created_by", narrowed.created_by),
            ("{}::text = %s", "aidbox_id", narrowed.aidbox_id),
            ("{}::text ILIKE %s", "name", named if named is None else _containing(named)),
        )
        for template, column, value in wanted:
            if value is not None:
                parts.append(sql.SQL(template).format(self._name(column)))
                values.append(value.replace("\x00", ""))
        if narrowed.reader is not None:
            parts.append(self._read_by())
            pairs = [pair for pair in narrowed.reader.submitted if is_text(pair[0])]
            process_ids = [process_id for _, process_id in pairs]
            values += [narrowed.reader.user_id, process_ids, process_ids, [draft_id for draft_id, _ in pairs]]
        return sql.SQL(" AND ").join(parts), values

    def _read_by(self) -> sql.Composable:
        return sql.SQL(
            "(lower(btrim({author}::text)) = %s"
            " OR ({process}::text = ANY(%s)"
            " AND ({process}::text, {id}::text) IN (SELECT * FROM unnest(%s::text[], %s::text[])))"
            " OR ({author} IS NULL AND {process} IS NULL))"
        ).format(id=self._name("id"), author=self._name("created_by"), process=self._name("camunda_process_id"))

    # Writing

    async def register(
        self, draft_id: str, process_id: str, *, revision: str | None, previous_process_id: str | None
    ) -> bool:
        """Note the process on the draft, if the draft is still as its submission found it; whether it was.

        Comparing the process noted before lets each submission register once: neither a twin of it nor a late
        repeat finds the draft as it was. `revision` None takes whatever is written now.
        """
        condition = sql.SQL(
            "lower({status}::text) IS DISTINCT FROM 'submitted' AND {process}::text IS NOT DISTINCT FROM %s"
            " AND {revision} = coalesce(%s, {revision})"
        ).format(status=self._name("status"), process=self._name("camunda_process_id"), revision=self._revision())
        written = {"status": "submitted", "camunda_process_id": process_id}
        return await self._update(draft_id, written, condition, [previous_process_id, revision])

    async def record_outcome(self, draft_id: str, process_id: str | None, outcome: str) -> bool:
        """Write how the process ended on its draft; False when the draft does not wait for it (any longer)."""
        return await self._conclude(draft_id, process_id, {"status": outcome})

    async def mark_published(self, draft_id: str, process_id: str | None, plan_id: str) -> bool:
        """Write the published plan's id on its draft; False when the draft does not wait for it (any longer)."""
        return await self._conclude(draft_id, process_id, {"status": "approved", "aidbox_id": plan_id})

    async def rewrite(self, draft_id: str, plan_data: str, *, revision: str, status: str | None) -> bool:
        """Write another plan (and status) on the draft, if it is still of this revision and in no approval."""
        condition = sql.SQL("lower({status}::text) IS DISTINCT FROM 'submitted' AND {revision} = %s").format(
            status=self._name("status"), revision=self._revision()
        )
        written = {"plan_data": plan_data} if status is None else {"plan_data": plan_data, "status": status}
        return await self._update(draft_id, written, condition, [revision])

    async def insert(
        self, draft_id: str | None, name: str, plan_data: str, *, aidbox_id: str, created_by: str
    ) -> str | None:
        """Write a new draft; its id. None when the id given is taken, or none of this table.

        Without one, a UUID is made here, so that a statement sent twice makes one draft; only a table whose ids are
        numbers gives its own.
        """
        id_type = await self._type_of_ids()
        key = as_key(draft_id or str(uuid.uuid4()), id_type)
        if key is None and draft_id is not None:
            return None
        written = {"name": name, "status": "draft", "plan_data": plan_data, "aidbox_id": aidbox_id}
        written |= {"created_by": created_by} | ({} if key is None else {"id": key})
        statement = sql.SQL(
            "INSERT INTO {table} ({columns}, {updated_at}) VALUES ({values}, now()) ON CONFLICT DO NOTHING"
            " RETURNING {id}::text"
        ).format(
            table=self._table(),
            columns=sql.SQL(", ").join(self._name(column) for column in written),
            updated_at=self._name("updated_at"),
            values=sql.SQL(", ").join(sql.Placeholder() * len(written)),
            id=self._name("id"),
        )
        made: list[str] = await self._rows(statement, list(written.values()), scalar_row)
        return made[0] if made else (None if draft_id else key)

    async def _conclude(self, draft_id: str, process_id: str | None, written: Mapping[str, str]) -> bool:
        condition = sql.SQL("lower({status}::text) = 'submitted' AND {process}::text IS NOT DISTINCT FROM %s").format(
            status=self._name("status"), process=self._name("camunda_process_id")
        )
        return await self._update(draft_id, written, condition, [process_id])

    async def _update(
        self, draft_id: str, written: Mapping[str, str], condition: sql.Composable, values: Sequence[object]
    ) -> bool:
        id_type = await self._type_of_ids()
        key = as_key(draft_id, id_type)
        if key is None:
            return False
        assignments = sql.SQL(", ").join(sql.SQL("{} = %s").format(self._name(column)) for column in written)
        statement = sql.SQL(
            "UPDATE {table} SET {assignments}, {updated_at} = now() WHERE {id} = {key} AND {condition} RETURNING 1"
        ).format(
            table=self._table(),
            assignments=assignments,
            updated_at=self._name("updated_at"),
            id=self._name("id"),
            key=sql.SQL("%s::text::{}").format(sql.SQL(id_type)),
            condition=condition,
        )
        return bool(await self._rows(statement, [*written.values(), key, *values], scalar_row))

    # The statement

    async def _select(self, tail: sql.Composable, values: Sequence[object], parts: Parts) -> list[Draft]:
        if parts not in self._heads:
            self._heads[parts] = sql.SQL(self._head(parts).as_string())
        statement = self._heads[parts] + tail
        drafts: list[Draft] = await self._rows(statement, values, args_row(Draft))
        if not parts.plan or (await self._column_types())["plan_data"] in JSON_TYPES:
            return drafts
        return [msgspec.structs.replace(draft, plan=_as_json(draft.plan_data)) for draft in drafts]

    def _head(self, parts: Parts) -> sql.Composed:
        """What is selected, up to the condition."""
        return sql.SQL(
            "SELECT {id}::text AS id, coalesce({name}::text, '') AS name,"
            " {status} AS status, {plan} AS plan, {revision} AS fingerprint,"
            " {aidbox_id}::text AS aidbox_id, {process}::text AS camunda_process_id,"
            " {created_by}::text AS created_by, coalesce({updated_at}::timestamptz, to_timestamp(0)) AS updated_at"
            " FROM {table} AS row WHERE "
        ).format(
            id=self._name("id"),
            name=self._name("name"),
            status=self._status(),
            plan=sql.SQL("coalesce({}::text, 'null')").format(self._name("plan_data")) if parts.plan else _LEFT_OUT,
            revision=self._revision() if parts.revision else _LEFT_OUT,
            aidbox_id=self._name("aidbox_id"),
            process=self._name("camunda_process_id"),
            created_by=self._name("created_by"),
            updated_at=self._name("updated_at"),
            table=self._table(),
        )

    def _status(self) -> sql.Composable:
        """One of STATUSES, or `draft`."""
        known = sql.SQL(", ").join(map(sql.Literal, STATUSES))
        return sql.SQL(
            "CASE WHEN lower({status}::text) IN ({known}) THEN lower({status}::text) ELSE 'draft' END"
        ).format(status=self._name("status"), known=known)

    def _revision(self) -> sql.Composable:
        """The fingerprint, in SQL so that reads and conditional writes agree. jsonb's text is canonical."""
        return sql.SQL(
            "encode(sha256(convert_to(jsonb_build_array({name}, {plan}::text)::text, 'UTF8')), 'hex')"
        ).format(name=self._name("name"), plan=self._name("plan_data"))

    def _name(self, column: str) -> sql.Identifier:
        return sql.Identifier(getattr(self.columns, column))

    def _row(self, column: str) -> sql.Identifier:
        """To sort by: the bare name would mean what is selected under it, which no index serves."""
        return sql.Identifier("row", getattr(self.columns, column))

    def _table(self) -> sql.Identifier:
        return table_name(self.columns)

    async def _type_of_ids(self) -> str:
        """The type of the id column: comparing in it keeps the primary key's index of use."""
        return (await self._column_types())["id"]

    async def _column_types(self) -> dict[str, str]:
        """The types of the columns that may be of several, asked once."""
        if self._types is None:
            statement = sql.SQL(
                "SELECT attname, format_type(atttypid, -1) AS type FROM pg_attribute"
                " WHERE attrelid = to_regclass(%s) AND attnum > 0"
            )
            found = await self._rows(statement, [self._table().as_string()], dict_row)
            types = {row["attname"]: row["type"] for row in found}
            missing = [name for name in (self.columns.id, self.columns.plan_data) if name not in types]
            if missing:
                raise Misconfigured(
                    f"The drafts table {self.columns.table} has no column {missing[0]}: run `plan-api check`."
                )
            self._types = {"id": types[self.columns.id], "plan_data": types[self.columns.plan_data]}
        return self._types

    async def ping(self) -> None:
        """A sign of life."""
        await self._rows(sql.SQL("SELECT 1"), [], scalar_row)

    @asynccontextmanager
    async def sweeping_alone(self) -> AsyncIterator[bool]:
        """Whether nobody else sweeps until the block ends. Raises UpstreamFailed."""
        try:
            async with self.connections.connection() as connection, connection.transaction():
                cursor = await connection.execute("SELECT pg_try_advisory_xact_lock(%s)", [SWEEP_LOCK])
                yield bool((await cursor.fetchone() or [False])[0])
        except psycopg.Error as error:
            raise Unreachable("retool", "The drafts database can not be reached") from error

    @asynccontextmanager
    async def exclusively(self) -> AsyncIterator[Connection]:
        """One transaction, never two of them at once; for `setup`. Raises UpstreamFailed with the database's words."""
        try:
            async with self.connections.connection() as connection, connection.transaction():
                await connection.execute("SELECT pg_advisory_xact_lock(%s)", [SETUP_LOCK])
                yield connection
        except psycopg.OperationalError as error:
            raise Unreachable("retool", "The drafts database can not be reached: run `plan-api check`") from error
        except psycopg.Error as error:
            raise UpstreamFailed("retool", f"The drafts database refused: {error}") from error

    async def _rows(self, statement: sql.SQL | sql.Composed, values: Sequence[object], shape: Any) -> list[Any]:
        """Run one statement within the deadline, on a new connection if the first turns out broken.

        All of ours may be sent again. Raises UpstreamFailed, or Misconfigured.
        """
        began, told = time.perf_counter(), "ok"
        seconds = left(self.deadline)
        try:
            async with self.capacity.place(seconds):
                return await self._in_time(partial(self._once, statement, values, shape), seconds)
        except UpstreamFailed as failure:
            told = failure.code
            raise _logged(failure) from failure.__cause__
        finally:
            telemetry.upstream_called("retool", told, time.perf_counter() - began)

    async def _in_time(self, send: Send, seconds: float) -> list[Any]:
        try:
            return await within(seconds, self._tried(send, seconds))
        except (TimeoutError, psycopg.errors.QueryCanceled) as error:
            raise TimedOut("retool", "The drafts database did not answer in time") from error

    async def _tried(self, send: Send, seconds: float) -> list[Any]:
        try:
            return await send()
        except Unreachable as failure:
            await self.connections.close()
            return await sent_again(send, failure, tries=self.tries, seconds=left(seconds))

    async def _once(self, statement: sql.SQL | sql.Composed, values: Sequence[object], shape: Any) -> list[Any]:
        try:
            async with self.connections.connection() as connection, connection.cursor(row_factory=shape) as cursor:
                await cursor.execute(statement, values)
                return await cursor.fetchall() if cursor.description else []
        except psycopg.errors.QueryCanceled:
            raise
        except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn) as error:
            raise Misconfigured(
                f"The drafts table {self.columns.table} is not as configured: run `plan-api check`."
            ) from error
        except psycopg.OperationalError as error:
            raise Unreachable("retool", "The drafts database can not be reached") from error
        except psycopg.Error as error:
            raise UpstreamFailed("retool", "The drafts database refused a statement") from error


def _containing(text: str) -> str:
    """The pattern of LIKE for texts with this in them; unlike strpos, an index of trigrams can serve it."""
    escaped = _WILD.sub(r"\\\g<0>", text)
    return f"%{escaped}%"


def _logged(failure: UpstreamFailed) -> UpstreamFailed:
    reason = str(failure.__cause__ or "").partition("\n")[0] if isinstance(failure, Unreachable) else ""
    _log.warning("upstream call failed", extra={"upstream": "retool", "code": failure.code, "reason": reason})
    return failure


def _as_json(text: str) -> str:
    """A text column's content as JSON: itself, or, when it is none, a JSON string that shows it."""
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except (msgspec.DecodeError, RecursionError):
        return msgspec.json.encode(text).decode()
    return text
