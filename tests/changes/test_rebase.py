"""rebaseDraft: a draft moved onto the plan's current version, and everything that leaves it as it is."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest

from tests.changes.conftest import (
    DEDUCTIBLE,
    FAMILY,
    REBASE,
    Conflicting,
    Plan,
    Store,
    conflicts,
    costing,
    exactly,
    gold,
    read_row,
    revision,
    text,
)
from tests.serving import ADMIN, AUTHOR, REVIEWER, STRANGER, Api, Drafts, Someone
from tests.verbs import COMPLETE, codes, open_task, perform, submitted

MINE, THEIRS = costing("1600.00", name="Mine"), costing("1550.00", status="retired")


def rebase(api: Api, draft_id: str, someone: Someone = AUTHOR, **fields: object) -> dict[str, Any]:
    """The payload of rebaseDraft, with the revision as it is unless another is given."""
    return perform(api, REBASE, someone, **{"draftId": draft_id, "revision": revision(api, draft_id), **fields})


def taking(side: str, path: str = DEDUCTIBLE) -> list[Plan]:
    """One choice."""
    return [{"path": path, "take": side}]


def test_without_a_conflict_both_changes_are_kept(api: Api, drafts: Drafts, conflicting: Conflicting) -> None:
    draft_id, _, _ = conflicting(gold(), costing("1600.00", name="Mine"), costing("1500.00", family="3100.0"))
    payload = rebase(api, draft_id)
    assert (payload["conflicts"], payload["userErrors"]) == ([], [])
    row = read_row(drafts, draft_id)
    process_id = drafts.row(draft_id)["camunda_process_id"]
    note = {"system": "urn:plan-api:approval-process", "version": row["meta"]["tag"][0]["version"], "code": process_id}
    expected = costing("1600.00", family="3100.0", name="Mine", meta={"tag": [note]})
    assert exactly(row) == exactly(expected)
    assert drafts.row(draft_id)["status"] == "draft"
    draft = payload["draft"]
    assert (draft["id"], draft["status"], draft["planData"], draft["conflicts"]) == (draft_id, "DRAFT", row, [])


@pytest.mark.parametrize(("side", "amount"), [("MINE", "1600.00"), ("THEIRS", "1550.00")])
@pytest.mark.parametrize("how", ["choices", "otherwise"])
def test_a_conflict_is_decided(
    api: Api, drafts: Drafts, conflicting: Conflicting, side: str, amount: str, how: str
) -> None:
    draft_id, _, _ = conflicting(gold(), MINE, THEIRS)
    decided: dict[str, object] = {how: taking(side) if how == "choices" else side}
    payload = rebase(api, draft_id, AUTHOR, **decided)
    assert (payload["conflicts"], payload["userErrors"]) == ([], [])
    row = read_row(drafts, draft_id)
    meta = row.pop("meta")
    assert [tag["code"] for tag in meta["tag"]] == [drafts.row(draft_id)["camunda_process_id"]]
    assert exactly(row) == exactly(costing(amount, name="Mine", status="retired"))
    assert conflicts(api, draft_id) == []


def test_a_conflict_left_is_answered_and_nothing_is_written(api: Api, drafts: Drafts, conflicting: Conflicting) -> None:
    mine, theirs = costing("1600.00", family="3200.00"), costing("1550.00", family="3300.00")
    draft_id, _, _ = conflicting(gold(), mine, theirs)
    before = drafts.row(draft_id)
    for choices, left in (([], [DEDUCTIBLE, FAMILY]), (taking("MINE", FAMILY), [DEDUCTIBLE])):
        payload = rebase(api, draft_id, choices=choices)
        assert [each["path"] for each in payload["conflicts"]] == left
        assert payload["draft"]["id"] == draft_id
        assert payload["draft"]["revision"] == revision(api, draft_id)
        what = "1 field was" if len(left) == 1 else "2 fields were"
        assert payload["userErrors"] == [
            {
                "code": "VERSION_CONFLICT",
                "message": f"{what} changed both here and in the store; choose for each whose value to take.",
                "field": "choices",
            }
        ]
        assert drafts.row(draft_id) == before
    three = {key: payload["conflicts"][0][key] for key in ("base", "mine", "theirs")}
    assert three == {"base": Decimal("1500.00"), "mine": Decimal("1600.00"), "theirs": Decimal("1550.00")}


def test_a_rebased_draft_is_reviewed_and_published(api: Api, conflicting: Conflicting, plans: Store) -> None:
    draft_id, plan_id, version_id = conflicting(gold(), MINE, THEIRS)
    rebase(api, draft_id, choices=taking("MINE"))
    process_id = submitted(api, draft_id, AUTHOR)
    payload = perform(api, COMPLETE, REVIEWER, taskId=open_task(api, draft_id), approved=True)
    assert (payload["status"], payload["userErrors"]) == ("APPROVED", [])
    published = plans.read(plan_id)
    meta = published.pop("meta")
    assert meta["versionId"] != version_id
    ours = [tag for tag in meta["tag"] if tag["system"] == "urn:plan-api:approval-process"]
    assert [tag["code"] for tag in ours] == [process_id]
    assert exactly(published) == exactly({**costing("1600.00", name="Mine", status="retired"), "id": plan_id})


def test_it_can_be_done_again_when_the_plan_moves_on(api: Api, conflicting: Conflicting, plans: Store) -> None:
    draft_id, plan_id, _ = conflicting(gold(), MINE, THEIRS)
    rebase(api, draft_id, choices=taking("MINE"))
    assert rebase(api, draft_id)["userErrors"] == []
    plans.put(costing("1575.00", status="retired"), plan_id)
    (left,) = conflicts(api, draft_id)
    assert [left[key] for key in ("base", "mine", "theirs")] == [
        Decimal("1550.00"),
        Decimal("1600.00"),
        Decimal("1575.00"),
    ]
    assert rebase(api, draft_id, choices=taking("THEIRS"))["draft"]["conflicts"] == []


def test_of_two_at_once_one_is_done(api: Api, drafts: Drafts, conflicting: Conflicting) -> None:
    draft_id, _, _ = conflicting(gold(), MINE, THEIRS)
    seen = {"draftId": draft_id, "revision": revision(api, draft_id)}
    with ThreadPoolExecutor() as pool:
        payloads = pool.map(lambda side: perform(api, REBASE, AUTHOR, **seen, otherwise=side), ("MINE", "THEIRS"))
        told = {side: codes(payload) for side, payload in zip(("1600.00", "1550.00"), payloads, strict=True)}
    assert sorted(told.values()) == [[], ["STALE_REVISION"]]
    (won,) = (amount for amount, refused in told.items() if not refused)
    row = read_row(drafts, draft_id)
    assert str(row["plan"][0]["generalCost"][0]["cost"]["value"]) == won


def test_on_the_current_version_nothing_is_written(api: Api, drafts: Drafts, conflicting: Conflicting) -> None:
    draft_id, _, _ = conflicting(gold(), MINE, THEIRS)
    rebase(api, draft_id, otherwise="MINE")
    before = drafts.row(draft_id)
    payload = rebase(api, draft_id)
    assert (payload["draft"]["id"], payload["conflicts"], payload["userErrors"]) == (draft_id, [], [])
    assert drafts.row(draft_id) == before


def test_an_administrator_may_do_it_for_the_author(api: Api, drafts: Drafts, conflicting: Conflicting) -> None:
    draft_id, _, _ = conflicting(gold(), MINE, THEIRS)
    assert rebase(api, draft_id, ADMIN, userId="author", otherwise="THEIRS")["userErrors"] == []
    assert read_row(drafts, draft_id)["name"] == "Mine"


@pytest.mark.parametrize(
    ("someone", "fields", "code", "field"),
    [
        (STRANGER, {"otherwise": "MINE"}, "NOT_FOUND", "draftId"),
        (REVIEWER, {"otherwise": "MINE"}, "FORBIDDEN", None),
        (REVIEWER, {"otherwise": "MINE", "userId": "author"}, "FORBIDDEN", "userId"),
        (AUTHOR, {"otherwise": "MINE", "revision": "0" * 64}, "STALE_REVISION", "revision"),
        (AUTHOR, {"otherwise": "MINE", "versionId": "0"}, "VERSION_CONFLICT", "draftId"),
        (AUTHOR, {"choices": taking("MINE", "name")}, "INVALID", "choices"),
        (AUTHOR, {"choices": taking("MINE") + taking("THEIRS")}, "INVALID", "choices"),
        (AUTHOR, {"draftId": "no-such-draft"}, "NOT_FOUND", "draftId"),
    ],
)
def test_refused(
    api: Api,
    drafts: Drafts,
    conflicting: Conflicting,
    someone: Someone,
    fields: dict[str, object],
    code: str,
    field: str | None,
) -> None:
    draft_id, _, _ = conflicting(gold(), MINE, THEIRS)
    before = drafts.row(draft_id)
    payload = rebase(api, draft_id, someone, **fields)
    assert [(error["code"], error["field"]) for error in payload["userErrors"]] == [(code, field)]
    assert (payload["draft"], payload["conflicts"]) == (None, [])
    assert drafts.row(draft_id) == before


def test_refused_while_in_approval(api: Api, drafts: Drafts, plans: Store) -> None:
    plan_id, _ = plans.new(gold())
    draft_id = drafts.new(plan=text(MINE), aidbox_id=plan_id)
    submitted(api, draft_id, AUTHOR)
    plans.put(THEIRS, plan_id)
    before = drafts.row(draft_id)
    assert codes(rebase(api, draft_id, otherwise="MINE")) == ["ALREADY_SUBMITTED"]
    assert drafts.row(draft_id) == before


def test_refused_without_a_version_to_move_from(api: Api, drafts: Drafts, plans: Store) -> None:
    plan_id, _ = plans.new(gold())
    for draft_id in (drafts.new(), drafts.new(aidbox_id=plan_id)):
        before = drafts.row(draft_id)
        assert codes(rebase(api, draft_id)) == ["NOT_SUBMITTED"]
        assert drafts.row(draft_id) == before


def test_refused_when_the_plan_was_taken_away(api: Api, drafts: Drafts, conflicting: Conflicting, plans: Store) -> None:
    draft_id, plan_id, _ = conflicting(gold(), MINE, THEIRS)
    plans.delete(plan_id)
    before = drafts.row(draft_id)
    assert codes(rebase(api, draft_id, otherwise="MINE")) == ["VERSION_CONFLICT"]
    assert drafts.row(draft_id) == before


def test_a_draft_that_is_no_plan_is_refused(api: Api, drafts: Drafts, conflicting: Conflicting) -> None:
    draft_id, _, _ = conflicting(gold(), MINE, THEIRS)
    drafts.edit(draft_id, plan='{"resourceType": "Patient"}')
    before = drafts.row(draft_id)
    stale = api.ask("query R($id: ID!) { draft(id: $id) { revision } }", AUTHOR, id=draft_id)["draft"]["revision"]
    assert codes(perform(api, REBASE, AUTHOR, draftId=draft_id, revision=stale)) == ["INVALID_PLAN"]
    assert drafts.row(draft_id) == before
