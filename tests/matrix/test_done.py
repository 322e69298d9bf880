"""Every mutation that the page says is done, by each who may do it, on a submission of its own."""

import pytest

from tests.matrix.asking import codes, done_by, edges, ids_of
from tests.matrix.page import CASES, DONE, answer, verbs
from tests.matrix.world import World
from tests.serving import Someone

ALLOWED = [(state, role, verb) for state, role in CASES for verb in verbs(state) if answer(state, role, verb) == DONE]


@pytest.mark.parametrize(("state", "role", "verb"), ALLOWED)
def test_what_is_done(world: World, state: str, role: str, verb: str) -> None:
    case = world.fresh(state, has_past=role == "earlier reviewer")
    before, ids = world.picture(case), ids_of(world, case)
    told, _ = done_by(world.api, world.person(role), [verb], ids, next_holder=f"next-{world.mark}")
    assert codes(told[verb]) == []
    assert world.picture(case) != before
    for name, thing in edges(told[verb]).items():
        assert name == "status" or thing["id"] in (*case.rows, case.task_id, case.plan_id)


@pytest.mark.parametrize("role", ["author", "assignee", "auditor", "administrator", "stranger"])
def test_everybody_starts_a_draft_of_their_own(world: World, role: str) -> None:
    plan_id, _ = world.behind.stored_plan()
    who, ids = world.person(role), {"planId": plan_id}
    told, _ = done_by(world.api, who, ["createDraftFromPlan"], ids, next_holder="")
    payload = told["createDraftFromPlan"]
    assert (codes(payload), payload["draft"]["createdBy"]) == ([], who.id)
    other = Someone(f"passer-by-{world.mark}")
    hidden, _ = done_by(world.api, other, ["submitForApproval"], {"draftId": payload["draft"]["id"]}, next_holder="")
    assert codes(hidden["submitForApproval"]) == ["NOT_FOUND"]
