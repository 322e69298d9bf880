"""Publication against what others store, against edits, against itself and against another draft of the same plan."""

from collections import Counter
from functools import partial

import pytest

from tests.races.conftest import Settle
from tests.races.invariants import of_new_plan, of_stored_plan
from tests.races.racing import Payload, Racing, acting, told_by
from tests.races.schedule import between, drawn
from tests.serving import AUTHOR, REVIEWER, SECOND_REVIEWER
from tests.stories.behind import Behind, edited
from tests.verbs import COMPLETE, SUBMIT, codes, open_task, perform, submitted

CALLS = 20  # what an approval that publishes asks of the three systems, about


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
