"""What a request read goes with the request: nothing of it waits for the garbage collector."""

import gc
from collections.abc import Iterator

import pytest

from api.loaders import Loaders
from columnar.batch_loader import Batch, Loader
from tests.serving import ADMIN, AUTHOR, REVIEWER, Api, Drafts, Someone
from tests.stories.behind import until
from tests.verbs import submitted

QUERIES = {
    "tasks": """{ pendingTasks { totalCount items {
      id submittedBy { id } candidateGroups decidable { allowed }
      draft { name approval { state openTasks { id } } } basePlan { versionId } currentPlan { versionId } hasConflict
    } } }""",
    "drafts": """{ drafts { totalCount items {
      id history { at } currentPlan { history { versionId draft { id } } }
    } } }""",
}


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Nothing is collected while the test runs."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def held() -> int:
    """How much of what requests read is in memory."""
    return sum(isinstance(each, Loaders | Loader | Batch) for each in gc.get_objects())


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("someone", [REVIEWER, ADMIN], ids=lambda someone: someone.id)
@pytest.mark.parametrize("query", QUERIES)
def test_what_was_read_is_gone_when_it_is_answered(api: Api, drafts: Drafts, query: str, someone: Someone) -> None:
    submitted(api, drafts.new(), AUTHOR)
    gc.collect()
    before = held()
    assert "errors" not in api.answer(QUERIES[query], someone)
    until(lambda: held() <= before)
