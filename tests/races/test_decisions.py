"""Decisions on one task against each other, and against what else can befall the task."""

from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import Any

from tests.races.conftest import Settle
from tests.races.invariants import Raced, of_new_plan, of_stored_plan
from tests.races.racing import Payload, Racing, acting, told_by
from tests.races.schedule import Schedule, between, drawn, several
from tests.serving import ADMIN, AUTHOR, REVIEWER, SECOND_REVIEWER
from tests.stories.behind import Behind
from tests.verbs import (
    CLAIM,
    COMPLETE,
    REASSIGN,
    REQUEST_CHANGES,
    SUBMIT,
    WITHDRAW,
    codes,
    open_task,
    perform,
    status,
    submitted,
)

CALLS = 18  # what a decision asks of the three systems, about
LATE = (["ALREADY_CLAIMED"], ["ALREADY_DECIDED"])
PEOPLE = (REVIEWER, SECOND_REVIEWER)


def in_review(racing: Racing, behind: Behind, seed: int) -> tuple[Raced, str]:
    """A draft in review, by turns of a new plan and of one in the store, and its task."""
    raced = (of_stored_plan if seed % 2 else of_new_plan)(behind)
    submitted(racing.api, raced.draft_id, AUTHOR)
    return raced, open_task(racing.api, raced.draft_id)


def decision_of(racing: Racing, raced: Raced) -> Mapping[str, Any]:
    (decision,) = status(racing.api, raced.draft_id)["decisions"]
    assert isinstance(decision, dict)
    return decision


def test_many_approvals(racing: Racing, behind: Behind, seeds: range, seen: Counter[str], settle: Settle) -> None:
    seen.update({person.id: 0 for person in PEOPLE})
    for seed in seeds:
        with told_by(seed):
            raced, task_id = in_review(racing, behind, seed)
            people = dict(zip(several(seed, "approve"), PEOPLE * 3, strict=False))
            approve = partial(perform, racing.api, COMPLETE, taskId=task_id, approved=True)
            actors = {name: partial(approve, acting(person, name)) for name, person in people.items()}
            answers = racing.run(drawn(seed, list(people), calls=CALLS), actors)

            assert settle(raced).status == "approved"
            winner = decision_of(racing, raced)["decidedBy"]["id"]
            for name, person in people.items():
                if person.id == winner:
                    assert (answers[name]["status"], answers[name]["userErrors"]) == ("APPROVED", [])
                    assert answers[name]["plan"] == answers[name]["plan"] | {"id": raced.plan_id}
                else:
                    assert codes(answers[name]) in LATE
            seen[winner] += 1


