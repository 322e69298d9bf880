"""Draft.changes: against the plan as the store has it now, exact to the digit."""

from decimal import Decimal

import httpx
import pytest

from api.settings import Settings
from plandiff.plan_document import PROCESS_TAG
from tests.changes.conftest import CHANGES, DEDUCTIBLE, Store, costing, gold, text
from tests.serving import AUTHOR, REVIEWER, Api, Drafts, serving
from tests.verbs import COMPLETE, open_task, perform, submitted

XHTML = 'xmlns="http://www.w3.org/1999/xhtml"'


def test_an_edit_is_told_field_by_field(api: Api, drafts: Drafts, plans: Store) -> None:
    plan_id, _ = plans.new(gold())
    mine = costing("1500.0", name="Summit Gold", status="draft")
    mine["plan"][0]["generalCost"].append({"type": {"text": "copay"}, "cost": {"value": Decimal("5.50")}})
    del mine["alias"]
    draft_id = drafts.new(plan=text({**mine, "meta": {"versionId": "9"}}), aidbox_id=plan_id)
    cost = "Plan SUM-GOLD-PPO-1500-2027-IN › general cost"

    found = api.ask(CHANGES, AUTHOR, id=draft_id)["draft"]["changes"]

    assert sorted(found, key=lambda each: str(each["path"])) == [
        {"path": "alias", "kind": "REMOVED", "label": "Alias", "before": ["Gold 1500"], "after": None},
        {
            "path": "name",
            "kind": "CHANGED",
            "label": "Name",
            "before": "Summit Gold PPO 1500",
            "after": "Summit Gold",
        },
        {
            "path": "plan[identifier=SUM-GOLD-PPO-1500-2027-IN].generalCost[type=copay]",
            "kind": "ADDED",
            "label": f"{cost} copay",
            "before": None,
            "after": {"type": {"text": "copay"}, "cost": {"value": Decimal("5.50")}},
        },
        {
            "path": DEDUCTIBLE,
            "kind": "CHANGED",
            "label": f"{cost} deductible, group size 1 › cost value",
            "before": Decimal("1500.00"),
            "after": Decimal("1500.0"),
        },
        {"path": "status", "kind": "CHANGED", "label": "Status", "before": "active", "after": "draft"},
    ]
    body = api.post(CHANGES, AUTHOR, id=draft_id).text
    assert '"before":1500.00,"after":1500.0}' in body


def test_of_a_new_plan_everything_is_added(api: Api, drafts: Drafts) -> None:
    found = api.ask(CHANGES, AUTHOR, id=drafts.new())["draft"]["changes"]
    assert {each["kind"] for each in found} == {"ADDED"}
    assert {each["before"] is None for each in found} == {True}
    assert [each["path"] for each in found if each["path"].startswith("plan[") and "generalCost" in each["path"]] == [
        f"plan[identifier=SUM-GOLD-PPO-1500-2027-IN].generalCost[type={key}]"
        for key in (
            "deductible,groupSize=1",
            "deductible,groupSize=2",
            "out-of-pocket-maximum",
            "monthly-premium",
        )
    ]


def test_a_published_draft_changes_nothing_any_more(api: Api, drafts: Drafts) -> None:
    draft_id = drafts.new()
    submitted(api, draft_id, AUTHOR)
    assert perform(api, COMPLETE, REVIEWER, taskId=open_task(api, draft_id), approved=True)["status"] == "APPROVED"
    assert api.ask(CHANGES, AUTHOR, id=draft_id)["draft"]["changes"] == []


def test_a_task_shows_the_changes_of_its_draft(api: Api, drafts: Drafts, plans: Store) -> None:
    plan_id, _ = plans.new(gold())
    draft_id = drafts.new(plan=text(costing("1600.00")), aidbox_id=plan_id)
    submitted(api, draft_id, AUTHOR)
    query = "query Task($id: ID!) { task(id: $id) { draft { changes { path before after } } } }"
    found = api.ask(query, REVIEWER, id=open_task(api, draft_id))["task"]["draft"]["changes"]
    assert found == [{"path": DEDUCTIBLE, "before": Decimal("1500.00"), "after": Decimal("1600.00")}]


