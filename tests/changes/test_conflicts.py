"""Draft.conflicts: what both the draft and the store changed since the version the draft goes back to."""

from decimal import Decimal

from tests.changes.conftest import CONFLICTS, DEDUCTIBLE, FAMILY, Conflicting, Store, conflicts, costing, gold, text
from tests.serving import AUTHOR, REVIEWER, Api, Drafts
from tests.verbs import COMPLETE, WITHDRAW, open_task, perform, submitted


def test_both_changed_one_field(api: Api, conflicting: Conflicting) -> None:
    mine = costing("1600.00", family="3200.00", name="Mine")
    theirs = costing("1550.00", status="retired", name="Mine")
    draft_id, _, _ = conflicting(gold(), mine, theirs)
    assert conflicts(api, draft_id) == [
        {
            "path": DEDUCTIBLE,
            "label": "Plan SUM-GOLD-PPO-1500-2027-IN › general cost deductible, group size 1 › cost value",
            "base": Decimal("1500.00"),
            "mine": Decimal("1600.00"),
            "theirs": Decimal("1550.00"),
        }
    ]
    assert '"base":1500.00,"mine":1600.00,"theirs":1550.00}' in api.post(CONFLICTS, AUTHOR, id=draft_id).text


def test_there_is_none_before_a_plan_is_edited_and_submitted(api: Api, drafts: Drafts, plans: Store) -> None:
    assert conflicts(api, drafts.new()) == []
    plan_id, _ = plans.new(gold())
    draft_id = drafts.new(plan=text(costing("1600.00")), aidbox_id=plan_id)
    plans.put(costing("1550.00"), plan_id)
    assert conflicts(api, draft_id) == []
    new_id = drafts.new()
    submitted(api, new_id, AUTHOR)
    assert conflicts(api, new_id) == []


def test_they_show_while_the_review_runs(api: Api, drafts: Drafts, plans: Store) -> None:
    plan_id, _ = plans.new(gold())
    draft_id = drafts.new(plan=text(costing("1600.00")), aidbox_id=plan_id)
    submitted(api, draft_id, AUTHOR)
    assert conflicts(api, draft_id, REVIEWER) == []
    plans.put(costing("1550.00", family="3300.00"), plan_id)
    assert [each["path"] for each in conflicts(api, draft_id, REVIEWER)] == [DEDUCTIBLE]


def test_after_publication_the_published_version_is_the_base(api: Api, drafts: Drafts, plans: Store) -> None:
    plan_id, _ = plans.new(gold())
    draft_id = drafts.new(plan=text(costing("1600.00")), aidbox_id=plan_id)
    submitted(api, draft_id, AUTHOR)
    assert perform(api, COMPLETE, REVIEWER, taskId=open_task(api, draft_id), approved=True)["status"] == "APPROVED"
    drafts.edit(draft_id, plan=text(costing("1700.00")))
    assert conflicts(api, draft_id) == []
    plans.put(costing("1650.00", family="3300.00"), plan_id)
    assert [(each["path"], each["base"]) for each in conflicts(api, draft_id)] == [(DEDUCTIBLE, Decimal("1600.00"))]


def test_a_new_submission_has_a_new_base(api: Api, drafts: Drafts, plans: Store) -> None:
    plan_id, _ = plans.new(gold())
    draft_id = drafts.new(plan=text(costing("1600.00", family="3100.00")), aidbox_id=plan_id)
    submitted(api, draft_id, AUTHOR)
    plans.put(costing("1550.00"), plan_id)
    perform(api, WITHDRAW, AUTHOR, draftId=draft_id)
    assert [each["path"] for each in conflicts(api, draft_id)] == [DEDUCTIBLE]
    submitted(api, draft_id, AUTHOR)
    assert conflicts(api, draft_id) == []
    plans.put(costing("1550.00", family="3050.00"), plan_id)
    assert [(each["path"], each["theirs"]) for each in conflicts(api, draft_id)] == [(FAMILY, Decimal("3050.00"))]


def test_of_a_plan_that_was_taken_away_each_change_conflicts(api: Api, drafts: Drafts, plans: Store) -> None:
    plan_id, _ = plans.new(gold())
    draft_id = drafts.new(plan=text(costing("1600.00")), aidbox_id=plan_id)
    submitted(api, draft_id, AUTHOR)
    plans.delete(plan_id)
    (found,) = conflicts(api, draft_id)
    assert (found["path"], found["theirs"]) == ("plan", None)
