"""The execution of one list by columns: attributes are read at once, resolvers are awaited afterwards.

1. `Run.complete` makes a row for each object, with a place for each field, so the answer has the selection's order. It
   reads attributes and calls no resolver, so a list that is unusual here has had no effect.
2. `Run.resolve` calls the resolvers of all levels side by side and writes their values into the rows. What they return
   is completed by steps 1 and 2 of a Run of its own.
Either step raises Unusual, or what a resolver raises; the executor then lets graphql-core complete the whole list.
"""

from collections.abc import Callable, Iterator
from itertools import chain, compress
from types import CoroutineType
from typing import Any, NamedTuple

from graphql.execution import Executor
from graphql.pyutils import Path, gather_with_cancel
from strawberry.types import Info

from columnar.leaf_values import HARMLESS, NOTHING, Column, Unusual
from columnar.plan import Constant, Leaves, Lists, Plan, Read, Resolved, Shape

Row = dict[str, Any]
PathOf = Callable[[int], Path]
LIST_TYPES = {list, tuple}


class Level(NamedTuple):
    """The objects of one selection, and the rows of the answer they become. `path_of`: the path of the n-th of them."""

    plan: Plan
    objects: Column
    rows: list[Row]
    path_of: PathOf


class Run:
    """The execution of one list, or of the values that one of its fields resolved to."""

    def __init__(self, executor: Executor[Any]) -> None:
        self.executor = executor
        self._levels: list[Level] = []

    def complete(self, shape: Shape, values: Column, path_of: PathOf) -> Column:
        """The values as the answer has them; objects with resolvers as rows that `resolve` has yet to fill."""
        types = set(map(type, values))
        if NOTHING not in types:
            return self._complete(shape, values, types, path_of)
        if not shape.nullable:
            raise Unusual
        # Nulls are taken out of the column and put back into their places.
        is_present = [value is not None for value in values]
        places = list(compress(range(len(values)), is_present))
        present = list(compress(values, is_present))
        completed = iter(self._complete(shape, present, types - {NOTHING}, lambda n: path_of(places[n])))
        return [next(completed) if each else None for each in is_present]

    def _complete(self, shape: Shape, values: Column, types: set[type], path_of: PathOf) -> Column:
        match shape:
            case Leaves():
                return shape.convert(values, types)
            case Lists():
                return self._lists(shape, values, types, path_of)
        if any(hasattr(each, "__await__") or issubclass(each, BaseException) for each in types):
            raise Unusual
        return self._rows(shape.plan, values, path_of)

    def _lists(self, shape: Lists, values: Column, types: set[type], path_of: PathOf) -> Column:
        if not types <= LIST_TYPES:
            raise Unusual
        # All lists become one column, whose items know the list they came from and their index in it.
        places = [(number, index) for number, value in enumerate(values) for index in range(len(value))]
        flat = list(chain.from_iterable(values))
        inner = self.complete(shape.inner, flat, lambda n: path_of(places[n][0]).add_key(places[n][1], None))
        completed = iter(inner)
        return [[next(completed) for _ in value] for value in values]

    def _rows(self, plan: Plan, objects: Column, path_of: PathOf) -> Column:
        columns = [self._column(plan, number, objects, path_of) for number in range(len(plan.names))]
        names = plan.names
        if names:
            rows = [dict(zip(names, row, strict=False)) for row in zip(*columns, strict=True)]
        else:  # everything selected is skipped
            rows = [{} for _ in objects]
        if objects and any(isinstance(source, Resolved) for source in plan.sources):
            self._levels.append(Level(plan, objects, rows, path_of))
        return rows

    def _column(self, plan: Plan, number: int, objects: Column, path_of: PathOf) -> Any:
        source, name = plan.sources[number], plan.names[number]
        match source:
            case Read():
                read = list(map(source.get, objects))
                return self.complete(source.shape, read, lambda n: Path(path_of(n), name, plan.type.name))
            case Constant():
                return [source.value] * len(objects)
        return [None] * len(objects)

    async def resolve(self) -> None:
        """Fill the rows with what is resolved."""
        jobs = [
            self._fill(level, name, source)
            for level in self._levels
            for name, source in zip(level.plan.names, level.plan.sources, strict=True)
            if isinstance(source, Resolved)
        ]
        if len(jobs) == 1:
            await jobs[0]
        elif jobs:
            await gather_with_cancel(*jobs)

    @property
    def is_complete(self) -> bool:
        """Whether nothing is left to be resolved."""
        return not self._levels

    async def _fill(self, level: Level, name: str, field: Resolved) -> None:
        values = await _resolved(self.executor, level, name, field)
        inner = Run(self.executor)
        parent = level.plan.type.name
        completed = inner.complete(field.shape, values, lambda n: Path(level.path_of(n), name, parent))
        for row, value in zip(level.rows, completed, strict=True):
            row[name] = value
        await inner.resolve()


