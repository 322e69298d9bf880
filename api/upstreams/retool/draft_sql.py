"""The SQL in which drafts are read and compared: expressions over the columns of this deployment's table. Pure.

Nothing in it depends on settings of a session (time zone, style of dates, order of evaluation), since a pooler in
transaction mode gives each statement to another one.
"""

from collections.abc import Sequence
from typing import LiteralString

from psycopg import sql

from api.draft_status import DRAFT, STATUSES, SUBMITTED
from api.upstreams.retool.records import GIVEN_ORDER, Columns, DraftFilter, Parts, table_name

# Of all numbers of a jsonb plan, beyond 30 on either side of each one's point; 1e131071 has few bytes there, and
# 131,072 here.
MOST_DIGITS = 100_000
FINGERPRINT_LENGTH = 64

_NOT_BLANK = r"[^\s\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]"
_WILD = str.maketrans({sign: f"\\{sign}" for sign in r"\%_"})  # in a pattern of LIKE

# Written so that no number is turned into text before its length is known. In an array first, since jsonb_path_query
# takes each result off the head of a list: 233,000 numbers took 5.8 s that way and take 0.3.
_DIGITS = (
    "(SELECT coalesce(sum(greatest(scale(number) - 30, 0) + CASE WHEN abs(number) < 1e30 THEN 0"
    " WHEN abs(number) < 1e300 THEN 300 WHEN abs(number) < 1e3000 THEN 3000 ELSE 131072 END), 0)"
    " FROM (SELECT value::numeric AS number FROM"
    " jsonb_array_elements(jsonb_path_query_array({plan}, 'strict $.** ? (@.type() == \"number\")')) AS value)"
    " AS numbers)"
)
# rows of these processes and drafts; the first condition is there for an index
_NAMED_PAIRS: LiteralString = (
    "({process}::text = ANY(%s) AND ({process}::text, {id}::text) IN (SELECT * FROM unnest(%s::text[], %s::text[])))"
)
_INSTANT = (
    "to_char(least(greatest(coalesce({instant}::timestamptz, to_timestamp(0)), '0001-01-01 00:00:00+00'),"
    " '9999-12-31 23:59:59.999999+00') AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"+00:00\"')"
)

# of the columns that a constraint or an index is about, also by an expression; or one alone
COLUMNS_OF_A_RULE = """
SELECT attname::text FROM pg_attribute, (SELECT %s::text, %s::text, %s::text, %s::text) AS about (tab, sch, rule, col)
WHERE attrelid = to_regclass(quote_ident(sch) || '.' || quote_ident(tab)) AND attnum > 0
  AND (attname = col OR attnum IN (
  SELECT refobjsubid FROM pg_depend WHERE refobjid = attrelid AND objid IN (
    SELECT oid FROM pg_constraint WHERE conrelid = attrelid AND conname = rule
    UNION ALL SELECT indexrelid FROM pg_index WHERE indrelid = attrelid AND indexrelid::regclass::text
      IN (quote_ident(rule), quote_ident(sch) || '.' || quote_ident(rule)))))
"""

# of columns of limited width, domains over such types included
WIDTHS = """
SELECT attname::text AS name, greatest(atttypmod, typtypmod) - 4 AS width
FROM pg_attribute JOIN pg_type ON pg_type.oid = atttypid
WHERE attrelid = to_regclass(%s) AND attnum > 0 AND greatest(atttypmod, typtypmod) > 4
  AND coalesce(nullif(typbasetype, 0), atttypid) IN ('varchar'::regtype, 'bpchar'::regtype)
"""