def test_approval_against_another_verdict(
    racing: Racing, behind: Behind, seeds: range, seen: Counter[str], settle: Settle
) -> None:
    """A rejection or a return, of another reviewer or of the same one, who says both at once."""
    seen.update({"approved": 0, "rejected": 0, "returned": 0})
    for seed in seeds:
        with told_by(seed):
            raced, task_id = in_review(racing, behind, seed)
            other, opponent = ("rejected", "returned")[seed // 4 % 2], PEOPLE[seed // 8 % 2]
            who = acting(opponent, "oppose")
            approve = partial(perform, racing.api, COMPLETE, acting(REVIEWER, "approve"), taskId=task_id, approved=True)
            oppose = (
                partial(perform, racing.api, COMPLETE, who, taskId=task_id, approved=False)
                if other == "rejected"
                else partial(perform, racing.api, REQUEST_CHANGES, who, taskId=task_id, comment="Mend it")
            )
            schedule = drawn(seed, ["approve", "oppose"], calls=CALLS)
            answers = racing.run(schedule, {"approve": approve, "oppose": oppose})

            after = settle(raced)
            assert decision_of(racing, raced)["verdict"] == after.status.upper()
            won, lost = ("approve", "oppose") if after.status == "approved" else ("oppose", "approve")
            assert after.status == ("approved" if won == "approve" else other)
            assert (answers[won]["status"], answers[won]["userErrors"]) == (after.status.upper(), [])
            assert codes(answers[lost]) in (LATE if opponent != REVIEWER else (["ALREADY_DECIDED"],))
            seen[after.status] += 1


def test_approval_against_withdrawal(
    racing: Racing, behind: Behind, seeds: range, seen: Counter[str], settle: Settle
) -> None:
    seen.update({"approved": 0, "withdrawn": 0})
    for seed in seeds:
        with told_by(seed):
            raced, task_id = in_review(racing, behind, seed)
            approve = partial(perform, racing.api, COMPLETE, acting(REVIEWER, "approve"), taskId=task_id, approved=True)
            withdraw = partial(perform, racing.api, WITHDRAW, acting(AUTHOR, "withdraw"), draftId=raced.draft_id)
            schedule = drawn(seed, ["approve", "withdraw"], calls=CALLS)
            answers = racing.run(schedule, {"approve": approve, "withdraw": withdraw})

            after = settle(raced)
            approval, withdrawal = answers["approve"], answers["withdraw"]
            if after.status == "approved":
                assert (approval["status"], approval["userErrors"]) == ("APPROVED", [])
                assert codes(withdrawal) in (["ALREADY_DECIDED"], ["NOT_SUBMITTED"])
            else:
                assert after.status == "withdrawn"
                assert (withdrawal["draft"]["status"], withdrawal["userErrors"]) == ("WITHDRAWN", [])
                assert (approval["status"], codes(approval)) == (None, ["ALREADY_DECIDED"])
            seen[after.status] += 1


def test_approval_against_being_handed_over(
    racing: Racing, behind: Behind, seeds: range, seen: Counter[str], settle: Settle
) -> None:
    """Who has it from then on may decide as well; whoever decided, it is one of the two, and both are told the same."""
    seen.update({"first": 0, "handed over": 0})
    for seed in seeds:
        with told_by(seed):
            raced, task_id = in_review(racing, behind, seed)
            actors = {
                "approve": partial(
                    perform, racing.api, COMPLETE, acting(REVIEWER, "approve"), taskId=task_id, approved=True
                ),
                "hand-over": partial(
                    perform,
                    racing.api,
                    REASSIGN,
                    acting(ADMIN, "hand-over"),
                    taskId=task_id,
                    userId=SECOND_REVIEWER.id,
                ),
                "reject": partial(
                    perform, racing.api, COMPLETE, acting(SECOND_REVIEWER, "reject"), taskId=task_id, approved=False
                ),
            }
            answers = racing.run(drawn(seed, list(actors), calls=CALLS), actors)
            _check_handing_over(answers)
            if not any(answers[name]["status"] for name in ("approve", "reject")):
                actors["reject"]()  # both were refused, since each saw the other have it for a while
                seen["refused"] += 1

            after = settle(raced)
            decision = decision_of(racing, raced)
            assert decision["verdict"] == after.status.upper()
            assert decision["decidedBy"]["id"] == {"approved": "reviewer", "rejected": "second-reviewer"}[after.status]
            won, lost = ("approve", "reject") if after.status == "approved" else ("reject", "approve")
            assert codes(answers[lost]) in LATE
            if answers[won]["status"]:
                assert answers[won]["status"] == after.status.upper()
            seen["first" if after.status == "approved" else "handed over"] += 1


def _check_handing_over(answers: Mapping[str, Payload]) -> None:
    handed = answers["hand-over"]
    if codes(handed):
        assert codes(handed) in LATE  # taken by somebody in the very moment, or decided
    elif handed["task"] is not None and handed["task"]["assignee"] is not None:
        assert handed["task"]["assignee"]["id"] in {person.id for person in PEOPLE}


def test_a_task_claimed_by_several(racing: Racing, behind: Behind, seeds: range, seen: Counter[str]) -> None:
    seen.update({person.id: 0 for person in PEOPLE})
    for seed in seeds:
        with told_by(seed):
            raced, task_id = in_review(racing, behind, seed)
            people = dict(zip(several(seed, "claim"), PEOPLE * 3, strict=False))
            claim = partial(perform, racing.api, CLAIM, taskId=task_id)
            actors = {name: partial(claim, acting(person, name)) for name, person in people.items()}
            answers = racing.run(drawn(seed, list(people), calls=6), actors)

            (task,) = behind.tasks(raced.draft_id)
            for name, person in people.items():
                assert codes(answers[name]) == ([] if person.id == task["assignee"] else ["ALREADY_CLAIMED"])
            seen[task["assignee"]] += 1


def test_an_outcome_that_comes_late(
    racing: Racing, behind: Behind, seeds: range, seen: Counter[str], settle: Settle
) -> None:
    """A rejection is held before any of its calls while its lock is lost to another request, which records it; then
    the draft is submitted again, or its author starts afresh; and the held one goes on."""
    seen.update({"submitted again": 0, "begun afresh": 0})
    for seed in seeds:
        with told_by(seed):
            raced, task_id = in_review(racing, behind, seed)
            schedule = between("reject", 5 + seed // 2 % 5, "others", longest=3)
            others = partial(_go_on, racing, raced, schedule, afresh=bool(seed % 2))
            reject = partial(perform, racing.api, COMPLETE, acting(REVIEWER, "reject"), taskId=task_id, approved=False)
            answers = racing.run(schedule, {"reject": reject, "others": others})

            now = behind.drafts.row(raced.draft_id)["status"]
            assert codes(answers["reject"]) == (["ALREADY_DECIDED"] if now == "withdrawn" else [])
            if answers["others"]["afresh"]:
                assert now == "draft"
                _set_status(raced, "rejected")
                seen["begun afresh"] += 1
            seen["submitted again"] += now == "submitted"
            settle(raced)


def _go_on(racing: Racing, raced: Raced, schedule: Schedule, *, afresh: bool) -> Payload:
    """Take over what the rejection left behind, and go on; whether the draft was begun afresh, in Retool."""
    schedule.wait("others")
    process_id = raced.behind.drafts.row(raced.draft_id)["camunda_process_id"]
    for task in raced.behind.external_tasks(process_id):
        assert raced.behind.engine.post(f"/external-task/{task['id']}/unlock").is_success
    if not afresh:
        for _ in range(2):  # the first may find it in approval yet, and bring that to its end
            perform(racing.api, SUBMIT, AUTHOR, draftId=raced.draft_id)
        return {"afresh": False}
    perform(racing.api, WITHDRAW, AUTHOR, draftId=raced.draft_id)
    is_rejected = raced.behind.drafts.row(raced.draft_id)["status"] == "rejected"
    if is_rejected:
        _set_status(raced, "draft")
    return {"afresh": is_rejected}


def _set_status(raced: Raced, status: str) -> None:
    raced.behind.drafts.connection.execute(
        "UPDATE benefit_plan_drafts SET status = %s WHERE id = %s", [status, raced.draft_id]
    )
