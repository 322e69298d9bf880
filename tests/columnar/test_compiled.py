"""Where nothing is unusual it is all compiled: graphql-core's executor is asked for no object of a list."""

from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings

from columnar.executor import ColumnarExecutor
from tests.columnar.synthetic import World, queries, schema_with, worlds


class Watched(ColumnarExecutor):
    """Notes which objects of lists graphql-core's own part was asked for."""

    seen: list[list[str | int]]

    def execute_fields(self, parent_type: Any, source_value: Any, path: Any, *rest: Any) -> Any:
        steps = path.as_list() if path else []
        if any(isinstance(step, int) for step in steps):
            self.seen.append(steps)
        return super().execute_fields(parent_type, source_value, path, *rest)


@pytest.mark.anyio
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(queries(), worlds(right=True))
async def test_it_is_all_compiled(query: str, world: World) -> None:
    Watched.seen = []
    assume("inTime" not in query and "raised" not in query)  # these are for tasks, and for errors
    answer = await schema_with(Watched).execute(query, context_value=world)
    assert answer.errors is None
    assert Watched.seen == []