async def _resolved(executor: Executor[Any], level: Level, name: str, field: Resolved) -> Column:
    if field.batch is not None:
        return list(await field.batch(level.objects, _info(executor, level, name, field)))
    values = _called(executor, level, name, field)
    places = [number for number, value in enumerate(values) if type(value) not in HARMLESS]
    waiting = [number for number in places if executor.is_awaitable(values[number])]
    if not waiting:
        return values
    results = await gather_with_cancel(*(values[number] for number in waiting))
    for number, result in zip(waiting, results, strict=True):
        values[number] = result
    return values


def _called(executor: Executor[Any], level: Level, name: str, field: Resolved) -> Column:
    """What the resolver returns for each object: a value, or an awaitable of one."""
    returned: Column = []
    try:
        returned.extend(_calls(executor, level, name, field))
    except BaseException:
        for each in returned:
            if type(each) is CoroutineType:
                each.close()
        raise
    return returned


def _calls(executor: Executor[Any], level: Level, name: str, field: Resolved) -> Iterator[Any]:
    parent, call, info_name = level.plan.type.name, field.direct, field.info_name
    first_path = Path(level.path_of(0), name, parent)
    first = executor.build_resolve_info(field.definition, field.nodes, level.plan.type, first_path)
    if call is None:
        resolve = field.definition.resolve
        assert resolve is not None  # noqa: S101  # a plan has no other field
        for n, each in enumerate(level.objects):
            yield resolve(each, first._replace(path=Path(level.path_of(n), name, parent)), **field.arguments)
    elif info_name is None:
        yield from map(call, level.objects)
    else:
        shared = Shared(first, first.context, name, level)
        for n, each in enumerate(level.objects):
            yield call(each, **{info_name: RowInfo(shared, n)})


def _info(executor: Executor[Any], level: Level, name: str, field: Resolved) -> "RowInfo":
    """The info of the first object."""
    path = Path(level.path_of(0), name, level.plan.type.name)
    raw = executor.build_resolve_info(field.definition, field.nodes, level.plan.type, path)
    return RowInfo(Shared(raw, raw.context, name, level), 0)


class Shared(NamedTuple):
    """What the infos of one column share. `raw`: graphql-core's info of the first object."""

    raw: Any
    context: Any
    name: str
    level: Level


class RowInfo(Info[Any, Any]):
    """Strawberry's info for one object of a column; what resolvers seldom read is made when it is read."""

    def __init__(self, shared: Shared, number: int) -> None:
        self._shared = shared
        self._number = number

    @property
    def context(self) -> Any:
        """The request's."""
        return self._shared.context

    @property
    def _field(self) -> Any:  # type: ignore[override]  # a dataclass's field there
        shared = self._shared
        definition = shared.level.plan.type.fields[shared.raw.field_name]
        return definition.extensions["strawberry-definition"]

    @property
    def _raw_info(self) -> Any:  # type: ignore[override]  # as above
        raw, _, name, level = self._shared
        return raw._replace(path=Path(level.path_of(self._number), name, level.plan.type.name))
