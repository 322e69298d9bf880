"""From a draft to a published version: every sample, new plans and edits, digits and history kept."""

from typing import Any

import pytest

from plandiff.losses import digest
from sandbox.samples import DRAFTS, PLANS, SampleDraft, SamplePlan, changed, latest, versions
from sandbox.samples import ENCODER as JSON
from tests.serving import AUTHOR, GOLD, REVIEWER, Api, Someone
from tests.stories.behind import PROCESS_TAG, Behind, edited, exactly, read
from tests.verbs import COMPLETE, SUBMIT, approved, open_task, perform, status, submitted

PUBLISHED = """query Published($draftId: ID!, $planId: ID!) {
  draft(id: $draftId) { planData aidboxId status basePlan { versionId } currentPlan { versionId } }
  plan(id: $planId) { versionId status name resource history { versionId } draft { id } } }"""


def test_a_new_plan_is_submitted_approved_and_published(api: Api, behind: Behind) -> None:
    draft_id = behind.drafts.new()
    process_id = submitted(api, draft_id, AUTHOR)
    row = behind.drafts.row(draft_id)
    assert (row["status"], row["camunda_process_id"]) == ("submitted", process_id)
    assert status(api, draft_id)["state"] == "IN_REVIEW"

    payload = perform(api, COMPLETE, REVIEWER, taskId=open_task(api, draft_id), approved=True, comment="Fine")

    assert (payload["status"], payload["userErrors"]) == ("APPROVED", [])
    row = behind.drafts.row(draft_id)
    assert (row["status"], row["aidbox_id"]) == ("approved", draft_id)
    (published,) = behind.versions(draft_id)
    assert published["meta"]["versionId"] == payload["plan"]["versionId"]
    assert published["meta"]["tag"] == [{"system": PROCESS_TAG, "code": process_id, "display": digest(read(GOLD))}]
    assert exactly(published) == exactly(read(GOLD))
    assert '"value":1500.00' in behind.store.get(f"/InsurancePlan/{draft_id}").text.replace(" ", "")
    assert behind.end_of(process_id) == ["approved"]
    told = status(api, draft_id)
    assert (told["state"], told["workflowActive"], told["openTasks"], told["problem"]) == ("APPROVED", False, [], None)
    assert told["decisions"] == [
        {"step": "review", "verdict": "APPROVED", "comment": "Fine", "reason": None, "decidedBy": {"id": "reviewer"}}
    ]


MANY = """mutation Many($first: CompleteApprovalInput!, $none: CompleteApprovalInput!, $last: CompleteApprovalInput!) {
  first: completeApproval(input: $first) { status userErrors { code } }
  none: completeApproval(input: $none) { status userErrors { code } }
  last: completeApproval(input: $last) { status userErrors { code } } }"""


def test_many_tasks_are_decided_in_one_request_each_on_its_own(api: Api, behind: Behind) -> None:
    drafts = [behind.drafts.new(), behind.drafts.new()]
    for draft_id in drafts:
        submitted(api, draft_id, AUTHOR)
    first, last = ({"taskId": open_task(api, draft_id), "approved": True} for draft_id in drafts)
    told = api.ask(MANY, REVIEWER, first=first, none={**first, "taskId": "no-task"}, last=last)
    assert told == {
        "first": {"status": "APPROVED", "userErrors": []},
        "none": {"status": None, "userErrors": [{"code": "NOT_FOUND"}]},
        "last": {"status": "APPROVED", "userErrors": []},
    }
    for draft_id in drafts:
        assert behind.drafts.row(draft_id)["status"] == "approved"
        assert len(behind.versions(draft_id)) == 1


@pytest.mark.usefixtures("_references")
@pytest.mark.parametrize(
    "sample", [sample for sample in DRAFTS if not sample.is_wrong], ids=lambda sample: sample.id[9:13]
)
def test_a_sample_draft_becomes_the_version_it_describes(api: Api, behind: Behind, sample: SampleDraft) -> None:
    """Edits against a copy of their plan, so that the samples themselves stay as they are."""
    plan_id = None if sample.is_new else behind.stored_plan(latest(sample.plan))[0]
    draft_id = behind.drafts.new(sample.name, sample.plan_data, aidbox_id=plan_id, author=sample.author)

    _publish_and_compare(api, behind, draft_id, plan_id, Someone(sample.author), sample.plan_data)


