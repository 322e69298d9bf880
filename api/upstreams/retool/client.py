"""The client of Retool's PostgreSQL: reading drafts, and conditional writes to them.

Every write says in its WHERE what must still hold,
so it can be repeated without harm and a lost race changes nothing. Table and column names come from the settings.
"""

import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from typing import TypeVar

import msgspec
import psycopg
from psycopg import sql
from psycopg.rows import args_row, dict_row, scalar_row

from api.draft_status import DRAFT, SUBMITTED
from api.errors import Misconfigured, Unreachable, Unstorable, UpstreamFailed, WriteRefused
from api.upstreams.retool.draft_ids import as_key
from api.upstreams.retool.draft_sql import COLUMNS_OF_A_RULE, FINGERPRINT_LENGTH, WIDTHS, DraftSql, containing
from api.upstreams.retool.records import NEITHER, WHOLE, Columns, Draft, DraftFilter, Parts, Waiting
from resilience.observation import logged
from resilience.postgres.database import Database
from resilience.postgres.keys import is_text

Row = TypeVar("Row")

JSON_TYPES = ("jsonb", "json")
SWEEP_LOCK = 7_265_013_318_221_846_002  # any number, the same for all who sweep


class Retool:
    """The drafts table. Every method raises UpstreamFailed when it can not be asked, and Misconfigured.

    Every statement is idempotent, so `Database.rows` may run it again.
    """

    def __init__(self, database: Database, columns: Columns, *, largest: int, type_at: str | None = None) -> None:
        self.connections = database.connections
        self.columns = columns
        self.sql = DraftSql(columns, largest=largest)
        self.type_at = type_at
        self._rows = database.rows
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
        where = sql.SQL("{id} = ANY(%s::text[]::{type}[])").format(id=self.sql.name("id"), type=sql.SQL(id_type))
        found = {draft.id: draft for draft in await self._select(where, [list(keys.values())], parts)}
        return {asked: found[key] for asked, key in keys.items() if key in found}

    async def draft_type(self, draft_id: str) -> str | None:
        """The type of a draft, by which its process is chosen. None where it has none, or types are not told apart."""
        if self.type_at is None:
            return None
        id_type = await self._type_of_ids()
        statement = sql.SQL("SELECT {type} FROM {table} WHERE {id} = %s::text::{id_type}").format(
            type=self.sql.draft_type(self.type_at),
            table=self.sql.table,
            id=self.sql.name("id"),
            id_type=sql.SQL(id_type),
        )
        found: list[str | None] = await self._rows(statement, [as_key(draft_id, id_type)], scalar_row)
        return found[0] if found else None

    async def can_have(self, draft_id: str) -> bool:
        """Whether a text can be an id of this table."""
        return as_key(draft_id, await self._type_of_ids()) is not None

    async def drafts_by_plan(self, plan_ids: Sequence[str], *, parts: Parts = WHOLE) -> dict[str, Draft]:
        """For each plan of the store the draft that edits it or became it, the last touched one."""
        return await self._by("aidbox_id", plan_ids, parts)

    async def _by(self, column: str, values: Sequence[str], parts: Parts) -> dict[str, Draft]:
        asked = [value for value in values if is_text(value)]
        if not asked:
            return {}
        where = sql.SQL("{column}::text = ANY(%s) ORDER BY {updated_at} NULLS FIRST").format(
            column=self.sql.name(column), updated_at=self.sql.row("updated_at")
        )
        return {getattr(draft, column): draft for draft in await self._select(where, [asked], parts)}

    async def named_processes(self, process_ids: Sequence[str], name_part: str) -> list[str]:
        """Those of these processes whose submitted draft has this in its name, in any case.

        Names of other drafts are not looked at: how long that takes would tell of them.
        """
        if not process_ids:
            return []
        statement = sql.SQL(
            "SELECT {process}::text FROM {table} WHERE {process}::text = ANY(%s)"
            " AND CASE WHEN {process}::text = ANY(%s) AND {is_submitted} THEN {name}::text ILIKE %s END"
        ).format(
            process=self.sql.name("camunda_process_id"),
            table=self.sql.table,
            name=self.sql.name("name"),
            is_submitted=self.sql.is_submitted(),
        )
        values = [list(process_ids), list(process_ids), containing(name_part)]
        found: list[str] = await self._rows(statement, values, scalar_row)
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
        """A page of drafts; `sort` names (key of SORT_KEYS or GIVEN_ORDER, descending)."""
        where, values = self.sql.condition(narrowed)
        keys = [(*self.sql.order(key, narrowed), descending) for key, descending in (*sort, ("id", False))]
        order = [
            sql.SQL("{key} {way} NULLS LAST").format(key=key, way=sql.SQL("DESC" if descending else "ASC"))
            for key, _, descending in keys
        ]
        values += [value for _, of_key, _ in keys for value in of_key]
        tail = sql.SQL("{where} ORDER BY {order} LIMIT %s OFFSET %s").format(
            where=where, order=sql.SQL(", ").join(order)
        )
        return await self._select(tail, [*values, limit, offset], parts)

    async def count(self, narrowed: DraftFilter) -> int:
        """The number of drafts that match."""
        where, values = self.sql.condition(narrowed)
        statement = sql.SQL("SELECT count(*) FROM {table} WHERE {where}").format(table=self.sql.table, where=where)
        found: list[int] = await self._rows(statement, values, scalar_row)
        return found[0]

    async def submitted(self, after_id: str | None, *, limit: int) -> list[Waiting]:
        """Drafts in approval by their id, from after this one on."""
        statement = sql.SQL(
            "SELECT {id}::text AS id, {process} AS process_id FROM {table}"
            " WHERE {is_submitted} AND {id}::text > %s ORDER BY {id}::text LIMIT %s"
        ).format(
            id=self.sql.name("id"),
            process=self.sql.text("camunda_process_id"),
            is_submitted=self.sql.is_submitted(),
            table=self.sql.table,
        )
        found: list[Waiting] = await self._rows(statement, [after_id or "", limit], args_row(Waiting))
        return found

    # Writing

    async def register(
        self, draft_id: str, process_id: str, *, revision: str | None, previous_process_id: str | None
    ) -> bool:
        """Note the process on the draft, if the draft is still as its submission found it; whether it was.

        Comparing the process noted before lets each submission register once: neither a twin of it nor a late
        repeat finds the draft as it was. `revision` None takes whatever is written now.
        """
        condition = sql.SQL(
            "NOT {is_submitted} AND {process} IS NOT DISTINCT FROM %s AND {revision} = coalesce(%s, {revision})"
        ).format(
            is_submitted=self.sql.is_submitted(),
            process=self.sql.text("camunda_process_id"),
            revision=await self._revision(),
        )
        written = {"status": self.sql.written(SUBMITTED), "camunda_process_id": process_id}
        return await self._update(draft_id, written, condition, [previous_process_id, revision], ends_as=SUBMITTED)

    async def record_outcome(self, draft_id: str, process_id: str | None, outcome: str) -> bool:
        """Write how the process ended on its draft; False when the draft does not wait for it (any longer)."""
        return await self._conclude(draft_id, process_id, outcome)

    async def mark_published(self, draft_id: str, process_id: str | None, plan_id: str) -> bool:
        """Write the published plan's id on its draft; False when the draft does not wait for it (any longer)."""
        return await self._conclude(draft_id, process_id, "approved", aidbox_id=plan_id)

    async def rewrite(self, draft_id: str, plan_data: str, *, revision: str, status: str | None) -> bool:
        """Write another plan (and status) on the draft, if it is still of this revision and in no approval."""
        condition = sql.SQL("NOT {is_submitted} AND {revision} = %s").format(
            is_submitted=self.sql.is_submitted(), revision=await self._revision()
        )
        written = {"plan_data": plan_data} | ({} if status is None else {"status": self.sql.written(status)})
        return await self._update(draft_id, written, condition, [revision], ends_as=status)

    async def insert(
        self, draft_id: str | None, name: str, plan_data: str, *, aidbox_id: str, created_by: str
    ) -> str | None:
        """Write a new draft; its id. None when the id given is taken, or none of this table.

        Without one, a UUID is made here, so that a statement sent twice makes one draft; only a table whose ids are
        numbers gives its own. Raises WriteRefused with the columns that are against it.
        """
        id_type = await self._type_of_ids()
        key = as_key(draft_id or str(uuid.uuid4()), id_type)
        if key is None and draft_id is not None:
            return None
        written = {"name": name, "status": self.sql.written(DRAFT), "plan_data": plan_data, "aidbox_id": aidbox_id}
        written |= {"created_by": created_by} | ({} if key is None else {"id": key})
        statement = sql.SQL(
            "INSERT INTO {table} ({columns}, {updated_at}) VALUES ({values}, now()) RETURNING {id}::text"
        ).format(
            table=self.sql.table,
            columns=sql.SQL(", ").join(self.sql.name(column) for column in written),
            updated_at=self.sql.name("updated_at"),
            values=sql.SQL(", ").join(sql.Placeholder() * len(written)),
            id=self.sql.name("id"),
        )
        try:
            made: list[str] = await self._rows(statement, list(written.values()), scalar_row, writes=True)
        except WriteRefused as refused:
            if refused.is_taken and key is not None and await self.drafts_by_id([key], parts=NEITHER):
                return None if draft_id else key
            refused.columns = await self._columns_against(refused, written)
            raise
        if not made:
            raise _not_kept("a new draft")
        return made[0]

    async def _columns_against(self, refused: WriteRefused, written: Mapping[str, str]) -> tuple[str, ...]:
        """Those of the columns written that a refusal is about, by our names."""
        if isinstance(refused, Unstorable):
            return (list(written)[refused.position],)
        if not isinstance(refused.__cause__, psycopg.Error):
            return ()
        if isinstance(refused.__cause__, psycopg.errors.StringDataRightTruncation):  # it names no column
            widths = await self._rows(sql.SQL(WIDTHS), [self.sql.table.as_string()], dict_row)
            widest = {row["name"]: row["width"] for row in widths}
            return tuple(
                column
                for column, value in written.items()
                if len(value) > widest.get(getattr(self.columns, column), len(value))
            )
        diag = refused.__cause__.diag
        about = [diag.table_name or "", diag.schema_name or "", diag.constraint_name or "", diag.column_name or ""]
        found = await self._rows(sql.SQL(COLUMNS_OF_A_RULE), about, scalar_row)
        return tuple(column for column in written if getattr(self.columns, column) in found)

    async def _conclude(self, draft_id: str, process_id: str | None, outcome: str, **more: str) -> bool:
        condition = sql.SQL("{is_submitted} AND {process} IS NOT DISTINCT FROM %s").format(
            is_submitted=self.sql.is_submitted(), process=self.sql.text("camunda_process_id")
        )
        written = {"status": self.sql.written(outcome), **more}
        return await self._update(draft_id, written, condition, [process_id], ends_as=outcome)

    async def _update(
        self,
        draft_id: str,
        written: Mapping[str, str],
        condition: sql.Composable,
        values: Sequence[object],
        *,
        ends_as: str | None,
    ) -> bool:
        """Whether the row was one that the condition is about. Raises WriteRefused where the table has not kept it.

        `ends_as`: the status that the row must have come to, beside an end that the table's own trigger prefers.
        """
        id_type = await self._type_of_ids()
        key = as_key(draft_id, id_type)
        if key is None:
            return False
        where = sql.SQL("{id} = %s::text::{type} AND {condition}").format(
            id=self.sql.name("id"), type=sql.SQL(id_type), condition=condition
        )
        statement = sql.SQL("UPDATE {table} SET {assignments} WHERE {where} RETURNING {status}").format(
            table=self.sql.table,
            assignments=self.sql.assignments(list(written)),
            where=where,
            status=self.sql.status(),
        )
        asked = [key, *values]
        found: list[str] = await self._rows(statement, [*written.values(), *asked], scalar_row, writes=True)
        if found:
            if ends_as is not None and (found[0] == SUBMITTED) != (ends_as == SUBMITTED):
                raise _not_kept(f"status {ends_as}")
            return True
        still = sql.SQL("SELECT 1 FROM {table} WHERE {where}").format(table=self.sql.table, where=where)
        if await self._rows(still, asked, scalar_row):
            raise _not_kept(", ".join(written))
        return False

    # The statement

    async def _select(self, tail: sql.Composable, values: Sequence[object], parts: Parts) -> list[Draft]:
        plan_type = (await self._column_types())["plan_data"] if any(parts) else ""
        if parts not in self._heads:
            self._heads[parts] = sql.SQL(self.sql.head(parts, plan_type).as_string())
        statement = self._heads[parts] + tail
        drafts: list[Draft] = await self._rows(statement, values, args_row(partial(_draft, parts)))
        if not parts.plan or plan_type in JSON_TYPES:
            return drafts
        return [msgspec.structs.replace(draft, plan=_as_json(draft.plan)) for draft in drafts]

    async def _revision(self) -> sql.Composable:
        return self.sql.revision((await self._column_types())["plan_data"])

    async def _type_of_ids(self) -> str:
        """The type of the id column: comparing in it keeps the primary key's index of use."""
        return (await self._column_types())["id"]

    async def _column_types(self) -> dict[str, str]:
        """The types of the columns that may be of several, asked once."""
        if self._types is None:
            statement = sql.SQL(
                "SELECT attname, format_type(coalesce(nullif(typbasetype, 0), atttypid), -1) AS type"
                " FROM pg_attribute JOIN pg_type ON pg_type.oid = atttypid"
                " WHERE attrelid = to_regclass(%s) AND attnum > 0"
            )
            found = await self._rows(statement, [self.sql.table.as_string()], dict_row)
            types = {row["attname"]: row["type"] for row in found}
            missing = [name for name in (self.columns.id, self.columns.plan_data) if name not in types]
            if missing:
                raise Misconfigured(
                    f"The drafts table {self.columns.table} has no column {missing[0]}: run `plan-api check`."
                )
            self._types = {"id": types[self.columns.id], "plan_data": types[self.columns.plan_data]}
        return self._types

    async def ping(self) -> None:
        """A health check: the cheapest statement."""
        await self._rows(sql.SQL("SELECT 1"), [], scalar_row)

    @asynccontextmanager
    async def sweeping_alone(self) -> AsyncIterator[bool]:
        """Whether this replica holds the advisory lock of the sweep during the block. Raises UpstreamFailed."""
        try:
            async with self.connections.connection() as connection, connection.transaction():
                cursor = await connection.execute("SELECT pg_try_advisory_xact_lock(%s)", [SWEEP_LOCK])
                yield bool((await cursor.fetchone() or [False])[0])
        except psycopg.Error as error:
            raise Unreachable("retool", "The drafts database can not be reached") from error


def _draft(
    parts: Parts,
    draft_id: str,
    name: str,
    status: str,
    document: str | None,
    aidbox_id: str | None,
    process_id: str | None,
    created_by: str | None,
    updated_at: str,
) -> Draft:
    """A row as it is selected."""
    start = FINGERPRINT_LENGTH if parts.revision else 0
    return Draft(
        draft_id,
        name,
        status,
        document[start:] if document is not None and parts.plan else None,
        document[:start] if document is not None and parts.revision else None,
        aidbox_id,
        process_id,
        created_by,
        datetime.fromisoformat(updated_at),
        is_too_large=document is None and any(parts),
    )


def _not_kept(what: str) -> UpstreamFailed:
    message = "The drafts database has not kept what was written: run `plan-api check`, and see the log"
    detail = f"{what} was not kept, by a trigger or rule of the table's own"
    return logged(WriteRefused("retool", message, detail=detail), reason=detail)


def _as_json(text: str | None) -> str | None:
    """A text column's content as JSON: itself, or, when it is none, a JSON string that shows it."""
    if text is None:
        return None
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except (msgspec.DecodeError, RecursionError):
        return msgspec.json.encode(text).decode()
    return text
