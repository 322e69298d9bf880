"""The service before stores of several switches: what differs between installations makes no difference to people."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from api.settings import Settings
from api.upstreams import open_upstreams
from doctor.store import look_at_store
from tests import wiretap
from tests.aidbox_like.conftest import Serve
from tests.aidbox_like.switches import Operation
from tests.serving import AUDITOR, AUTHOR, Api, Drafts, serving
from tests.stories.behind import Behind, edited, exactly, read, until
from tests.verbs import approved, status, submitted
from tests.wiretap import noting, only, tapped

pytestmark = pytest.mark.anyio
CLIENT = ("plan-api", "Geheim+% 123")
WRITE = "(PUT|POST) (?!.*_search).*/InsurancePlan.*"


@dataclass(frozen=True)
class Before:
    """The API before a store of some switches, and the systems behind it."""

    api: Api
    behind: Behind


Service = Callable[..., Before]


@pytest.fixture
def service(emulated: Serve, settings: Settings, drafts: Drafts, engine: httpx.Client) -> Iterator[Service]:
    """Serve the API before a store with these switches. `parts`: build_app's own."""
    with ExitStack() as ending:

        def served(parts: dict[str, Any] | None = None, *, worker: bool = False, **switches: Any) -> Before:
            url = emulated(**switches).url
            client_id, secret = switches.get("client") or (None, None)
            known = {"aidbox_client_id": client_id, "aidbox_client_secret": SecretStr(secret) if secret else None}
            known |= {"aidbox_url": url, "worker": worker, "worker_poll_seconds": 0.2}
            api = ending.enter_context(serving(settings.model_copy(update=known), **(parts or {})))
            store = ending.enter_context(httpx.Client(base_url=url, timeout=60, auth=switches.get("client")))
            return Before(api, Behind(drafts, engine, store))

        yield served


DOUBLES = "decimals are doubles"
READINGS: dict[str, dict[str, Any]] = {
    "as it comes": {},
    "a client with a secret": {"client": CLIENT},
    "no condition where nothing is": {"takes_if_match_where_nothing_is": False},
    "and no policy for FhirCreate": {
        "takes_if_match_where_nothing_is": False,
        "denied": frozenset({Operation.CREATE}),
    },
    "entries with a response": {"success_entries_have_response": True},
    DOUBLES: {"keeps_digits": False},
    "many clashes": {"takes_if_match_where_nothing_is": False, "clashes": 0.4},
}


@pytest.mark.parametrize("reading", READINGS)
def test_a_new_plan_and_its_edit_are_published(service: Service, reading: str) -> None:
    """And once more after the plan was deleted; never more than one version for an approval."""
    before = service(**READINGS[reading])
    api, behind = before.api, before.behind
    draft_id = behind.drafts.new()
    submitted(api, draft_id, AUTHOR)
    assert approved(api, draft_id)["status"] == "APPROVED"
    plan_id = behind.drafts.row(draft_id)["aidbox_id"]
    edit_id = behind.drafts.new(plan=edited(name="Edited"), aidbox_id=plan_id)
    submitted(api, edit_id, AUTHOR)
    assert approved(api, edit_id)["status"] == "APPROVED"
    assert [version["name"] for version in behind.versions(plan_id)] == ["Edited", "Summit Gold PPO 1500"]
    assert (exactly(behind.plan(plan_id)) == exactly(read(edited(name="Edited")))) == (reading != DOUBLES)


@pytest.mark.parametrize("was_deleted", [False, True])
def test_a_first_write_replaces_nothing_that_came_meanwhile(service: Service, *, was_deleted: bool) -> None:
    """Where the store takes no condition for what is not there, and somebody writes between refusal and creation."""
    writes: list[httpx.Request] = []
    outside = wiretap.before(lambda: before.behind.put(draft_id, name="Outside"))
    transports = tapped(noting(writes), only({2}, outside), system="aidbox", call=WRITE)

    before = service({"transports": transports}, takes_if_match_where_nothing_is=False)
    draft_id = before.behind.drafts.new()
    if was_deleted:
        before.behind.put(draft_id, name="Deleted")
        before.behind.store.delete(f"/InsurancePlan/{draft_id}").raise_for_status()
    submitted(before.api, draft_id, AUTHOR)
    payload = approved(before.api, draft_id)
    assert (payload["status"], payload["reason"]) == ("CONFLICT", "Version changed during approval")
    assert [version["name"] for version in before.behind.versions(draft_id)][:1] == ["Outside"]
    assert [write.method for write in writes] == ["PUT", "POST"]


