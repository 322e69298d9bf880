"""Rows of the old table in every state: what becomes of each, what was written, and that a repeat changes nothing."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from api.settings import Settings
from migration import Entry
from tests.migration.conftest import Old
from tests.serving import AUTHOR, GOLD, Api, serving
from tests.stories.behind import edited, exactly, read
from tests.verbs import approved, status, submitted

BEFORE = datetime(2026, 1, 1, tzinfo=UTC)


def only(entries: list[Entry]) -> tuple[str, str]:
    """Result and reason of the one row."""
    (entry,) = entries
    return entry.result.value, entry.why


def results(entries: list[Entry]) -> list[str]:
    return [entry.result.value for entry in entries]


def ours(variables: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in sorted(variables.items()) if value is not None}


def unchanged_by(old: Old, *draft_ids: str) -> tuple[str, str]:
    """The verdict on the one row, which is the same in a dry run, and has changed nothing."""
    before = [old.behind.picture(draft_id) for draft_id in draft_ids]
    foretold, found = only(old.foretold()), only(old.imported())
    assert [old.behind.picture(draft_id) for draft_id in draft_ids] == before
    assert foretold == found
    return found


def test_a_running_process_is_adopted(api: Api, old: Old) -> None:
    draft_id, process_id = old.submitted()
    before = old.behind.drafts.row(draft_id)

    set_, approval = (
        "draftId, draftRevision, draftSource, submittedBy",
        f"the draft is in approval by process {process_id}",
    )
    assert only(old.imported()) == ("done", f"process {process_id}: adopted, set {set_}; {approval}")
    now = old.behind.drafts.row(draft_id)
    assert now == {**before, "status": "submitted", "camunda_process_id": process_id}
    known = status(api, draft_id)
    assert (known["state"], known["submittedBy"]) == ("IN_REVIEW", {"id": "author"})
    assert ours(old.behind.variables(process_id)) == {
        "draftId": draft_id,
        "draftRevision": known["submittedRevision"],
        "draftSource": "retool",
        "submittedBy": "author",
    }

    before = old.behind.picture(draft_id)
    assert only(old.imported()) == ("already", approval)
    assert old.behind.picture(draft_id) == before
    assert submitted(api, draft_id, AUTHOR) == process_id
    assert approved(api, draft_id)["status"] == "APPROVED"
    assert exactly(old.behind.plan(draft_id)) == exactly(read(GOLD))
    assert only(old.imported()) == ("already", f"process {process_id} has ended, and the draft is approved")


def test_an_edit_is_adopted_with_its_base(api: Api, old: Old) -> None:
    plan_id, base = old.behind.stored_plan()
    draft_id = old.behind.drafts.new(plan=edited(name="Edited"), aidbox_id=plan_id)
    process_id = old.start(draft_id, draftId=draft_id, submittedBy="somebody")
    old.row(draft_id, process_id, submitted_by="author", base_version=base)
    old.behind.put(plan_id, name="Somebody else's")

    assert results(old.imported()) == ["done"]
    found = ours(old.behind.variables(process_id))
    assert (found["aidboxPlanId"], found["baseVersion"], found["submittedBy"]) == (plan_id, base, "somebody")
    assert approved(api, draft_id)["status"] == "CONFLICT"
    assert results(old.imported()) == ["already"]


def test_a_base_version_that_the_store_never_had(old: Old) -> None:
    """As a counter of the old service's own would be."""
    plan_id, _ = old.behind.stored_plan()
    draft_id = old.behind.drafts.new(aidbox_id=plan_id)
    old.row(draft_id, old.start(draft_id), base_version="77")
    assert unchanged_by(old, draft_id) == (
        "cannot",
        (
            f"the store does not show version 77 of plan {plan_id}: correct the row, or leave the column out"
            " (--columns base_version=)"
        ),
    )