def test_long_lists_of_changes_end_with_a_count(api: Api, drafts: Drafts, plans: Store) -> None:
    plan_id, _ = plans.new(gold())
    odd = {f"field{number}": number for number in range(501)}
    draft_id = drafts.new(plan=text(gold(**odd)), aidbox_id=plan_id)
    found = api.ask(CHANGES.replace("changes {", "changes(limit: 500) {"), AUTHOR, id=draft_id)["draft"]["changes"]
    assert len(found) == 501
    assert found[500] == {"path": "…", "kind": "CHANGED", "label": "And 1 more", "before": None, "after": None}


@pytest.mark.parametrize("field", ["changes { path }", "conflicts { path }"])
def test_what_is_no_plan_has_no_changes_and_says_so(api: Api, drafts: Drafts, plans: Store, field: str) -> None:
    plan_id, _ = plans.new(gold())
    draft_id = drafts.new(plan='{"resourceType": "Patient"}', aidbox_id=plan_id)
    drafts.connection.execute("UPDATE benefit_plan_drafts SET camunda_process_id = 'gone' WHERE id = %s", [draft_id])
    answer = api.answer(f"query Odd($id: ID!) {{ draft(id: $id) {{ name {field} }} }}", AUTHOR, id=draft_id)
    assert answer["data"] == {"draft": {"name": "Summit Gold PPO 1500", field.split(maxsplit=1)[0]: None}}
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["INVALID_PLAN"]


def test_null_means_the_store_could_not_be_asked(drafts: Drafts, settings: Settings) -> None:
    draft_id = drafts.new(aidbox_id="some-plan")
    away = settings.model_copy(update={"aidbox_url": "http://127.0.0.1:9/fhir"})
    with serving(away) as api:
        answer = api.answer(CHANGES, AUTHOR, id=draft_id)
    assert answer["data"] == {"draft": {"changes": None}}
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["UPSTREAM_UNREACHABLE"]


def test_all_of_it_costs_what_the_plans_cost(
    drafts: Drafts, plans: Store, calls: list[httpx.Request], watched: Api
) -> None:
    made = [plans.new(gold()) for _ in range(3)]
    ids = [drafts.new(plan=text(costing("1600.00")), aidbox_id=plan_id) for plan_id, _ in made]
    for draft_id in ids:
        submitted(watched, draft_id, AUTHOR)
    query = """query Many($ids: [ID!]) { drafts(ids: $ids) { items {
      %s changes { path } conflicts { path } } } }"""
    asked = []
    for plain in ("", "basePlan { versionId } currentPlan { versionId }"):
        calls.clear()
        items = watched.ask(query % plain, AUTHOR, ids=ids)["drafts"]["items"]
        assert [(item["changes"], item["conflicts"]) for item in items] == [([{"path": DEDUCTIBLE}], [])] * 3
        asked.append(sorted((request.method, request.url.path.split("/", 2)[2]) for request in calls))
    assert asked[0] == [("POST", ""), ("POST", "InsurancePlan/_search"), ("POST", "history/variable-instance")]
    assert asked[1] == asked[0][1:]  # the base versions are known by then
    calls.clear()
    watched.ask("query Few($ids: [ID!]) { drafts(ids: $ids) { items { changes { path } } } }", AUTHOR, ids=ids)
    assert [request.url.path.split("/", 2)[2] for request in calls] == ["InsurancePlan/_search"]


def test_profiles_labels_and_foreign_tags_are_told_and_a_generated_narrative_is_not(
    api: Api, drafts: Drafts, plans: Store
) -> None:
    restricted, normal = ({"system": "urn:confidentiality", "code": code} for code in "RN")
    tag = {"system": "urn:theirs", "code": "pilot"}
    kept = {"profile": ["urn:profile"], "security": [restricted], "tag": [tag]}
    plan_id, _ = plans.new(gold(meta=kept, text={"status": "generated", "div": f"<div {XHTML}>old</div>"}))
    written = {"profile": ["urn:profile"], "security": [normal], "tag": [{"system": PROCESS_TAG, "code": "any"}]}
    draft_id = drafts.new(plan=text(gold(meta=written)), aidbox_id=plan_id)
    found = api.ask(CHANGES, AUTHOR, id=draft_id)["draft"]["changes"]
    assert found == [
        {
            "path": "meta.security[system=urn:confidentiality].code",
            "kind": "CHANGED",
            "label": "Meta security urn:confidentiality › code",
            "before": "R",
            "after": "N",
        },
        {
            "path": "meta.tag[system=urn:theirs]",
            "kind": "REMOVED",
            "label": "Meta tag urn:theirs",
            "before": tag,
            "after": None,
        },
    ]
