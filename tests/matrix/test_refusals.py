"""Every mutation by everybody in every state that changes nothing: refused as the page says, or as it is already.

Nothing of what there is comes with a refusal: who does not know of the thing gets the answer for nothing at all, to the
letter.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from api.settings import Settings
from tests.auth.asking import bearing, settings_with
from tests.auth.test_gateway import KEYS, TRUSTED
from tests.matrix.asking import FOR_OTHERS, codes, done_as_many, done_by, edges, ids_of, ids_of_nothing
from tests.matrix.page import AS_IT_IS, CASES, DONE, NOT_THERE, answer, knows, sees_draft, verbs
from tests.matrix.world import Case, World, unchanged
from tests.serving import Api, Someone, serving

NOTHING = ids_of_nothing()
CREATE = """mutation C($input: CreateDraftFromPlanInput!) { createDraftFromPlan(input: $input) {
  draft { id name planData } userErrors { code message field } } }"""
STATUS = {NOT_THERE: 404, "FORBIDDEN": 403, "ALREADY_DECIDED": 409}


def _hidden(case: Case, role: str) -> list[str]:
    """The words that this person may not be told."""
    is_told = "task" in knows(case.state, role) if case.state == "copied row" else sees_draft(case.state, role)
    return [*([] if sees_draft(case.state, role) else [case.secret]), *([] if is_told else [case.spoken])]


@pytest.mark.parametrize(("state", "role"), CASES)
def test_what_changes_nothing(world: World, state: str, role: str) -> None:
    case, who, following = world.case(state), world.person(role), f"next-{world.mark}"
    expected = {verb: answer(state, role, verb) for verb in verbs(state)}
    asked = [verb for verb, code in expected.items() if code != DONE]
    ids, told = ids_of(world, case), {}

    def act() -> None:
        payloads, text = done_by(world.api, who, asked, ids, next_holder=following)
        told.update(payloads)
        as_many = done_as_many(world.api, who, asked, ids)
        assert as_many == {verb: payloads[verb] for verb in as_many}
        made = _made_again(world.api, who, case)
        route = _submitted(world.api, who, case.draft_id) if "submitForApproval" in asked else {}
        assert [word for word in _hidden(case, role) if word in f"{text} {made} {route}"] == []
        if route:
            _demand_same(world.api, who, route, expected["submitForApproval"])

    unchanged(world, case, act)
    assert {verb: codes(payload) for verb, payload in told.items()} == {
        verb: [] if expected[verb] == AS_IT_IS else [expected[verb]] for verb in asked
    }
    known = {*case.rows, case.task_id, case.plan_id}
    for verb, payload in told.items():
        shown = {thing["id"] for name, thing in edges(payload).items() if name != "status"}
        assert shown <= known if expected[verb] == AS_IT_IS else edges(payload) == {}
    unknown = [verb for verb in asked if _tells_nothing(role, verb, expected[verb])]
    assert {verb: told[verb] for verb in unknown} == _of_nothing(world, role, unknown)


def _of_nothing(world: World, role: str, verbs: list[str]) -> dict[str, Any]:
    """What these mutations answer this person for ids of nothing; each is asked once."""
    new = [verb for verb in verbs if (role, verb) not in world.of_nothing]
    if new:
        told, _ = done_by(world.api, world.person(role), new, NOTHING, next_holder=f"next-{world.mark}")
        world.of_nothing.update({(role, verb): payload for verb, payload in told.items()})
    return {verb: world.of_nothing[role, verb] for verb in verbs}


def _tells_nothing(role: str, verb: str, code: str) -> bool:
    """Whether the answer is that for a thing that is not there."""
    return code == NOT_THERE or (verb == "retryPublication" and role != "administrator")


def _made_again(api: Api, who: Someone, case: Case) -> dict[str, Any]:
    """createDraftFromPlan with the id of a draft that is there: one answer, which tells nobody whether there is one."""
    given = {"planId": case.plan_id, "id": case.draft_id, "name": "Made again"}
    told = api.ask(CREATE, who, input=given)
    message = "This id cannot be used; leave it out, or generate another one."
    refusal = {"code": "INVALID", "message": message, "field": "id"}
    assert told == {"createDraftFromPlan": {"draft": None, "userErrors": [refusal]}}
    return told


def _submitted(api: Api, who: Someone, draft_id: str) -> dict[str, Any]:
    """By the REST route."""
    told = api.client.post(f"/api/plans/{draft_id}/submit", json={"draftId": draft_id}, headers=who.headers)
    body: dict[str, Any] = told.json()
    return {name: value for name, value in body.items() if name != "requestId"}


def _demand_same(api: Api, who: Someone, route: dict[str, Any], expected: str) -> None:
    """The route's status for what the mutation answers; for what is not theirs, all of what nothing is answered."""
    assert route["status"] == ("submitted" if expected == AS_IT_IS else STATUS[expected])
    if expected == NOT_THERE:
        assert json.dumps(route) == json.dumps(_submitted(api, who, NOTHING["draftId"]))


@pytest.fixture(scope="module")
def gated(settings: Settings) -> Iterator[Api]:
    with serving(settings_with(settings, auth="gateway", gateway_keys=KEYS)) as api:
        yield api


@pytest.mark.parametrize(("state", "role"), [(s, r) for s, r in CASES if s in ("claimed", "rejected", "copied row")])
def test_a_trusted_program_may_what_they_may_for_whom_it_acts(world: World, gated: Api, state: str, role: str) -> None:
    """With their groups, and in nobody else's name: it is no person, so its own name does not count."""
    case, who = world.case(state), world.person(role)
    expected = {verb: answer(state, role, verb) for verb in verbs(state) if verb in FOR_OTHERS}
    asked = [verb for verb, code in expected.items() if code != DONE]
    ids = ids_of(world, case)
    told: list[dict[str, list[str]]] = []
    named = bearing(TRUSTED, X_User_Id="nightly", X_User_Groups=",".join(who.groups))
    herself = bearing(TRUSTED, X_User_Id=who.id, X_User_Groups=",".join(who.groups))

    def act() -> None:
        for caller, user_id in ((named, who.id), (herself, None)):
            payloads, text = done_by(gated, caller, asked, ids, next_holder="", user_id=user_id)
            assert [word for word in _hidden(case, role) if word in text] == []
            told.append({verb: codes(payload) for verb, payload in payloads.items()})

    unchanged(world, case, act)
    assert told == [{verb: [] if expected[verb] == AS_IT_IS else [expected[verb]] for verb in asked}] * 2


@pytest.mark.parametrize("state", ["new", "in review", "approved", "copied row"])
def test_nobody_else_acts_for_others(world: World, state: str) -> None:
    """Whoever is not trusted with that, for whomever: even of what they know of."""
    case = world.case(state)
    asked = [verb for verb in FOR_OTHERS if verb == "createDraftFromPlan" or verb in verbs(state)]
    ids = ids_of(world, case)
    told: list[dict[str, Any]] = []

    def act() -> None:
        for role, named in (("stranger", "author"), ("author", "submitter"), ("auditor", "assignee")):
            user_id = world.person(named).id
            payloads, _ = done_by(world.api, world.person(role), asked, ids, next_holder="", user_id=user_id)
            told.extend(payloads.values())

    unchanged(world, case, act)
    message = "You can act for yourself only; omit userId."
    refusal = {"code": "FORBIDDEN", "message": message, "field": "userId"}
    assert [payload["userErrors"] for payload in told] == [[refusal]] * len(told)
    assert [edges(payload) for payload in told] == [{}] * len(told)
    assert len(told) == 3 * len(asked)