def test_without_a_base_version_the_decision_notes_it(api: Api, old: Old) -> None:
    plan_id, base = old.behind.stored_plan()
    draft_id = old.behind.drafts.new(plan=edited(name="Edited"), aidbox_id=plan_id)
    process_id = old.start(draft_id)
    old.row(draft_id, process_id, submitted_by="author")
    assert results(old.imported()) == ["done"]
    assert set(ours(old.behind.variables(process_id))) == {"aidboxPlanId", "draftId", "draftSource", "submittedBy"}
    assert approved(api, draft_id)["status"] == "APPROVED"
    assert old.behind.variables(process_id)["baseVersion"] == base


def test_a_draft_that_was_edited_since_is_approved_as_it_is_then(api: Api, old: Old) -> None:
    draft_id, process_id = old.submitted()
    old.behind.drafts.edit(draft_id, plan=edited(name="Edited"))
    assert results(old.imported()) == ["done"]
    assert set(ours(old.behind.variables(process_id))) == {"draftId", "draftSource", "submittedBy"}
    assert results(old.imported()) == ["already"]
    assert approved(api, draft_id)["status"] == "APPROVED"
    assert old.behind.plan(draft_id)["name"] == "Edited"


def test_the_author_is_the_submitter_where_the_row_has_none(old: Old) -> None:
    _, process_id = old.submitted(author="  ")
    assert results(old.imported()) == ["done"]
    assert old.behind.variables(process_id)["submittedBy"] == "author"


def test_a_draft_that_names_its_process_already(api: Api, old: Old) -> None:
    draft_id, process_id = old.submitted(draftId="{}")
    old.behind.drafts.connection.execute(
        "UPDATE benefit_plan_drafts SET status = 'submitted', camunda_process_id = %s WHERE id = %s",
        [process_id, draft_id],
    )
    assert only(old.imported()) == ("cannot", f"process {process_id} is of draft {{}}: correct the row")
    old.behind.engine.put(
        f"/process-instance/{process_id}/variables/draftId", json={"value": draft_id, "type": "String"}
    ).raise_for_status()
    assert results(old.imported()) == ["done"]
    assert status(api, draft_id)["state"] == "IN_REVIEW"


def test_a_running_process_is_found_by_its_business_key(old: Old) -> None:
    draft_id = old.behind.drafts.new()
    process_id = old.start(draft_id)
    old.row(draft_id, None, submitted_by="author")
    assert results(old.foretold()) == ["done"]
    assert results(old.imported()) == ["done"]
    assert old.behind.drafts.row(draft_id)["camunda_process_id"] == process_id
    assert results(old.imported()) == ["already"]
    old.decide(process_id, approved=False)
    assert only(old.imported())[0] == "done"
    assert only(old.imported()) == ("already", f"process {process_id} has ended, and the draft is rejected")


@pytest.mark.parametrize("is_linked", [True, False], ids=["linked", "by the row alone"])
@pytest.mark.parametrize(
    ("variables", "becomes"),
    [
        ({"approved": True}, "approved"),
        ({"approved": False}, "rejected"),
        ({"approved": False, "changesRequested": True}, "returned"),
        ({"approved": False, "conflictDetected": True}, "conflict"),
    ],
)
def test_an_end_is_recorded(old: Old, variables: dict[str, bool], becomes: str, *, is_linked: bool) -> None:
    draft_id = old.behind.drafts.new()
    process_id = old.start(draft_id, **({"draftId": draft_id, "draftSource": "retool"} if is_linked else {}))
    old.row(draft_id, process_id)
    old.decide(process_id, **variables)

    recorded = f"process {process_id} has ended: recorded on the draft; process {process_id} has ended"
    assert results(old.foretold()) == ["done"]
    assert only(old.imported()) == ("done", f"{recorded}, and the draft is {becomes}")
    row = old.behind.drafts.row(draft_id)
    assert (row["status"], row["camunda_process_id"]) == (becomes, process_id)
    assert len(old.behind.versions(draft_id)) == (becomes == "approved")
    assert unchanged_by(old, draft_id) == (
        "already",
        f"process {process_id} has ended, and the draft is {becomes}",
    )


def test_an_approved_draft_that_was_edited_since_is_a_conflict(old: Old) -> None:
    draft_id, process_id = old.submitted()
    old.decide(process_id, approved=True)
    old.behind.drafts.edit(draft_id, plan=edited(name="Edited"))
    assert results(old.imported()) == ["done"]
    assert (old.behind.drafts.row(draft_id)["status"], old.behind.versions(draft_id)) == ("conflict", [])