@pytest.mark.parametrize("operation", [Operation.READ, Operation.UPDATE])
def test_without_a_policy_nothing_is_published_and_nothing_is_lost(service: Service, operation: Operation) -> None:
    """A 403 is no word about the plan: the approval waits, and goes on where the policy is there."""
    allowed, denied = service(), service(denied=frozenset({operation}))
    draft_id = allowed.behind.drafts.new()
    submitted(allowed.api, draft_id, AUTHOR)
    assert approved(denied.api, draft_id)["status"] == "PUBLISHING"
    assert status(allowed.api, draft_id)["state"] == "PUBLISHING"
    assert allowed.behind.versions(draft_id) == []
    service(worker=True)
    until(lambda: status(allowed.api, draft_id)["state"] == "APPROVED")
    assert len(allowed.behind.versions(draft_id)) == 1


CURRENT = "query Current($id: ID!) { plan(id: $id) { name } }"
VERSION = "query Version($id: ID!, $version: ID!) { plan(id: $id, versionId: $version) { name } }"
HISTORY = "query History($id: ID!) { plan(id: $id) { history { name } } }"
DENIED = [
    (Operation.SEARCH, CURRENT, ["plan"]),
    (Operation.VREAD, VERSION, ["plan"]),
    (Operation.HISTORY, HISTORY, ["plan", "history"]),
    (Operation.TRANSACTION, VERSION, ["plan"]),
    (Operation.TRANSACTION, HISTORY, ["plan", "history"]),
]


@pytest.mark.parametrize(("operation", "query", "path"), DENIED)
def test_what_no_policy_allows_is_not_read_as_missing(
    service: Service, operation: Operation, query: str, path: list[str]
) -> None:
    before = service(denied=frozenset({operation}))
    plan_id, version = before.behind.stored_plan()
    variables = {"id": plan_id} | ({"version": version} if query is VERSION else {})
    answer = before.api.answer(query, AUDITOR, **variables)
    assert [(error["path"], error["extensions"]["code"]) for error in answer["errors"]] == [(path, "UPSTREAM_DENIED")]
    assert service().api.ask(query, AUDITOR, **variables)["plan"]


def test_a_history_that_is_off_is_not_an_empty_one(service: Service) -> None:
    before = service(has_history=False)
    plan_id, _ = before.behind.stored_plan()
    answer = before.api.answer(HISTORY, AUDITOR, id=plan_id)
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["UPSTREAM_FAILED"]
    assert answer["data"] == {"plan": {"history": None}}


@pytest.mark.parametrize("form", ["text", "object", "absent"])
def test_a_refusal_names_the_place_whatever_its_words(service: Service, form: str) -> None:
    before = service(diagnostics=form)
    draft_id = before.behind.drafts.new(plan=edited(alias="one for a list"))
    submitted(before.api, draft_id, AUTHOR)
    assert approved(before.api, draft_id)["status"] == "PUBLISH_FAILED"
    assert "InsurancePlan.alias" in status(before.api, draft_id)["problem"]


async def doctor(url: str, settings: Settings) -> list[str]:
    """What the doctor says of requests at this store."""
    async with open_upstreams(settings.model_copy(update={"aidbox_url": url})) as upstreams:
        found = await look_at_store(upstreams.aidbox, url)
    return [finding.message for finding in found if finding.subject == "plans"]


@pytest.mark.parametrize(
    "switches",
    [{}, {"takes_if_match_where_nothing_is": False, "success_entries_have_response": True}],
    ids=["as it comes", "the other readings"],
)
async def test_the_doctor_finds_a_store_like_aidbox_fit(
    emulated: Serve, settings: Settings, switches: dict[str, Any]
) -> None:
    fit = "may be read, searched and written, their versions and histories read in a batch"
    assert await doctor(emulated(**switches).url, settings) == [fit]


@pytest.mark.parametrize(
    "denied",
    [
        Operation.READ,
        Operation.VREAD,
        Operation.HISTORY,
        Operation.SEARCH,
        Operation.UPDATE,
        Operation.TRANSACTION,
    ],
)
async def test_the_doctor_names_the_policy_that_is_missing(
    emulated: Serve, settings: Settings, denied: Operation
) -> None:
    (told,) = await doctor(emulated(denied=frozenset({denied})).url, settings)
    way = f"the client's access policy must allow it (Aidbox: operation {denied})"
    assert told.endswith(f"is answered with status 403: Forbidden; {way}")


async def test_the_doctor_names_a_history_that_is_off(emulated: Serve, settings: Settings) -> None:
    (told,) = await doctor(emulated(has_history=False).url, settings)
    assert "status 422: History is disabled for resource type InsurancePlan" in told