@pytest.mark.usefixtures("_references")
@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.id)
@pytest.mark.slow
def test_a_sample_plan_is_stored_as_a_new_plan_and_version_by_version(
    api: Api, behind: Behind, plan: SamplePlan
) -> None:
    """The first version as a new plan; each later one as an edit by the same draft."""
    texts = [JSON.encode(version).decode() for version in versions(plan)]
    draft_id = behind.drafts.new(plan.id, texts[0])
    for text in texts:
        plan_id = behind.drafts.row(draft_id)["aidbox_id"]
        behind.drafts.edit(draft_id, plan=text)
        _publish_and_compare(api, behind, draft_id, plan_id, AUTHOR, text)
    assert len(behind.versions(draft_id)) == len(texts)


def _publish_and_compare(
    api: Api, behind: Behind, draft_id: str, plan_id: str | None, author: Someone, text: str
) -> None:
    """Draft, store and both JSON fields of the answer say the same as the text, to the digit."""
    earlier = _version_ids(behind, plan_id) if plan_id else []
    process_id = submitted(api, draft_id, author)
    assert behind.variables(process_id)["baseVersion"] == (earlier[0] if earlier else None)
    payload = approved(api, draft_id)
    plan_id = plan_id or draft_id

    assert (payload["status"], payload["reason"], payload["userErrors"]) == ("APPROVED", None, [])
    assert behind.drafts.row(draft_id)["aidbox_id"] == plan_id
    newest, *others = _version_ids(behind, plan_id)
    assert (payload["plan"], others) == ({"id": plan_id, "versionId": newest}, earlier)
    written = exactly(read(text))
    assert exactly(behind.plan(plan_id)) == written
    told = api.ask(PUBLISHED, REVIEWER, draftId=draft_id, planId=plan_id)
    assert exactly(told["draft"].pop("planData")) == written
    assert exactly(told["plan"].pop("resource")) == written
    assert told["draft"] == {
        "aidboxId": plan_id,
        "status": "APPROVED",
        "basePlan": {"versionId": earlier[0]} if earlier else None,
        "currentPlan": {"versionId": newest},
    }
    assert told["plan"] == {
        "versionId": newest,
        "status": read(text).get("status"),
        "name": read(text)["name"],
        "history": [{"versionId": version} for version in [newest, *earlier]],
        "draft": {"id": draft_id},
    }


def _version_ids(behind: Behind, plan_id: str) -> list[str]:
    return [version["meta"]["versionId"] for version in behind.versions(plan_id)]


def test_a_new_plan_whose_id_was_used_and_deleted_is_published(api: Api, behind: Behind) -> None:
    draft_id = behind.drafts.new()
    behind.put(draft_id, name="Deleted")
    behind.store.delete(f"/InsurancePlan/{draft_id}").raise_for_status()
    submitted(api, draft_id, AUTHOR)
    assert approved(api, draft_id)["status"] == "APPROVED"
    assert [version["name"] for version in behind.versions(draft_id)] == [read(GOLD)["name"], "Deleted"]


def test_numbers_keep_every_digit(api: Api, behind: Behind) -> None:
    numbers = ["0.10", "1500.00", "1500.0", "1500", "12345678901234567890.123456789", "0.000000001", "-7.50"]
    costs = [{"type": {"text": number}, "cost": {"value": "?"}} for number in numbers]
    text = edited(plan=[{"generalCost": costs}])
    for number in numbers:
        text = text.replace('"?"', number, 1)
    draft_id = behind.drafts.new(plan=text)
    submitted(api, draft_id, AUTHOR)
    approved(api, draft_id)

    told = api.post(PUBLISHED, REVIEWER, draftId=draft_id, planId=draft_id).text.replace(" ", "")
    stored = behind.store.get(f"/InsurancePlan/{draft_id}").text.replace(" ", "")
    for number in numbers:
        assert stored.count(f'"value":{number}}}') == 1
        assert told.count(f'"value":{number}}}') == 2