def test_an_end_without_a_decision(old: Old) -> None:
    draft_id, process_id = old.submitted(draftId="")
    old.decide(process_id)
    assert unchanged_by(old, draft_id) == (
        "cannot",
        (
            f"process {process_id} has ended, but does not say how (its variable approved is missing): write the"
            " draft's status by hand"
        ),
    )


def test_what_the_old_service_had_published_is_not_published_again(old: Old) -> None:
    draft_id, process_id = old.submitted(status="Approved ")
    old.decide(process_id, approved=True)
    assert unchanged_by(old, draft_id) == ("already", "it was Approved, and the draft is in no approval")
    old.behind.drafts.connection.execute(
        "UPDATE benefit_plan_drafts SET status = 'submitted' WHERE id = %s", [draft_id]
    )
    assert unchanged_by(old, draft_id) == (
        "cannot",
        "it was approved, but the draft names no plan: write aidbox_id and status of the draft by hand",
    )


def test_an_ended_process_is_noted_for_the_history(api: Api, old: Old) -> None:
    draft_id = old.behind.drafts.new()
    process_id = old.start(draft_id, draftId=draft_id)
    old.row(draft_id, process_id, "rejected")
    old.decide(process_id, approved=False)
    assert results(old.imported()) == ["done"]
    row = old.behind.drafts.row(draft_id)
    assert (row["status"], row["camunda_process_id"]) == ("draft", process_id)
    assert unchanged_by(old, draft_id)[0] == "already"
    assert submitted(api, draft_id, AUTHOR) != process_id
    assert only(old.imported())[0] == "already"


@pytest.mark.parametrize("process_id", [str(uuid.uuid4()), "?", None], ids=["unknown", "no id", "none"])
def test_nothing_is_started_for_what_the_engine_does_not_have(old: Old, process_id: str | None) -> None:
    draft_id = old.behind.drafts.new()
    old.row(draft_id, process_id)
    result, why = unchanged_by(old, draft_id)
    assert (result, "nothing is started for it" in why) == ("cannot", True)
    assert old.behind.processes(draft_id) == []


def test_what_is_over_and_unknown_needs_nothing(old: Old) -> None:
    draft_id = old.behind.drafts.new()
    old.row(draft_id, str(uuid.uuid4()), "withdrawn")
    assert unchanged_by(old, draft_id) == ("already", "it was withdrawn, and the draft is in no approval")


def test_drafts_that_are_gone(old: Old) -> None:
    gone = [f"gone-{number}-{uuid.uuid4()}" for number in range(3)]
    process_id = old.start(gone[2])
    old.row(gone[0])
    old.row(gone[1], None, "rejected")
    old.row(gone[2], process_id, "rejected")
    old.row(None)
    first, second, third, fourth = old.imported()
    assert (first.draft_id, first.result, second.result) == (None, "cannot", "cannot")
    assert third.why == "it was rejected, and the draft is not there any longer"
    assert fourth.why.endswith(f"delete this row, and end process {process_id}")


def test_the_newest_row_of_a_draft_counts(api: Api, old: Old) -> None:
    draft_id = old.behind.drafts.new()
    earlier = old.start(draft_id, draftId=draft_id)
    old.decide(earlier, approved=False)
    process_id = old.start(draft_id)
    old.row(draft_id, process_id)
    old.row(draft_id, earlier, submitted_at=BEFORE)

    newest, older = old.imported()
    assert (newest.process_id, newest.result, older.result) == (process_id, "done", "already")
    assert newest.why.endswith(
        f"process {process_id}: adopted, set previousProcessId; the draft is in approval by process {process_id}"
    )
    assert old.behind.variables(process_id)["previousProcessId"] == earlier
    assert results(old.imported()) == ["already", "already"]
    assert approved(api, draft_id)["status"] == "APPROVED"


