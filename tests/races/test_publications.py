"""Publication against what others store, against edits, against itself and against another draft of the same plan."""

import threading
import uuid
from collections import Counter
from collections.abc import Callable
from functools import partial

import httpx
import pytest

from api.settings import Settings
from sandbox.samples import ENCODER
from tests.races.conftest import Settle
from tests.races.invariants import Raced, of_new_plan, of_stored_plan
from tests.races.racing import Payload, Racing, acting, told_by
from tests.races.schedule import between, drawn
from tests.serving import ADMIN, AUTHOR, REVIEWER, SECOND_REVIEWER, serving
from tests.stories.behind import FHIR_JSON, Behind, edited, until
from tests.verbs import COMPLETE, RETRY, SUBMIT, WITHDRAW, approved, codes, open_task, perform, submitted
from tests.wiretap import Send, Tap, only, tapped

CALLS = 18  # what an approval that publishes asks of the three systems, about


@pytest.mark.parametrize("plan", ["stored", "new"])
def test_against_a_version_stored_by_somebody_else(
    racing: Racing, behind: Behind, seeds: range, seen: Counter[str], settle: Settle, plan: str
) -> None:
    """Just before, between any two calls of, and just after the approval: never is a version replaced unseen.

    Where a new plan will be is looked at only to publish it.
    """
    seen.update({"found while publishing": 0, "published before": 0})
    seen.update({"found at once": 0} if plan == "stored" else {})
    for seed in seeds:
        with told_by(seed):
            raced = (of_stored_plan if plan == "stored" else of_new_plan)(behind)
            process_id = submitted(racing.api, raced.draft_id, AUTHOR)
            task_id = open_task(racing.api, raced.draft_id)
            schedule = between("approve", 1 + seed % (CALLS + 1), "outside")

            def store_version() -> Payload:
                schedule.wait("outside")  # noqa: B023  # called within the round
                return raced.store_version("Outside")  # noqa: B023  # as above

            approve = partial(perform, racing.api, COMPLETE, acting(REVIEWER, "approve"), taskId=task_id, approved=True)
            answer = racing.run(schedule, {"approve": approve, "outside": store_version})["approve"]

            after = settle(raced)
            assert (answer["status"], answer["userErrors"]) == (after.status.upper(), [])
            names = [version["name"] for version in behind.versions(raced.plan_id)]
            assert names[0] == "Outside"
            if after.status == "approved":
                seen["published before"] += 1
            else:
                assert (after.status, answer["reason"]) == ("conflict", "Version changed during approval")
                at_once = behind.variables(process_id)["approved"] is False
                seen["found at once" if at_once else "found while publishing"] += 1


def test_a_retry_against_a_withdrawal(
    racing: Racing, behind: Behind, seeds: range, seen: Counter[str], settle: Settle
) -> None:
    """Of a publication that gave up, once its cause is mended: published or withdrawn, and never both."""
    seen.update({"approved": 0, "withdrawn": 0})
    for seed in seeds:
        with told_by(seed):
            raced = _stopped(racing, behind)
            retry = partial(perform, racing.api, RETRY, acting(ADMIN, "retry"), draftId=raced.draft_id)
            withdraw = partial(perform, racing.api, WITHDRAW, acting(AUTHOR, "withdraw"), draftId=raced.draft_id)
            schedule = drawn(seed, ["retry", "withdraw"], calls=CALLS)
            answers = racing.run(schedule, {"retry": retry, "withdraw": withdraw})

            after = settle(raced)
            seen[after.status] += 1
            if after.status == "approved":
                assert codes(answers["withdraw"]) in (["ALREADY_DECIDED"], ["NOT_SUBMITTED"])
                assert codes(answers["retry"]) == []
            else:
                assert after.status == "withdrawn"
                assert answers["withdraw"]["draft"]["status"] == "WITHDRAWN"
                assert answers["withdraw"]["userErrors"] == []
                assert codes(answers["retry"]) in ([], ["NOT_SUBMITTED"])


