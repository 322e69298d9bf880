"""How many round trips an answer waits for: requests that do not need each other's answers leave together."""

from collections.abc import Iterator

import pytest

from api.settings import Settings
from tests.calls.inboxes import Inboxes
from tests.calls.test_counts import (
    BATCH,
    CHECK,
    COUNT,
    PROCESSES,
    RECORDS,
    SEARCH,
    SQL,
    TABLE,
    TASKS,
    VARIABLES,
    WAITING,
    drafts,
    tasks,
)
from tests.calls.waves import Waves
from tests.serving import REVIEWER, Api, Someone


@pytest.fixture
def waves() -> Waves:
    return Waves()


@pytest.fixture
def cold(waves: Waves, patient: Settings) -> Iterator[Api]:
    with waves.before(patient) as api:
        for _ in range(2):  # the types of the columns are known then, and two connections are open
            api.ask('{ draft(id: "none") { id } drafts(filter: {createdBy: "reviewer"}) { totalCount } }', REVIEWER)
        waves.waves.clear()
        yield api


CHAINS = {
    "the inbox": (TABLE["the inbox"].query, [[TASKS, COUNT], [VARIABLES], [BATCH, SEARCH, SQL]]),
    "the inbox by a name": (
        """query Named($author: String) { pendingTasks(filter: {draftNameContains: $author}) { totalCount items {
          draft { name } currentPlan { versionId } } } }""",
        [[TASKS], [SQL], [TASKS, COUNT], [VARIABLES], [SEARCH, SQL]],
    ),
    "names of drafts": (tasks("totalCount items { draft { name } }"), [[TASKS, COUNT], [VARIABLES], [SQL]]),
    "changes, and who submitted": (
        tasks("items { submittedBy { id } draft { changes { path } } }"),
        [[TASKS], [VARIABLES], [SQL], [SEARCH]],
    ),
    "plans of tasks and of their drafts": (
        TABLE["plans of tasks and of their drafts"].query,
        [[TASKS], [VARIABLES], [BATCH, SEARCH, SQL]],
    ),
    "versions of plans": (TABLE["versions of plans"].query, [[TASKS], [VARIABLES], [SEARCH], [BATCH]]),
    "drafts with plans, and how many": (
        drafts("totalCount items { currentPlan { name } basePlan { name } changes { path } }"),
        [[SQL, SQL], [SEARCH, VARIABLES], [BATCH]],
    ),
    "where drafts stand": (
        TABLE["where drafts stand"].query,
        [[SQL], [WAITING, PROCESSES, VARIABLES, TASKS]],
    ),
    "what happened to drafts": (
        TABLE["what happened to drafts"].query, [[SQL], [PROCESSES], [VARIABLES, VARIABLES, VARIABLES]],
    ),
    "several things": (
        """{ viewer { id } one: pendingTasks(limit: 1) { totalCount } two: pendingTasks { items { id } }
          draft(id: "none") { id } plan(id: "none") { name } }""",
        # from the second on: a draft that may be somebody else's; last, whether what was not found may be read, and
        # whether the store has the person on record
        [
            [SEARCH, TASKS, COUNT, SQL],
            [VARIABLES, TASKS],
            [PROCESSES, "POST /history/task"],
            [VARIABLES, "POST /history/task"],
            [CHECK],
            [RECORDS],
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CHAINS)
def test_round_trips(cold: Api, waves: Waves, inboxes: Inboxes, name: str) -> None:
    query, expected = CHAINS[name]
    inbox = inboxes.of(50)
    someone: Someone = inbox.author if "author: ID" in query else inbox.reviewer
    cold.ask(query, someone, author=inbox.author.id)
    assert waves.waves == [sorted(wave) for wave in expected]
