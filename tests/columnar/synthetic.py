"""A small schema in which a value can come or fail in every way, and strategies for its data and queries."""

import asyncio
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from typing import Any

import strawberry
from hypothesis import strategies as st
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.types import Info
from strawberry.types.field import StrawberryField

from api.schema import Schema
from columnar.executor import ColumnarExecutor
from graphql_server.scalars import SCALARS, Json

NODES = 4
whose: ContextVar[int] = ContextVar("whose", default=-1)


@strawberry.enum
class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class World:
    """The context of a query: its nodes, and what each resolver does for each of them."""

    nodes: list["Node"] = field(default_factory=list)
    failing: frozenset[tuple[str, int]] = frozenset()
    slow: frozenset[tuple[str, int]] = frozenset()

    async def come(self, name: str, node: "Node") -> None:
        """Wait, if this one is slow; then fail, if it is to fail."""
        for _ in range(3 if (name, node.number) in self.slow else 1):
            await asyncio.sleep(0)
        self.fail(name, node)

    def fail(self, name: str, node: "Node") -> None:
        if (name, node.number) in self.failing:
            raise ValueError(f"{name} of {node.number} fails")


Asked = Info[World, None]


class Louder(StrawberryField):
    """A field with a way of its own to its value."""

    def get_result(self, *given: Any, **named: Any) -> Any:
        return f"{super().get_result(*given, **named)}!"


@strawberry.type
class Node:
    number: int
    text: str
    maybe: str | None
    share: float
    sure: bool
    key: strawberry.ID
    colour: Colour
    since: datetime | None
    document: Json
    words: list[str]
    holes: list[str | None] | None
    friend: "Node | None"
    twin: "Node"
    kin: list["Node"]
    guests: list["Node | None"] | None

    def _repr_pretty_(self, printer: Any, _cycle: object) -> None:
        """For hypothesis, which expects every attribute to be there."""
        printer.text(repr({name: value for name, value in self.__dict__.items() if name not in LINKS}))

    @strawberry.field
    def path_now(self, info: Asked) -> str:
        """What a resolver is told of its place."""
        return f"{info.path.as_list()} {info.field_name} {info.python_name} {info.variable_values}"

    @strawberry.field
    def selected(self, info: Asked) -> list[str]:
        return [type(each).__name__ for each in info.selected_fields]

    @strawberry.field
    def shout(self) -> str:
        return str(self.text).upper()

    @Louder()
    def louder(self) -> str:
        return str(self.text)

    @strawberry.field
    def brittle(self, info: Asked) -> str | None:
        info.context.fail("brittle", self)
        return self.text

    @strawberry.field
    async def late(self, info: Asked) -> str | None:
        await info.context.come("late", self)
        return self.text

    @strawberry.field
    async def later(self, info: Asked) -> str:
        await info.context.come("later", self)
        return self.text

    @strawberry.field
    async def far(self, info: Asked) -> "Node | None":
        await info.context.come("far", self)
        return self.friend

    @strawberry.field
    async def must(self, info: Asked) -> "Node":
        await info.context.come("must", self)
        return self.twin

    @strawberry.field
    async def more(self, info: Asked, most: int = 2, colour: Colour = Colour.RED) -> list["Node"]:
        await info.context.come("more", self)
        return info.context.nodes[:most] if colour is Colour.RED else self.kin

    @strawberry.field
    async def by_selection(self, info: Asked) -> "Node":
        """Which one depends on everything that is selected on it, wherever in the document that stands."""
        await asyncio.sleep(0)
        selected = [each for field in info.selected_fields for each in field.selections]
        return info.context.nodes[len(selected) % NODES]

    @strawberry.field
    async def in_time(self, info: Asked) -> str | None:
        """Needs a task of its own."""
        async with asyncio.timeout(30):
            await info.context.come("inTime", self)
        return self.text

    @strawberry.field
    async def own_context(self) -> int:
        """Sees no other's context variables."""
        whose.set(self.number)
        await asyncio.sleep(0)
        return whose.get()

    @strawberry.field
    def promised(self, info: Asked) -> str | None:
        """Something else to await than a coroutine."""
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        future.set_result(f"promised {self.number}")
        del info
        return future  # type: ignore[return-value]  # awaited by every executor

    @strawberry.field
    def raised(self) -> str | None:
        """An error that is returned."""
        return ValueError("returned") if self.number == 1 else "fine"  # type: ignore[return-value]  # as above


@strawberry.type
class Query:
    @strawberry.field
    def nodes(self, info: Asked) -> list[Node]:
        return info.context.nodes

    @strawberry.field
    async def some(self, info: Asked) -> list[Node | None] | None:
        await asyncio.sleep(0)
        return [None, *info.context.nodes]

    @strawberry.field
    def first(self, info: Asked) -> Node | None:
        return info.context.nodes[0]

    @strawberry.field
    def grid(self, info: Asked) -> list[list[Node]]:
        return [info.context.nodes, [], info.context.nodes[:1]]


@strawberry.type
class Mutation:
    @strawberry.mutation
    def write(self, info: Asked) -> list[Node]:
        return info.context.nodes


CONFIG = StrawberryConfig(scalar_map=SCALARS)


def schema_with(executor: type[StrawberryGraphQLCoreExecutionContext]) -> Schema:
    return Schema(query=Query, mutation=Mutation, config=CONFIG, execution_context_class=executor)


COMPILED = schema_with(ColumnarExecutor)
STOCK = schema_with(StrawberryGraphQLCoreExecutionContext)

