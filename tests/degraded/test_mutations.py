"""Every mutation, and the old route, while a system it needs is away: told as such, and nothing changed."""

from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.degraded.conftest import Wired, World, make_world, snapshot
from tests.degraded.faults import CASES, FAULTS, Log, entry
from tests.serving import Api, Drafts, Someone
from tests.verbs import CLAIM, COMPLETE, REQUEST_CHANGES, SUBMIT, UNCLAIM, WITHDRAW, perform, status
from tests.wire import HTML, Fault, Refuse, Say

HTTP_STATUSES = {
    "UPSTREAM_UNREACHABLE": 503,
    "UPSTREAM_BUSY": 503,
    "UPSTREAM_TIMEOUT": 504,
    "UPSTREAM_DENIED": 502,
    "UPSTREAM_GARBLED": 502,
    "UPSTREAM_FAILED": 502,
}
ALL = ("retool", "camunda", "aidbox")


@dataclass(frozen=True)
class Verb:
    """A mutation, its input with names of the world in it, who asks, and which systems it can do nothing without."""

    name: str
    fields: str
    who: str
    needs: tuple[str, ...]

    def query(self, world: World) -> str:
        fields = self.fields.format_map(vars(world))
        return f"mutation {{ {self.name}(input: {{{fields}}}) {{ userErrors {{ code }} }} }}"


VERBS = {
    "submit": Verb("submitForApproval", 'draftId: "{fresh_id}"', "author", ALL),
    "approve": Verb("completeApproval", 'taskId: "{task_id}", approved: true', "reviewer", ALL),
    "reject": Verb("completeApproval", 'taskId: "{task_id}", approved: false', "reviewer", ("camunda",)),
    "return": Verb("requestChanges", 'taskId: "{task_id}", comment: "More"', "reviewer", ("camunda",)),
    "claim": Verb("claimTask", 'taskId: "{task_id}"', "reviewer", ("camunda",)),
    "unclaim": Verb("unclaimTask", 'taskId: "{task_id}"', "admin", ("camunda",)),
    "reassign": Verb("reassignTask", 'taskId: "{task_id}", userId: "another"', "admin", ("camunda",)),
    "withdraw": Verb("withdrawSubmission", 'draftId: "{draft_id}"', "author", ("retool", "camunda")),
    "retry": Verb("retryPublication", 'draftId: "{draft_id}"', "admin", ("retool", "camunda")),
}


def in_need(systems: tuple[str, ...]) -> list[tuple[str, str]]:
    return [(system, name) for system, name in CASES if system in systems]


VERB_CASES = [(verb, *case) for verb, made in VERBS.items() for case in in_need(made.needs)]


@pytest.mark.parametrize(("verb", "system", "name"), VERB_CASES)
def test_what_can_not_be_done_is_told_and_changes_nothing(
    wired: Wired,
    world: World,
    drafts: Drafts,
    engine: httpx.Client,
    store: httpx.Client,
    untouched: dict[str, Any],
    log: Log,
    verb: str,
    system: str,
    name: str,
) -> None:
    made, told = VERBS[verb], FAULTS[system][name]
    someone: Someone = getattr(world, made.who)
    with wired.wires[system].during(told.fault):
        response = wired.for_fault(system, told.fault).post(made.query(world), someone)
        request = response.headers["X-Request-Id"]
        logged = log.of(request, 1)
    body = response.json()
    assert body["data"] == {made.name: None}
    (error,) = body["errors"]
    assert error == {**entry(system, told, request), "path": [made.name], "locations": error["locations"]}
    assert {"upstream": system, "code": told.code} in logged
    assert snapshot(world, drafts, engine, store) == untouched


@pytest.mark.parametrize(("system", "name"), CASES)
def test_the_old_route_tells_it_by_status(
    wired: Wired,
    world: World,
    drafts: Drafts,
    engine: httpx.Client,
    store: httpx.Client,
    untouched: dict[str, Any],
    system: str,
    name: str,
) -> None:
    told = FAULTS[system][name]
    with wired.wires[system].during(told.fault):
        response = submit_the_old_way(wired.for_fault(system, told.fault), world)
    assert (response.status_code, response.json()["code"]) == (HTTP_STATUSES[told.code], told.code)
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json()["requestId"] == response.headers["X-Request-Id"]
    assert snapshot(world, drafts, engine, store) == untouched


def submit_the_old_way(api: Api, world: World) -> httpx.Response:
    body = {"draftId": world.fresh_id, "userId": world.author.id}
    return api.client.post(f"/api/plans/{world.fresh_id}/submit", json=body, headers=world.author.headers)


def test_a_gateway_without_a_way_to_the_store_does_not_say_that_a_plan_is_missing(
    wired: Wired,
    world: World,
    drafts: Drafts,
    engine: httpx.Client,
    store: httpx.Client,
    untouched: dict[str, Any],
) -> None:
    with wired.wires["aidbox"].during(Say(404, HTML, "text/html")):
        for verb in ("submit", "approve"):
            someone: Someone = getattr(world, VERBS[verb].who)
            (error,) = wired.api.answer(VERBS[verb].query(world), someone)["errors"]
            assert error["extensions"]["code"] == "UPSTREAM_GARBLED"
    assert snapshot(world, drafts, engine, store) == untouched


def test_without_the_store_all_goes_on_that_does_not_ask_it(wired: Wired, drafts: Drafts, store: httpx.Client) -> None:
    world, another = (make_world(wired.api, drafts, store) for _ in range(2))
    new_plan = drafts.new(author=world.author.id)
    api = wired.api
    with wired.wires["aidbox"].during(Refuse()):
        assert perform(api, SUBMIT, world.author, draftId=new_plan)["status"] == "SUBMITTED"
        assert perform(api, CLAIM, world.reviewer, taskId=world.task_id)["userErrors"] == []
        assert perform(api, UNCLAIM, world.reviewer, taskId=world.task_id)["userErrors"] == []
        comment = {"comment": "More"}
        assert perform(api, REQUEST_CHANGES, world.reviewer, taskId=world.task_id, **comment)["status"] == "RETURNED"
        assert perform(api, WITHDRAW, another.author, draftId=another.draft_id)["userErrors"] == []
    assert [drafts.row(draft_id)["status"] for draft_id in (new_plan, world.draft_id, another.draft_id)] == [
        "submitted",
        "returned",
        "withdrawn",
    ]


@pytest.mark.parametrize("fault", [Refuse()], ids=["refused"])
def test_a_decision_made_without_the_drafts_stands_and_is_told_by_a_repeat(
    wired: Wired, drafts: Drafts, store: httpx.Client, fault: Fault
) -> None:
    world = make_world(wired.api, drafts, store)
    decision = {"taskId": world.task_id, "approved": False, "comment": "No"}
    with wired.wires["retool"].during(fault):
        assert perform(wired.api, CLAIM, world.reviewer, taskId=world.task_id)["userErrors"] == []
        body = wired.api.answer(COMPLETE, world.reviewer, input=decision)
    assert body["data"] == {"completeApproval": None}
    (error,) = body["errors"]
    assert error["extensions"].items() >= {"code": "UPSTREAM_UNREACHABLE", "retryable": True}.items()
    assert drafts.row(world.draft_id)["status"] == "submitted"
    repeated = perform(wired.api, COMPLETE, world.reviewer, **decision)
    assert (repeated["status"], repeated["userErrors"]) == ("REJECTED", [])
    assert status(wired.api, world.draft_id)["state"] == "REJECTED"
