"""`plan-api check` on a store that behaves as Aidbox documents: what a policy lacks is named; nothing is written."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import httpx
import pytest

from api.settings import Settings
from doctor.digits import NAME, TEST_PLAN
from doctor.trial_requests import ABSENT
from tests.aidbox_like.emulation import aidbox_like
from tests.aidbox_like.switches import Operation, Switches
from tests.commands.running import Ran, run
from tests.conftest import Systems

Check = Callable[..., Ran]
RIGHT = "ok      plans: may be read, searched and written, their versions and histories read in a batch"
PROVENANCE = "ok      provenance: may be read, searched and written"
WRITTEN = "ok      provenance: a test of it was written, read and found by its tag"
DIGITS = "ok      digits: 1500.00 comes back as 1500.00, as AIDBOX_KEEPS_DIGITS says"


@pytest.fixture
def check(real_systems: Systems, settings: Settings) -> Iterator[Check]:
    """The doctor on a store with these switches; `words` of the command line and settings beside them.

    The store does not say what it is, which is none of the service's needs, and would take seconds.
    """
    with ExitStack() as ending:

        def checked(
            *words: str,
            settings_: dict[str, str] | None = None,
            denied: frozenset[Operation] = frozenset(),
            **switches: object,
        ) -> Ran:
            switches["denied"] = denied | {Operation.METADATA}
            store = ending.enter_context(aidbox_like(real_systems.aidbox_url, Switches(**switches)))  # type: ignore[arg-type]  # a field each
            return run(settings, "check", *words, AIDBOX_URL=store.url, **(settings_ or {}))

        yield checked


def of_store(ran: Ran) -> list[str]:
    """The lines about the store but its release. The engine's on versions, where any are old, is of models."""
    subjects = ("plans:", "digits:", "versions:", "provenance:")
    return [line for line in ran.lines if line.split()[1] in subjects and "on former versions of" not in line]


def refused(request: str, operation: str) -> str:
    is_record = "Provenance" in request
    answer = f"wrong   {'provenance' if is_record else 'plans'}: {request} is answered with status 403: Forbidden"
    allowed = f"{answer}; the client's access policy must allow it (Aidbox: operation {operation})"
    return f"{allowed}; without it set PROVENANCE=false" if is_record else allowed


REQUESTS = {
    Operation.READ: "GET InsurancePlan/{id}",
    Operation.SEARCH: "POST InsurancePlan/_search",
    Operation.TRANSACTION: "POST / (a batch)",
    Operation.VREAD: "GET InsurancePlan/{id}/_history/{version} in a batch",
    Operation.HISTORY: "GET InsurancePlan/{id}/_history in a batch",
    Operation.UPDATE: "PUT InsurancePlan/{id}",
}


OF_PROVENANCE = {
    Operation.READ: "GET Provenance/{id} in a batch",
    Operation.SEARCH: "POST Provenance/_search",
    Operation.UPDATE: "PUT Provenance/{id}",
}


@pytest.mark.parametrize(("operation", "request_"), REQUESTS.items(), ids=list(REQUESTS))
def test_an_operation_that_no_policy_allows(check: Check, operation: Operation, request_: str) -> None:
    ran = check(denied=frozenset({operation}))
    record = refused(OF_PROVENANCE[operation], operation) if operation in OF_PROVENANCE else PROVENANCE
    assert of_store(ran) == [refused(request_, operation), record]
    assert ran.code == 1


def test_no_policy_at_all(check: Check) -> None:
    ran = check(denied=frozenset(Operation))
    assert of_store(ran) == [
        *(refused(REQUESTS[each], each) for each in REQUESTS if each not in (Operation.VREAD, Operation.HISTORY)),
        *(refused(OF_PROVENANCE[each], each) for each in OF_PROVENANCE if each is not Operation.READ),
    ]
    assert ran.code == 1


def test_provenance_that_is_switched_off(check: Check) -> None:
    ran = check("--write", settings_={"PROVENANCE": "false"})
    off = "PROVENANCE=false: who approved a plan is known as long as the engine has its history"
    assert of_store(ran) == [RIGHT, f"warning provenance: {off}", DIGITS]


def test_a_history_that_is_off(check: Check) -> None:
    ran = check(has_history=False)
    line, _ = of_store(ran)
    assert line.startswith("wrong   plans: GET InsurancePlan/{id}/_history in a batch is answered with status 422: ")
    assert line.endswith("; switch the history of InsurancePlan on, by which an interrupted publication is known again")
    assert ran.code == 1