def _stopped(racing: Racing, behind: Behind) -> Raced:
    """A draft whose publication gave up, for a cause that is mended by now."""
    owner = str(uuid.uuid4())
    plan = edited(ownedBy={"reference": f"Organization/{owner}"})
    draft_id = behind.drafts.new(plan=plan)
    raced = Raced(behind, draft_id, draft_id)
    raced.know(plan)
    submitted(racing.api, draft_id, AUTHOR)
    assert approved(racing.api, draft_id)["status"] == "PUBLISH_FAILED"
    body = ENCODER.encode({"resourceType": "Organization", "id": owner, "name": "Found at last"})
    assert behind.store.put(f"/Organization/{owner}", content=body, headers=FHIR_JSON).is_success
    return raced


def test_against_an_edit(racing: Racing, behind: Behind, seeds: range, seen: Counter[str], settle: Settle) -> None:
    """Between any two calls of the approval: what is published is what was reviewed, or nothing is."""
    seen.update({"found at once": 0, "found while publishing": 0, "published": 0})
    for seed in seeds:
        with told_by(seed):
            raced = (of_stored_plan if seed % 2 else of_new_plan)(behind)
            process_id = submitted(racing.api, raced.draft_id, AUTHOR)
            task_id = open_task(racing.api, raced.draft_id)
            schedule = between("approve", 1 + seed % (CALLS + 1), "edit")

            def edit() -> Payload:
                schedule.wait("edit")  # noqa: B023  # called within the round
                return raced.edit(edited(name="Written meanwhile"))  # noqa: B023  # as above

            approve = partial(perform, racing.api, COMPLETE, acting(REVIEWER, "approve"), taskId=task_id, approved=True)
            answer = racing.run(schedule, {"approve": approve, "edit": edit})["approve"]

            after = settle(raced)
            assert (answer["status"], answer["userErrors"]) == (after.status.upper(), [])
            if after.status == "approved":
                seen["published"] += 1
            else:
                assert (after.status, answer["reason"]) == ("conflict", "Draft changed since it was submitted")
                at_once = behind.variables(process_id)["approved"] is False
                seen["found at once" if at_once else "found while publishing"] += 1


def test_two_drafts_of_one_plan(
    racing: Racing, behind: Behind, seeds: range, seen: Counter[str], settle: Settle
) -> None:
    """Approved at once: the first to be written is published, the other is in conflict."""
    seen.update({"first": 0, "second": 0, "refused by the store": 0})
    for seed in seeds:
        with told_by(seed):
            first = of_stored_plan(behind, name="First")
            second = of_stored_plan(behind, first.plan_id, name="Second")
            actors, processes = {}, {}
            for name, raced, person in (("first", first, REVIEWER), ("second", second, SECOND_REVIEWER)):
                processes[name] = submitted(racing.api, raced.draft_id, AUTHOR)
                task_id = open_task(racing.api, raced.draft_id)
                actors[name] = partial(
                    perform, racing.api, COMPLETE, acting(person, name), taskId=task_id, approved=True
                )
            answers = racing.run(drawn(seed, ["first", "second"], calls=CALLS), actors)

            assert {settle(first, second).status, settle(second, first).status} == {"approved", "conflict"}
            assert {answer["status"] for answer in answers.values()} == {"APPROVED", "CONFLICT"}
            won, lost = ("first", "second") if answers["first"]["status"] == "APPROVED" else ("second", "first")
            assert answers[lost]["reason"] == "Version changed during approval"
            seen[won] += 1
            seen["refused by the store"] += behind.variables(processes[lost])["approved"] is True