class DraftSql:
    """Expressions over the columns of one table. `largest`: bytes of a plan's text that is read at all."""

    def __init__(self, columns: Columns, *, largest: int) -> None:
        self.columns = columns
        self.largest = largest
        self.table = table_name(columns)

    def name(self, column: str) -> sql.Identifier:
        """The table's own name of a column."""
        return sql.Identifier(getattr(self.columns, column))

    def row(self, column: str) -> sql.Identifier:
        """To sort by: the bare name would mean what is selected under it, which no index serves."""
        return sql.Identifier("row", getattr(self.columns, column))

    def written(self, status: str) -> str:
        """A status as the table has it."""
        return self.columns.statuses.written(status)

    def status(self) -> sql.Composable:
        """One of STATUSES, or `draft`."""
        cases = sql.SQL(" ").join(
            sql.SQL("WHEN lower({theirs}) THEN {ours}").format(theirs=sql.Literal(self.written(ours)), ours=ours)
            for ours in STATUSES
        )
        return sql.SQL("CASE lower({status}::text) {cases} ELSE {draft} END").format(
            status=self.name("status"), cases=cases, draft=DRAFT
        )

    def is_submitted(self) -> sql.Composable:
        """Whether a row waits for a process."""
        return sql.SQL("coalesce(lower({status}::text) = lower({submitted}), false)").format(
            status=self.name("status"), submitted=sql.Literal(self.written(SUBMITTED))
        )

    def text(self, column: str) -> sql.Composable:
        """A column's text; NULL where it is blank."""
        return sql.SQL("CASE WHEN {column}::text ~ {visible} THEN {column}::text END").format(
            column=self.name(column), visible=sql.Literal(_NOT_BLANK)
        )

    def draft_type(self, type_at: str) -> sql.Composable:
        """A draft's type as text: of a column, or what a path that begins with $ finds first in the plan."""
        if not type_at.startswith("$"):
            return sql.SQL("{column}::text").format(column=sql.Identifier(type_at))
        return sql.SQL("jsonb_path_query_first({plan}::text::jsonb, {path}, '{{}}', true) #>> '{{}}'").format(
            plan=self.name("plan_data"), path=sql.Literal(type_at)
        )

    def revision(self, plan_type: str) -> sql.Composable:
        """The fingerprint of name and plan, in SQL so that reads and conditional writes agree; NULL where the plan is
        too large. jsonb's text is canonical.
        """
        return self._document(plan_type, self._fingerprint())

    def head(self, parts: Parts, plan_type: str) -> sql.Composed:
        """What is selected of rows, up to the condition."""
        return sql.SQL(
            "SELECT {id}::text AS id, coalesce({name}::text, '') AS name, {status} AS status, {document} AS document,"
            " {aidbox_id} AS aidbox_id, {process} AS camunda_process_id, {created_by} AS created_by,"
            " {updated_at} AS updated_at FROM {table} AS row WHERE "
        ).format(
            id=self.name("id"),
            name=self.name("name"),
            status=self.status(),
            document=self._parts(parts, plan_type),
            aidbox_id=self.text("aidbox_id"),
            process=self.text("camunda_process_id"),
            created_by=self.text("created_by"),
            updated_at=sql.SQL(_INSTANT).format(instant=self.name("updated_at")),
            table=self.table,
        )

    def _parts(self, parts: Parts, plan_type: str) -> sql.Composable:
        """Fingerprint and plan one after the other, as far as they are read: the plan is made text of once."""
        if not any(parts):
            return sql.SQL("NULL::text")
        read = [self._fingerprint()] if parts.revision else []
        read += [sql.SQL("text")] if parts.plan else []
        return self._document(plan_type, sql.SQL(" || ").join(read))

    def _document(self, plan_type: str, made: sql.Composable) -> sql.Composable:
        """What is made of the plan's `text`, the text being made of a plan of bounded size alone."""
        plan = self.name("plan_data")
        digits = sql.SQL(_DIGITS).format(plan=plan) if plan_type == "jsonb" else sql.SQL("0")
        return sql.SQL(
            "(SELECT CASE WHEN octet_length(text) <= {largest} THEN {made} END FROM (SELECT CASE WHEN {plan} IS NULL"
            " THEN 'null' WHEN {digits} <= {most} THEN {plan}::text END AS text OFFSET 0) AS document)"
        ).format(largest=sql.Literal(self.largest), made=made, plan=plan, digits=digits, most=sql.Literal(MOST_DIGITS))

    def _fingerprint(self) -> sql.Composable:
        """In a database of no encoding, texts are hashed as the bytes they are."""
        return sql.SQL(
            "encode(sha256(convert_to(jsonb_build_array({name}, CASE WHEN {plan} IS NOT NULL THEN text END)::text,"
            " CASE getdatabaseencoding() WHEN 'SQL_ASCII' THEN 'SQL_ASCII' ELSE 'UTF8' END)), 'hex')"
        ).format(name=self.name("name"), plan=self.name("plan_data"))

    def condition(self, narrowed: DraftFilter) -> tuple[sql.Composable, list[object]]:
        """Which rows are meant. Those of others are left out before anything else of them is looked at: how long that
        takes would tell of them, and only CASE is evaluated in its order.
        """
        wanted, values = self._wanted(narrowed)
        if narrowed.reader is None:
            return wanted, values
        draft_ids = [draft_id for draft_id, _ in narrowed.reader.submitted]
        process_ids = [process_id for _, process_id in narrowed.reader.submitted]
        own = [narrowed.reader.user_id, process_ids, process_ids, draft_ids]
        return sql.SQL("CASE WHEN {own} THEN {wanted} END").format(own=self._read_by(), wanted=wanted), own + values

    def _wanted(self, narrowed: DraftFilter) -> tuple[sql.Composable, list[object]]:
        parts: list[sql.Composable] = [sql.SQL("true")]
        values: list[object] = []
        if narrowed.statuses is not None:
            parts.append(sql.SQL("{status} = ANY(%s)").format(status=self.status()))
            values.append(list(narrowed.statuses))
        if narrowed.processes is not None:
            parts += [self.is_submitted(), sql.SQL(_NAMED_PAIRS).format(**self._pair())]
            process_ids = [process_id for _, process_id in narrowed.processes]
            values += [process_ids, process_ids, [draft_id for draft_id, _ in narrowed.processes]]
        named = narrowed.name_contains
        wanted: tuple[tuple[LiteralString, str, str | None], ...] = (
            ("{}::text = %s", "created_by", narrowed.created_by),
            ("{}::text = %s", "aidbox_id", narrowed.aidbox_id),
            ("{}::text ILIKE %s", "name", named if named is None else containing(named)),
        )
        for template, column, value in wanted:
            if value is not None:
                parts.append(sql.SQL(template).format(self.name(column)))
                values.append(value)
        return sql.SQL(" AND ").join(parts), values

    def _read_by(self) -> sql.Composable:
        return sql.SQL(
            "lower(btrim({author}::text)) = %s"
            f" OR {_NAMED_PAIRS}"
            " OR ({author_text} IS NULL AND {process_text} IS NULL)"
        ).format(
            author=self.name("created_by"),
            **self._pair(),
            author_text=self.text("created_by"),
            process_text=self.text("camunda_process_id"),
        )

    def _pair(self) -> dict[str, sql.Composable]:
        return {"id": self.name("id"), "process": self.name("camunda_process_id")}

    def order(self, key: str, narrowed: DraftFilter) -> tuple[sql.Composable, list[object]]:
        """What a sort key sorts by, and its values."""
        if key != GIVEN_ORDER:
            return self.row(key), []
        process_ids = [process_id for _, process_id in narrowed.processes or ()]
        return sql.SQL("array_position(%s::text[], {}::text)").format(self.row("camunda_process_id")), [process_ids]

    def assignments(self, columns: Sequence[str]) -> sql.Composable:
        """For UPDATE, a placeholder each; and the instant of the change."""
        named = [sql.SQL("{} = %s").format(self.name(column)) for column in columns]
        return sql.SQL(", ").join([*named, sql.SQL("{} = now()").format(self.name("updated_at"))])


def containing(text: str) -> str:
    """The pattern of LIKE for texts with this in them; unlike strpos, an index of trigrams can serve it."""
    return f"%{text.translate(_WILD)}%"
