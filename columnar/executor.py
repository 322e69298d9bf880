"""graphql-core's executor as strawberry has it, with lists of objects completed by columns.

Given to strawberry as the schema's `execution_context_class`; `shapes` of the context, if it has any, are those kept
with the document. What it answers, errors included, is what the stock
executor answers: a list is either completed without any error here, or not here at all.
"""

from collections.abc import Awaitable
from typing import Any

from graphql import GraphQLList
from graphql.execution.collect_fields import FieldDetailsList
from graphql.pyutils import Path
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from columnar.execution import Run
from columnar.plan import Shape, shape_of
from columnar.shape_cache import ShapeCache


class CompiledExecutor(StrawberryGraphQLCoreExecutionContext):
    """One request's."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._shapes: dict[tuple[int, int], tuple[FieldDetailsList, Shape | None]] = {}
        self._kept: ShapeCache = getattr(self.context_value, "shapes", None) or ShapeCache()
        self._is_plain = self.abort_signal is None and not getattr(self.middleware_manager, "middlewares", None)

    def complete_list_value(
        self,
        return_type: GraphQLList[Any],
        field_details_list: FieldDetailsList,
        info: Any,
        path: Path,
        result: Any,
        position_context: Any,
    ) -> Any:
        """A list of objects by columns, if all of it is as usual; else as inherited."""

        def stock() -> Any:
            return super(CompiledExecutor, self).complete_list_value(
                return_type, field_details_list, info, path, result, position_context
            )

        shape = self._shape(return_type, field_details_list, result)
        if shape is None:
            return stock()
        run = Run(self)
        try:
            completed = run.complete(shape, list(result), lambda number: path.add_key(number, None))
        except Exception:  # noqa: BLE001  # graphql-core's executor meets it again, and says it in its own way
            return stock()
        return completed if run.is_complete else self._resolved(run, completed, stock)

    async def _resolved(self, run: Run, completed: list[Any], stock: Any) -> Any:
        try:
            await run.resolve()
        except Exception:  # noqa: BLE001  # as above; what was loaded for it is loaded
            again = stock()
            return await again if isinstance(again, Awaitable) else again
        return completed

    def _shape(self, kind: GraphQLList[Any], details: FieldDetailsList, result: Any) -> Shape | None:
        """The shape of the list's items, or None for what is not for here."""
        if not self._is_plain or type(result) not in (list, tuple) or not result:
            return None
        key = (id(details), id(kind))
        kept = self._shapes.get(key)
        if kept is None:  # with the list itself, so that its id stays taken
            shape = self._kept.find(self, kind, details, lambda: self._made(kind, details))
            kept = self._shapes[key] = (details, shape)
        return kept[1]

    def _made(self, kind: GraphQLList[Any], details: FieldDetailsList) -> Shape | None:
        try:
            return shape_of(self, kind.of_type, details)
        except Exception:  # noqa: BLE001  # a selection that can not be compiled, for whatever reason
            return None
