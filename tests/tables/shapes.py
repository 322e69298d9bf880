"""What drafts tables look like elsewhere: a record of one, its SQL, and the settings that go with it."""

import random
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql

from api.settings import Settings

TYPES = {
    "id": "text PRIMARY KEY",
    "name": "text",
    "status": "text DEFAULT 'draft'",
    "plan_data": "jsonb",
    "aidbox_id": "text",
    "camunda_process_id": "varchar(255)",
    "created_by": "text",
    "updated_at": "timestamptz DEFAULT now()",
}
STATUSES = ("draft", "submitted", "approved", "rejected", "returned", "conflict", "withdrawn")


@dataclass(frozen=True)
class Shape:
    """A table: types and names that are not the usual ones, what its name looks like, and what kind its ids are of.

    `table` has a place for a word that makes it new; `spoken` is how the settings name it, if that is not the same.
    """

    title: str
    types: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    table: tuple[str, ...] = ("drafts_{}",)
    spoken: str | None = None
    ids: str = "text"


@dataclass(frozen=True)
class Table:
    """A table made after a shape, and the settings of an API that works on it."""

    shape: Shape
    connection: psycopg.Connection[Any]
    settings: Settings
    parts: tuple[str, ...]

    def insert(self, **values: object) -> str:
        """A row with these columns, by their usual names; its id as the API spells it."""
        values = {"id": new_id(self.shape.ids), **values}
        statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
            sql.Identifier(*self.parts),
            sql.SQL(", ").join(sql.Identifier(self.column(name)) for name in values),
            sql.SQL(", ").join([sql.Placeholder()] * len(values)),
        )
        self.connection.execute(statement, list(values.values()))
        return str(values["id"])

    def row(self, draft_id: str, *names: str) -> tuple[Any, ...]:
        """These columns of a row, as text."""
        statement = sql.SQL("SELECT {} FROM {} WHERE {}::text = %s").format(
            sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(self.column(name))) for name in names),
            sql.Identifier(*self.parts),
            sql.Identifier(self.column("id")),
        )
        row = self.connection.execute(statement, [draft_id]).fetchone()
        assert row is not None
        return tuple(row)

    def column(self, name: str) -> str:
        """What the table calls a column."""
        return self.shape.names.get(name, name)


def make(connection: psycopg.Connection[Any], settings: Settings, shape: Shape) -> Table:
    """An empty table of this shape."""
    word = uuid.uuid4().hex[:12]
    parts = tuple(part.format(word) for part in shape.table)
    if len(parts) == 2:
        connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(parts[0])))
    types = {**TYPES, **shape.types}
    if types["status"] == "enum":
        labels = sql.SQL(", ").join(map(sql.Literal, STATUSES))
        connection.execute(sql.SQL("CREATE TYPE {} AS ENUM ({})").format(sql.Identifier(f"status_{word}"), labels))
        types["status"] = f"status_{word} DEFAULT 'draft'"
    columns = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(shape.names.get(name, name)), sql.SQL(kind))
        for name, kind in types.items()
    )
    connection.execute(sql.SQL("CREATE TABLE {} ({})").format(sql.Identifier(*parts), columns))
    spoken = shape.spoken.format(word) if shape.spoken else ".".join(parts)
    changes = {"drafts_table": spoken} | {f"drafts_column_{name}": called for name, called in shape.names.items()}
    return Table(shape, connection, settings.model_copy(update=changes), parts)


def drop(table: Table) -> None:
    """The table and its enum, gone; a schema stays, it may be another test's too."""
    table.connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(*table.parts)))
    kind = f"status_{table.parts[-1].rsplit('_', 1)[-1]}"
    table.connection.execute(sql.SQL("DROP TYPE IF EXISTS {}").format(sql.Identifier(kind)))


def new_id(kind: str) -> object:
    """An id nobody had before, as the table wants it: engine and store keep what earlier runs left."""
    match kind:
        case "uuid":
            return uuid.uuid4()
        case "integer":
            return random.randrange(1_000_000_000, 2**31)  # noqa: S311  # not a secret
        case "bigint":
            return random.randrange(10**18, 2**63)  # noqa: S311  # not a secret
        case _:
            return f"Plan/2027 Ä {uuid.uuid4()}"
