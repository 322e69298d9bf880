"""Submissions against each other, and against what the draft's author writes meanwhile."""

from collections import Counter
from functools import partial

from tests.races.conftest import Settle
from tests.races.invariants import of_new_plan, of_stored_plan
from tests.races.racing import Racing, acting, told_by
from tests.races.schedule import between, drawn, several
from tests.serving import AUTHOR
from tests.stories.behind import Behind, edited
from tests.verbs import SUBMIT, WITHDRAW, approved, codes, perform, rejected

CALLS = 14  # what a submission asks of the three systems, about


def test_many_of_one_draft(racing: Racing, behind: Behind, seeds: range, seen: Counter[str], settle: Settle) -> None:
    seen.update({"several processes": 0, "one process": 0})
    for seed in seeds:
        with told_by(seed):
            raced = of_new_plan(behind)
            names = several(seed, "submit")
            submit = partial(perform, racing.api, SUBMIT, draftId=raced.draft_id)
            schedule = drawn(seed, names, calls=CALLS)
            answers = racing.run(schedule, {name: partial(submit, acting(AUTHOR, name)) for name in names})

            after = settle(raced)
            assert after.status == "submitted"
            assert {answer["processId"] for answer in answers.values()} == {after.process_id}
            assert [codes(answer) for answer in answers.values()] == [[]] * len(names)
            seen["several processes" if after.superseded else "one process"] += 1


def test_against_an_edit(racing: Racing, behind: Behind, seeds: range, seen: Counter[str], settle: Settle) -> None:
    """Whatever is in review is either what was written before the edit or what was written by it, and is told so."""
    seen.update({"before": 0, "between": 0, "after": 0})
    for seed in seeds:
        with told_by(seed):
            raced = (of_stored_plan if seed % 2 else of_new_plan)(behind)
            written = edited(name=f"Written meanwhile {seed}")
            schedule = between("submit", 1 + seed % (CALLS + 1), "edit")

            def edit() -> dict[str, object]:
                schedule.wait("edit")  # noqa: B023  # called within the round
                return raced.edit(written)  # noqa: B023  # as above

            submit = partial(perform, racing.api, SUBMIT, acting(AUTHOR, "submit"), draftId=raced.draft_id)
            answer = racing.run(schedule, {"submit": submit, "edit": edit})["submit"]

            after = settle(raced)
            if codes(answer):
                assert (codes(answer), after.status) == (["DRAFT_CHANGED"], "draft")
                assert list(after.ends.values()) in ([], ["superseded"])
                seen["between"] += 1
                continue
            assert (answer["processId"], after.status) == (after.process_id, "submitted")
            revision = behind.variables(str(after.process_id))["draftRevision"]
            is_last = raced.contents[revision] == written
            outcome = approved(racing.api, raced.draft_id)
            assert outcome["status"] == ("APPROVED" if is_last else "CONFLICT")
            assert settle(raced).status == ("approved" if is_last else "conflict")
            seen["before" if is_last else "after"] += 1


def test_against_a_whole_life(racing: Racing, behind: Behind, seeds: range, seen: Counter[str], settle: Settle) -> None:
    """While one submission is held, the draft is submitted and decided or withdrawn: it follows that, or ends."""
    seen.update({"before": 0, "twins": 0, "adopted or after": 0})
    for seed in seeds:
        with told_by(seed):
            raced = (of_stored_plan if seed % 2 else of_new_plan)(behind)
            schedule = between("late", 1 + seed % (CALLS + 1), "life", longest=3)

            def live() -> dict[str, object]:
                schedule.wait("life")  # noqa: B023  # called within the round
                if codes(perform(racing.api, SUBMIT, AUTHOR, draftId=raced.draft_id)):  # noqa: B023  # as above
                    return {}
                if seed % 3:  # noqa: B023  # as above
                    return perform(racing.api, WITHDRAW, AUTHOR, draftId=raced.draft_id)  # noqa: B023  # as above
                return rejected(racing.api, raced.draft_id)  # noqa: B023  # as above

            submit = partial(perform, racing.api, SUBMIT, acting(AUTHOR, "late"), draftId=raced.draft_id)
            answer = racing.run(schedule, {"late": submit, "life": live})["late"]

            after = settle(raced)
            assert codes(answer) == []
            assert answer["processId"] in after.ends
            lived = [end for end in after.ends.values() if end in ("withdrawn", "rejected")]
            assert lived == ["withdrawn" if seed % 3 else "rejected"]
            if after.superseded:
                seen["twins"] += 1
            else:
                seen["before" if after.status == "submitted" else "adopted or after"] += 1