def test_two_processes_of_a_draft_run(old: Old) -> None:
    draft_id = old.behind.drafts.new()
    first, second = old.start(draft_id), old.start(draft_id)
    old.row(draft_id, second)
    old.row(draft_id, first, submitted_at=BEFORE)
    newest, older = old.imported()
    assert (newest.result, older.why) == (
        "done",
        f"process {first} still runs, although the draft has a newer row: end one of the two",
    )
    old.behind.delete_process(first)
    assert results(old.imported()) == ["already", "already"]

    alone = old.behind.drafts.new()
    both = [old.start(alone), old.start(alone)]
    old.row(alone, None)
    (why,) = [entry.why for entry in old.imported() if entry.draft_id == alone]
    assert why == f"processes {' and '.join(both)} of this draft run: end all but one"


def test_resubmitted_in_the_old_service_after_an_import(old: Old) -> None:
    """Both services run side by side: what the new one recorded of the first process does not hide the second."""
    draft_id, first = old.submitted()
    assert results(old.imported()) == ["done"]
    old.decide(first, approved=False)
    second = old.start(draft_id)
    old.row(draft_id, second)

    newest, _ = old.imported()
    assert newest.why.startswith(f"the end of its earlier process {first} is recorded; process {second}: adopted")
    row = old.behind.drafts.row(draft_id)
    assert (row["status"], row["camunda_process_id"]) == ("submitted", second)
    assert old.behind.variables(second)["previousProcessId"] == first
    assert results(old.imported()) == ["already", "already"]


def test_submitted_in_the_new_service_meanwhile(api: Api, old: Old) -> None:
    draft_id = old.behind.drafts.new()
    old.row(draft_id, str(uuid.uuid4()))
    process_id = submitted(api, draft_id, AUTHOR)
    assert unchanged_by(old, draft_id) == ("already", f"the draft is in approval by process {process_id}")
    late = old.start(draft_id)
    old.row(draft_id, late)
    assert old.imported()[0].why == (
        f"the draft is in approval by process {process_id}, but {late} runs as well: end one"
    )


def test_processes_of_others(old: Old) -> None:
    draft_id, other = old.behind.drafts.new(), old.behind.drafts.new()
    for process_id, why in (
        (old.start(None, draftId=other), "is of draft {other}: correct the row"),
        (old.start(other), "has the business key of draft {other}: correct the row"),
        (old.start(draft_id, draftSource="elsewhere"), "is of another deployment, elsewhere: correct the row"),
    ):
        old.empty()
        old.row(draft_id, process_id)
        assert unchanged_by(old, draft_id, other) == ("cannot", f"process {process_id} {why.format(other=other)}")


def test_two_drafts_name_one_process(old: Old) -> None:
    one, other = old.behind.drafts.new(), old.behind.drafts.new()
    process_id = old.start("request 17")
    for draft_id in (one, other):
        old.row(draft_id, process_id)
    why = f"rows of several drafts name process {process_id}: set its variable draftId"
    assert [entry.why for entry in old.imported()] == [why, why]
    assert old.behind.variables(process_id) == {}


def test_a_worker_beside_the_import_does_no_harm(old: Old, settings: Settings) -> None:
    often = settings.model_copy(update={"worker": True, "reconcile_seconds": 0.2, "worker_poll_seconds": 0.05})
    with serving(often):
        pairs = [old.submitted() for _ in range(6)]
        for number, (_, process_id) in enumerate(pairs):
            if number % 2:
                old.decide(process_id, approved=False)
        assert set(results(old.imported())) == {"done"}
    assert [old.behind.drafts.row(draft_id)["status"] for draft_id, _ in pairs] == ["submitted", "rejected"] * 3
    assert set(results(old.imported())) == {"already"}


def test_the_time_of_submission_may_be_later_than_the_start(old: Old) -> None:
    """The old service may have written the draft's row after it started the process."""
    draft_id = old.behind.drafts.new()
    process_id = old.start(draft_id)
    old.behind.drafts.edit(draft_id)
    old.row(draft_id, process_id, submitted_at=datetime.now(UTC) + timedelta(seconds=1))
    assert results(old.imported()) == ["done"]
    assert "draftRevision" in old.behind.variables(process_id)