@pytest.mark.parametrize("takes", [True, False])
def test_all_is_right_and_nothing_is_written(check: Check, store: httpx.Client, takes: bool) -> None:  # noqa: FBT001  # a column of the table
    """Also where an If-Match of nothing counts for nothing."""
    ran = check(takes_if_match_where_nothing_is=takes)
    assert of_store(ran) == [RIGHT, PROVENANCE]
    (line,) = [line for line in ran.lines if line.split()[1] == "store:"]
    assert line.startswith("ok      store: answers at http://127.0.0.1:")
    for plan_id in (ABSENT, TEST_PLAN):
        assert store.get(f"/InsurancePlan/{plan_id}").status_code in (404, 410)
    assert store.get(f"/InsurancePlan/{ABSENT}/_history").status_code == 404


def test_a_client_that_is_not_known(check: Check) -> None:
    ran = check(client=("plan-api", "secret"), settings_={"AIDBOX_CLIENT_ID": "plan-api", "AIDBOX_CLIENT_SECRET": "no"})
    (line,) = [line for line in ran.lines if line.split()[1] == "store:"]
    assert line.startswith("wrong   store: does not accept this service's credentials (status 401)")
    assert of_store(ran) == []


def test_digits_that_are_kept(check: Check, store: httpx.Client) -> None:
    ran = check("--write")
    assert of_store(ran) == [RIGHT, PROVENANCE, DIGITS, WRITTEN]
    assert store.get(f"/InsurancePlan/{TEST_PLAN}").status_code == 410
    assert of_store(check("--write")) == [RIGHT, PROVENANCE, DIGITS, WRITTEN]


@pytest.mark.parametrize(
    ("keeps", "line", "code"),
    [
        ("true", ("wrong   digits: 1500.00 comes back as 1500.0; set AIDBOX_KEEPS_DIGITS=false, so that equal amounts"
         " count as equal"), 1),
        ("false", "ok      digits: 1500.00 comes back as 1500.0, as AIDBOX_KEEPS_DIGITS says", None),
    ],
)  # fmt: skip
def test_digits_that_are_not(check: Check, keeps: str, line: str, code: int | None) -> None:
    ran = check("--write", keeps_digits=False, settings_={"AIDBOX_KEEPS_DIGITS": keeps})
    assert of_store(ran) == [RIGHT, PROVENANCE, line, WRITTEN]
    assert code is None or ran.code == code


def test_a_test_plan_that_can_not_be_deleted_is_named(check: Check, store: httpx.Client) -> None:
    ran = check("--write", denied=frozenset({Operation.DELETE}))
    *lines, record, last = of_store(ran)
    assert lines == [RIGHT, PROVENANCE, DIGITS, WRITTEN]
    assert record.startswith(f"warning provenance: Provenance/{TEST_PLAN}.")
    assert last.startswith(f"warning digits: InsurancePlan/{TEST_PLAN} is still in the store, delete it by hand: ")
    assert store.get(f"/InsurancePlan/{TEST_PLAN}").json()["name"] == NAME
    assert of_store(check("--write")) == [RIGHT, PROVENANCE, DIGITS, WRITTEN]
    assert store.get(f"/InsurancePlan/{TEST_PLAN}").status_code == 410


def test_somebody_elses_plan_is_left_alone(check: Check, store: httpx.Client) -> None:
    plan = {"resourceType": "InsurancePlan", "id": TEST_PLAN, "name": "Somebody's"}
    store.put(f"/InsurancePlan/{TEST_PLAN}", json=plan, headers={"Content-Type": "application/fhir+json"})
    before = store.get(f"/InsurancePlan/{TEST_PLAN}").json()
    assert of_store(check("--write")) == [
        RIGHT,
        PROVENANCE,
        f"warning digits: not tried: InsurancePlan/{TEST_PLAN} is a plan that this check did not write",
    ]
    assert store.get(f"/InsurancePlan/{TEST_PLAN}").json() == before
    store.delete(f"/InsurancePlan/{TEST_PLAN}").raise_for_status()


def test_nothing_is_written_where_something_is_wrong(check: Check, store: httpx.Client) -> None:
    ran = check("--write", denied=frozenset({Operation.HISTORY}))
    assert of_store(ran) == [refused(REQUESTS[Operation.HISTORY], Operation.HISTORY), PROVENANCE]
    assert store.get(f"/InsurancePlan/{TEST_PLAN}").status_code in (404, 410)