# What may be in an attribute: usually what the schema says, now and then anything.
RIGHT: dict[str, st.SearchStrategy[Any]] = {
    "text": st.text(max_size=3),
    "maybe": st.none() | st.text(max_size=3),
    "share": st.floats(allow_nan=False, allow_infinity=False),
    "sure": st.booleans(),
    "key": st.text(max_size=3),
    "colour": st.sampled_from(Colour),
    "since": st.none() | st.datetimes(timezones=st.just(UTC)),
    "document": st.sampled_from(['{"a":1.50}', "null", {"b": [1]}, 3, True]),
    "words": st.lists(st.text(max_size=2), max_size=2),
    "holes": st.none() | st.lists(st.none() | st.text(max_size=2), max_size=2),
}
ODD: list[Any] = [
    *(None, 7, 2**31 - 1, 2**31, -(2**31), -(2**31) - 1, 10**400, 1.5, 2.0, float("nan"), float("inf"), True),
    *("red", "x", b"y", [], [None], [1], ("a",), {}, object, Colour.RED),
    *(ValueError("held"), [ValueError("among them")], datetime(2027, 1, 1)),  # noqa: DTZ001  # wrong on purpose
]
WRONG: st.SearchStrategy[Any] = st.sampled_from(ODD)
LINKS = ("friend", "twin", "kin", "guests")


class Bare:
    """An object with some of the attributes only."""

    def __init__(self, **attributes: object) -> None:
        self.__dict__.update(attributes)


@st.composite
def worlds(draw: st.DrawFn, *, right: bool = False) -> World:
    """A world; `right`: everything in it is as the schema says."""
    rarely = st.integers(1 if right else 0, 15).map(lambda number: number == 0)
    nodes = []
    for number in range(NODES):
        values = {name: draw(WRONG if draw(rarely) else values) for name, values in RIGHT.items()}
        values["number"] = draw(WRONG) if draw(rarely) else number
        nodes.append(Node(**values, **dict.fromkeys(LINKS)))  # type: ignore[arg-type]  # links follow
    for node in nodes:
        one, some = st.sampled_from(nodes), st.lists(st.sampled_from(nodes), max_size=3)
        links = {"friend": st.none() | one, "twin": one, "kin": some, "guests": st.none() | st.lists(st.none() | one)}
        for name, linked in links.items():
            object.__setattr__(node, name, draw(WRONG if draw(rarely) else linked))
        if draw(rarely):
            del node.__dict__[draw(st.sampled_from([*RIGHT, *LINKS]))]
    if draw(rarely):
        nodes.append(Bare(number=9, text="bare", key="k"))  # type: ignore[arg-type]  # wrong on purpose
    places = st.frozensets(st.tuples(st.sampled_from(RESOLVED), st.integers(0, NODES)), max_size=3)
    return World(nodes, frozenset() if right else draw(places), draw(places))


RESOLVED = ("brittle", "late", "later", "far", "must", "more", "inTime")
LEAVES = ("number", "text", "maybe", "share", "sure", "key", "colour", "since", "document", "words", "holes")
CALLED = ("pathNow", "selected", "shout", "brittle", "late", "later", "inTime", "ownContext", "promised", "raised")
OBJECTS = ("friend", "twin", "kin", "guests", "far", "must", "more", "bySelection")


@st.composite
def selections(draw: st.DrawFn, depth: int, *, calls: bool = True) -> str:
    """A selection on Node, as text."""
    parts: list[str] = []
    for _ in range(draw(st.integers(1, 5))):
        kind = draw(st.sampled_from(["leaf", "leaf", "called", "object", "object", "inline", "typename"]))
        inner = selections(depth - 1, calls=calls)
        if kind == "object" and depth:
            name = draw(st.sampled_from(OBJECTS if calls else OBJECTS[:4]))
            arguments = draw(st.sampled_from(["", "(most: 1)", "(most: $most)", "(colour: BLUE)"]))
            alias = draw(st.sampled_from(["", f"{name}{len(parts)}: "]))
            # another alias for other arguments, so that fields merge
            alias = f"more{len(parts)}x{depth}: " if name == "more" else alias
            parts.append(f"{alias}{name}{arguments if name == 'more' else ''} {{ {draw(inner)} }}")
        elif kind == "called" and calls:
            parts.append(draw(st.sampled_from(CALLED)))
        elif kind == "inline" and depth:
            condition = draw(st.sampled_from(["on Node", "", "@include(if: $yes)", "@skip(if: $yes)", "...Part"]))
            parts.append("...Part" if condition == "...Part" else f"... {condition} {{ {draw(inner)} }}")
        elif kind == "typename":
            parts.append("__typename")
        else:
            name = draw(st.sampled_from(LEAVES))
            alias = draw(st.sampled_from(["", f"as{name.capitalize()}: "]))
            parts.append(f"{alias}{name}{draw(st.sampled_from(['', '', ' @include(if: $yes)']))}")
    return " ".join(parts)


ROOTS = ("nodes", "some", "first", "grid")
# What every query has, so that its variables and its fragment are used.
USED = "{ __typename @include(if: $yes) ofMost: more(most: $most) { key } ...Part }"


@st.composite
def queries(draw: st.DrawFn) -> str:
    """A query of one or two root fields."""
    roots = draw(st.lists(st.sampled_from(ROOTS), min_size=1, max_size=2, unique=True))
    body = " ".join(f"{root} {{ {draw(selections(3))} }}" for root in roots)
    return _document("query", f"{body} used: first {USED}")


@st.composite
def mutations(draw: st.DrawFn) -> str:
    """A mutation that answers with a list."""
    body = f"write {{ {draw(selections(3, calls=draw(st.booleans())))} }}"
    return _document("mutation", f"{body} used: write {USED}")


def _document(kind: str, body: str) -> str:
    definitions = "Q($yes: Boolean = true, $most: Int = 1)"
    return f"{kind} {definitions} {{ {body} }} fragment Part on Node {{ text kin {{ key }} }}"
