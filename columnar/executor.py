"""`ColumnarExecutor`: graphql-core's executor as strawberry extends it, with lists of objects completed by columns.

It is the schema's `execution_context_class`. Where the context has an attribute `shapes`, a ShapeCache, compiled
selections are taken from there. Its answers, errors included, are those of graphql-core's own executor: a list is
completed here without any error, or not here at all.
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


class ColumnarExecutor(StrawberryGraphQLCoreExecutionContext):
    """The executor of one request."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._shapes: dict[tuple[int, int], tuple[FieldDetailsList, Shape | None]] = {}
        self._cache: ShapeCache = getattr(self.context_value, "shapes", None) or ShapeCache()
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
        """The list completed by columns if nothing in it is unusual, else as inherited."""

        def stock() -> Any:
            return super(ColumnarExecutor, self).complete_list_value(
                return_type, field_details_list, info, path, result, position_context
            )

        shape = self._shape(return_type, field_details_list, result)
        if shape is None:
            return stock()
        run = Run(self)
        try:
            completed = run.complete(shape, list(result), lambda number: path.add_key(number, None))
        except Exception:  # noqa: BLE001  # graphql-core's executor meets it again and reports it in its own way
            return stock()
        return completed if run.is_complete else self._resolved(run, completed, stock)

    async def _resolved(self, run: Run, completed: list[Any], stock: Any) -> Any:
        try:
            await run.resolve()
        except Exception:  # noqa: BLE001  # as above; what was loaded is not loaded again
            again = stock()
            return await again if isinstance(again, Awaitable) else again
        return completed

    def _shape(self, kind: GraphQLList[Any], details: FieldDetailsList, result: Any) -> Shape | None:
        """The shape of the list's items; None for a list that graphql-core's executor has to complete."""
        if not self._is_plain or type(result) not in (list, tuple) or not result:
            return None
        key = (id(details), id(kind))
        known = self._shapes.get(key)
        if known is None:
            shape = self._cache.find(self, kind, details, lambda: self._compiled(kind, details))
            # with the details themselves, so that no other object gets their id
            known = self._shapes[key] = (details, shape)
        return known[1]

    def _compiled(self, kind: GraphQLList[Any], details: FieldDetailsList) -> Shape | None:
        try:
            return shape_of(self, kind.of_type, details)
        except Exception:  # noqa: BLE001  # a selection that cannot be compiled, for whatever reason
            return None
