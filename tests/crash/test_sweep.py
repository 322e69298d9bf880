"""The worker's sweep, stopped or cut at every upstream call: the next one brings the draft to the same end."""

import asyncio
import uuid
from collections.abc import Callable
from contextlib import suppress

import pytest

from api.errors import UpstreamFailed
from api.settings import Settings
from tests.conftest import TRIED, Recorder
from tests.crash.doomed import run_sweep, stop_sweep, stop_workers
from tests.crash.enumeration import Enumeration, until
from tests.crash.picture import difference, picture
from tests.crash.scenarios import FIRST_VERSION
from tests.crash.tripwire import Mode, Point, Tripwires
from tests.serving import AUTHOR
from tests.stories.behind import Behind, edited
from tests.verbs import SUBMIT, perform, submitted

# its worker has one task of each topic
ONE_EACH = {"worker_concurrency": 1, "lock_seconds": 5}
CALLS = {"reconcile a new plan": 16, "reconcile an edit": 17, "reconcile a conflict": 13, "reconcile a rejection": 8}


def _decided(behind: Behind, draft_id: str, *, approved: bool, **variables: str) -> None:
    """By a process that has no external tasks, and left the draft as it was in approval."""
    process_id = behind.start(draft_id, business_key=draft_id, tenant=FIRST_VERSION, submittedBy="author", **variables)
    behind.drafts.connection.execute(
        "UPDATE benefit_plan_drafts SET status = 'submitted', camunda_process_id = %s WHERE id = %s",
        [process_id, draft_id],
    )
    (task,) = behind.tasks(draft_id)
    behind.complete(task["id"], approved=approved)


def _new(behind: Behind) -> tuple[str, str]:
    draft_id = behind.drafts.new()
    _decided(behind, draft_id, approved=True)
    return draft_id, draft_id


def _edit(behind: Behind) -> tuple[str, str]:
    plan_id, base = behind.stored_plan()
    draft_id = behind.drafts.new(plan=edited(name="Edited"), aidbox_id=plan_id)
    _decided(behind, draft_id, approved=True, aidboxPlanId=plan_id, baseVersion=base)
    return draft_id, plan_id


def _moved(behind: Behind) -> tuple[str, str]:
    draft_id, plan_id = _edit(behind)
    behind.put(plan_id, name="Outside")
    return draft_id, plan_id


def _rejected(behind: Behind) -> tuple[str, str]:
    draft_id = behind.drafts.new()
    _decided(behind, draft_id, approved=False)
    return draft_id, draft_id


# how a draft is left behind, and then the status it is to have and the number of its plan's versions
LEFT: dict[str, tuple[Callable[[Behind], tuple[str, str]], str, int]] = {
    "reconcile a new plan": (_new, "approved", 1),
    "reconcile an edit": (_edit, "approved", 2),
    "reconcile a conflict": (_moved, "conflict", 2),
    "reconcile a rejection": (_rejected, "rejected", 0),
}


@pytest.fixture(scope="module", autouse=True)
def _nothing_is_left(enumeration: Enumeration) -> None:
    """What other tests left behind is not what a sweep here comes upon."""
    after_id: str | None = None
    while (after_id := _swept(enumeration.living, after_id)) is not None:
        pass


def _swept(settings: Settings, after_id: str | None) -> str | None:
    """Where the next sweep goes on. A dead one's lock ends when the database hears of its death."""
    done = []

    def is_done() -> bool:
        swept = asyncio.run(run_sweep(settings, Tripwires({}), after_id))
        done.extend([swept] if swept else [])
        return bool(done)

    until(is_done)
    return done[0].last_id


@pytest.mark.parametrize("name", LEFT)
def test_the_next_sweep_brings_it_to_its_end(enumeration: Enumeration, record_property: Recorder, name: str) -> None:
    behind, settings = enumeration.behind, enumeration.living
    leave, status, versions = LEFT[name]
    draft_id, plan_id = leave(behind)
    wires = Tripwires({}, who=lambda: "")
    asyncio.run(run_sweep(settings, wires, _just_before(draft_id)))
    whole, calls = picture(behind, draft_id, plan_id, {}), wires.calls[""]
    assert (whole["row"]["status"], len(whole["versions"])) == (status, versions)
    assert [each["written"] for each in whole["provenance"]] == [1] * (status == "approved")
    assert len(calls) == CALLS[name], calls

    points = [Point(call, calls[:at].count(call), mode) for mode in Mode for at, call in enumerate(calls)]
    told = {}
    for point in points:
        draft_id, plan_id = leave(behind)
        _strike(settings, point, _just_before(draft_id))
        _swept(settings, _just_before(draft_id))
        told[str(point)] = difference(whole, picture(behind, draft_id, plan_id, {}))
    record_property(TRIED, (name, len(calls), len(points)))
    assert not any(told.values()), "\n\n".join(f"{point}\n{text}" for point, text in told.items() if text)


@pytest.mark.parametrize("is_forgotten", [False, True])
def test_a_version_of_a_deleted_process_gets_its_provenance(enumeration: Enumeration, is_forgotten: bool) -> None:  # noqa: FBT001  # a column of the table
    """Its worker died between the version and its record; then somebody deleted the process, perhaps its history."""
    behind, draft_id = enumeration.behind, enumeration.behind.drafts.new()
    enumeration.let_work(behind.nothing_waits)  # so the worker that dies has this draft's task
    process_id = submitted(enumeration.other.api, draft_id, AUTHOR)
    (task,) = behind.tasks(draft_id)
    assert behind.engine.post(f"/task/{task['id']}/claim", json={"userId": "in-tasklist"}).is_success
    behind.complete(task["id"], approved=True)
    point = Point("aidbox PUT /InsurancePlan/{id}", 0, Mode.AFTER)
    assert stop_workers(enumeration.living.model_copy(update=ONE_EACH), [point]) == {str(point)}
    behind.delete_process(process_id)
    if is_forgotten:
        assert behind.engine.delete(f"/history/process-instance/{process_id}").is_success
        # by whoever opens it: the sweep leaves drafts alone whose process the engine has never heard of
        perform(enumeration.other.api, SUBMIT, AUTHOR, draftId=draft_id)
    else:
        _swept(enumeration.living, _just_before(draft_id))
    assert behind.drafts.row(draft_id)["status"] == "approved"
    (provenance,) = behind.provenances(draft_id)
    people = [agent["who"]["display"] for agent in provenance["agent"]]
    assert people == (["author", "plan-api"] if is_forgotten else ["author", "author", "in-tasklist", "plan-api"])


def test_a_draft_in_review_is_left_alone(enumeration: Enumeration) -> None:
    behind, draft_id = enumeration.behind, enumeration.behind.drafts.new()
    submitted(enumeration.other.api, draft_id, AUTHOR)
    before = picture(behind, draft_id, draft_id, {})
    _swept(enumeration.living, _just_before(draft_id))
    assert picture(behind, draft_id, draft_id, {}) == before


def _strike(settings: Settings, point: Point, after_id: str) -> None:
    if point.mode is not Mode.CUT:
        assert stop_sweep(settings, point, after_id) == {str(point)}
        return
    wires = Tripwires({"": point}, who=lambda: "")
    with suppress(UpstreamFailed):
        asyncio.run(run_sweep(settings, wires, after_id))
    assert wires.met


def _just_before(draft_id: str) -> str:
    """An id that a sweep from there on begins with this draft: it looks at a thousand, and there may be more."""
    return str(uuid.UUID(int=uuid.UUID(draft_id).int - 1))