def test_what_a_draft_says_of_its_own_id_and_version_does_not_count(api: Api, behind: Behind) -> None:
    meta = {"versionId": "77", "lastUpdated": "2001-01-01T00:00:00Z", "profile": ["http://example.org/a-profile"]}
    tags = [{"system": "urn:of-the-author", "code": "kept"}, {"system": PROCESS_TAG, "code": "forged"}]
    draft_id = behind.drafts.new(plan=edited(id="somebody-elses", meta={**meta, "tag": tags}))
    process_id = submitted(api, draft_id, AUTHOR)
    payload = approved(api, draft_id)

    assert payload["plan"]["id"] == draft_id
    stored = behind.plan(draft_id)["meta"]
    assert stored["profile"] == ["http://example.org/a-profile"]
    assert sorted((tag["system"], tag["code"]) for tag in stored["tag"]) == [
        ("urn:of-the-author", "kept"),
        (PROCESS_TAG, process_id),
    ]
    assert behind.store.get("/InsurancePlan/somebody-elses").status_code == 404


def test_an_edit_of_nothing_but_meta_is_published_too(api: Api, behind: Behind) -> None:
    plan_id, base = behind.stored_plan()
    draft_id = behind.drafts.new(
        plan=edited(id=plan_id, meta={"profile": ["http://example.org/a-profile"]}), aidbox_id=plan_id
    )
    submitted(api, draft_id, AUTHOR)
    payload = approved(api, draft_id)

    assert payload["status"] == "APPROVED"
    assert payload["plan"]["versionId"] != base
    assert behind.plan(plan_id)["meta"]["profile"] == ["http://example.org/a-profile"]


def test_an_edit_that_changes_nothing_makes_no_version(api: Api, behind: Behind) -> None:
    plan_id, base = behind.stored_plan()
    draft_id = behind.drafts.new(aidbox_id=plan_id)
    submitted(api, draft_id, AUTHOR)

    assert approved(api, draft_id)["plan"] == {"id": plan_id, "versionId": base}
    assert _version_ids(behind, plan_id) == [base]
    assert behind.drafts.row(draft_id)["status"] == "approved"


def test_an_approved_draft_edited_and_submitted_again_becomes_the_next_version(api: Api, behind: Behind) -> None:
    draft_id = behind.drafts.new()
    first_process = submitted(api, draft_id, AUTHOR)
    approved(api, draft_id)
    text = JSON.encode(changed(read(GOLD), {"name": "Summit Gold PPO 1500, second edition"})).decode()
    behind.drafts.edit(draft_id, plan=text)
    second_process = submitted(api, draft_id, AUTHOR)
    assert second_process != first_process
    assert status(api, draft_id)["state"] == "IN_REVIEW"
    payload = approved(api, draft_id)

    second, first = behind.versions(draft_id)
    assert payload["plan"] == {"id": draft_id, "versionId": second["meta"]["versionId"]}
    assert behind.variables(second_process)["baseVersion"] == first["meta"]["versionId"]
    assert (exactly(first), exactly(second)) == (exactly(read(GOLD)), exactly(read(text)))


def test_only_the_name_of_a_draft_may_change_for_a_new_submission(api: Api, behind: Behind) -> None:
    draft_id = behind.drafts.new()
    submitted(api, draft_id, AUTHOR)
    approved(api, draft_id)
    behind.drafts.edit(draft_id, name="Another name")

    payload: dict[str, Any] = perform(api, SUBMIT, AUTHOR, draftId=draft_id)
    assert (payload["status"], payload["userErrors"]) == ("SUBMITTED", [])


def test_a_history_read_twice_tells_of_the_version_that_came_in_between(api: Api, behind: Behind) -> None:
    plan_id, first = behind.stored_plan()
    asked = "query History($id: ID!) { plan(id: $id) { history { versionId } } }"
    assert api.ask(asked, REVIEWER, id=plan_id) == {"plan": {"history": [{"versionId": first}]}}
    behind.store.get(f"/InsurancePlan/{plan_id}/_history", params={"_count": 20})
    second = behind.put(plan_id, name="Second")

    assert api.ask(asked, REVIEWER, id=plan_id) == {"plan": {"history": [{"versionId": second}, {"versionId": first}]}}
