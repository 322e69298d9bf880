"""What it costs to tell who approved a page of versions: the same for one and for several, and no engine's history."""

import pytest

from tests.calls.recording import Recording
from tests.calls.test_counts import BATCH, PROCESSES, RECORDS, SEARCH, SQL, VARIABLES
from tests.serving import AUTHOR, Api
from tests.stories.behind import Behind, edited
from tests.stories.conftest import behind
from tests.verbs import approved, submitted

__all__ = ["behind"]

APPROVALS = """query A($ids: [ID!]) { drafts(ids: $ids) { items { currentPlan { approval { processId author { id }
  submittedBy { id } basedOnVersion decisions { verdict } } } } } }"""
HISTORIES = "query H($ids: [ID!]) { drafts(ids: $ids) { items { history { kind } } } }"


@pytest.mark.parametrize("count", [1, 3])
def test_before_and_after_the_engine_has_forgotten(
    api: Api, behind: Behind, cold: Api, recording: Recording, count: int
) -> None:
    ids, processes = [], []
    for _ in range(count):
        plan_id, _ = behind.stored_plan()
        ids.append(behind.drafts.new(plan=edited(name="Edited"), aidbox_id=plan_id))
        processes.append(submitted(api, ids[-1], AUTHOR))
        assert approved(api, ids[-1])["status"] == "APPROVED"

    def told(query: str) -> tuple[object, dict[str, int]]:
        recording.calls.clear()
        return cold.ask(query, AUTHOR, ids=ids), dict(recording.counts())

    approvals, costs = told(APPROVALS)
    assert costs == {SQL: 1, SEARCH: 1, VARIABLES: 2}
    histories, costs = told(HISTORIES)
    assert costs == {SQL: 1, PROCESSES: 1, VARIABLES: 3}
    for process_id in processes:
        assert behind.engine.delete(f"/history/process-instance/{process_id}").is_success
    after, costs = told(APPROVALS)
    assert after == approvals
    # one batch for all of them, once it is known that the engine has none, and may be believed
    assert costs[BATCH] == 1
    assert (costs[SQL], costs[SEARCH], costs[VARIABLES]) == (1, 1, 2)
    after, costs = told(HISTORIES)
    assert after == histories
    assert (costs[RECORDS], costs[SQL]) == (1, 1)