@pytest.mark.parametrize("plan", ["stored", "new"])
def test_a_write_that_comes_late(racing: Racing, behind: Behind, seeds: range, settle: Settle, plan: str) -> None:
    """The approval is held before any of its calls while its lock is lost to another request, which publishes; somebody
    else stores a version; and the held one goes on."""
    for seed in seeds:
        with told_by(seed):
            raced = (of_stored_plan if plan == "stored" else of_new_plan)(behind)
            process_id = submitted(racing.api, raced.draft_id, AUTHOR)
            task_id = open_task(racing.api, raced.draft_id)
            schedule = between("approve", 6 + seed % (CALLS - 6), "others")

            def others() -> Payload:
                schedule.wait("others")  # noqa: B023  # called within the round
                for task in behind.external_tasks(process_id):  # noqa: B023  # as above
                    assert behind.engine.post(f"/external-task/{task['id']}/unlock").is_success
                perform(racing.api, SUBMIT, AUTHOR, draftId=raced.draft_id)  # noqa: B023  # as above
                if behind.versions(raced.plan_id)[:1]:  # noqa: B023  # as above
                    raced.store_version("Outside")  # noqa: B023  # as above
                return {}

            approve = partial(perform, racing.api, COMPLETE, acting(REVIEWER, "approve"), taskId=task_id, approved=True)
            answer = racing.run(schedule, {"approve": approve, "others": others})["approve"]

            after = settle(raced)
            assert (answer["status"], codes(answer)) == (after.status.upper(), [])


def losing(act: Callable[[httpx.Request], object]) -> Tap:
    """A write that fails for who sent it; what comes to the store some time after is for `act`."""

    async def lost(request: httpx.Request, _send: Send) -> httpx.Response:
        await request.aread()
        act(request)
        raise httpx.ReadError("nobody will read the answer")

    return lost


def test_a_write_that_was_given_up_and_lands_after_an_edit(
    settings: Settings, behind: Behind, seeds: range, seen: Counter[str], settle: Settle
) -> None:
    """What failed may still be under way: a publication is not called off until it has landed or never will."""
    working = settings.model_copy(update={"worker": True, "worker_poll_seconds": 0.05})
    seen.update({"landed before the edit": 0, "landed after the edit": 0})
    for seed in seeds[: len(seeds) // 4]:
        with told_by(seed):
            raced = (of_stored_plan if seed % 2 else of_new_plan)(behind)
            after_seconds = seed % 4 * 1.2
            landing: list[threading.Timer] = []
            has_landed: list[bool] = []

            def land(request: httpx.Request) -> None:
                send = lambda: has_landed.append(_send(request))  # noqa: B023, E731  # called within the round
                timer = threading.Timer(after_seconds, send)  # noqa: B023  # as above
                timer.start()
                landing.append(timer)  # noqa: B023  # as above
                if after_seconds:  # noqa: B023  # as above
                    raced.edit(edited(name="Written meanwhile"))  # noqa: B023  # as above

            late = tapped(only({1}, losing(land)), system="aidbox", call=f"PUT .*/InsurancePlan/{raced.plan_id}")
            with serving(working, transports=late) as api:
                submitted(api, raced.draft_id, AUTHOR)
                answer = approved(api, raced.draft_id)
                until(lambda: behind.active(raced.draft_id) == [])  # noqa: B023  # as above
            landing[0].join()

            assert answer["status"] in ("PUBLISHING", "APPROVED")
            # a store that takes no condition where nothing is refuses the late one, and the edit counts
            is_published = has_landed == [True] or not after_seconds
            assert settle(raced).status == ("approved" if is_published else "conflict")
            assert has_landed == [True] or not raced.outside  # only a plan of an own id may be refused
            seen["landed after the edit" if after_seconds else "landed before the edit"] += 1


def _send(request: httpx.Request) -> bool:
    """Whether the store took it."""
    headers = {name: request.headers[name] for name in ("content-type", "if-match") if name in request.headers}
    return httpx.put(str(request.url), content=request.content, headers=headers, timeout=60, trust_env=False).is_success
