"""Documents and values as texts: every digit, through clients that have no decimal numbers."""

import json
from decimal import Decimal

from tests.changes.conftest import DEDUCTIBLE, Conflicting, Store, costing, exactly, gold, read_row, text
from tests.nodejs import run_node
from tests.serving import AUTHOR, REVIEWER, Api, Drafts
from tests.verbs import COMPLETE, open_task, perform, submitted

LARGE = 9_007_199_254_740_993  # 2^53 + 1, the first that a JavaScript number can not be
ODD = {"large": LARGE, "small": Decimal("0.10"), "long": Decimal("12345678901234567890.123456789012345678900")}


def test_a_javascript_client_changes_a_name_and_nothing_else(api: Api, drafts: Drafts, plans: Store) -> None:
    plan_id, _ = plans.new(gold())
    plan = costing("1500.0", odd=ODD)
    draft_id = drafts.new(plan=text(plan), aidbox_id=plan_id)
    endpoint = str(api.client.base_url.join("/graphql"))

    printed = json.loads(run_node("frontend", "rename.mjs", endpoint, AUTHOR.id, draft_id, "Renamed"))
    drafts.edit(draft_id, plan=printed["text"])

    assert exactly(read_row(drafts, draft_id)) == exactly({**plan, "name": "Renamed"})
    altered = json.loads(printed["altered"], parse_float=Decimal)
    assert altered["odd"]["large"] == LARGE - 1, "what JSON.parse does, and the texts are for"
    (change,) = (each for each in printed["changes"] if each["path"] == DEDUCTIBLE)
    assert (change["before"], change["after"]) == (1500, 1500)
    assert (change["beforeText"], change["afterText"]) == ("1500.00", "1500.0")


def test_texts_are_the_documents_as_they_are(api: Api, drafts: Drafts, plans: Store) -> None:
    plan_id, _ = plans.new(gold())
    draft_id = drafts.new(plan=text(gold(odd=ODD)), aidbox_id=plan_id)
    query = "query T($id: ID!) { draft(id: $id) { planData planDataText currentPlan { resource resourceText } } }"
    body = api.post(query, AUTHOR, id=draft_id).text
    draft = json.loads(body, parse_float=Decimal)["data"]["draft"]
    assert draft["planDataText"] == drafts.row(draft_id)["plan_data"]
    assert f'"planData":{draft["planDataText"]},' in body
    resource_text = draft["currentPlan"]["resourceText"]
    assert f'"resource":{resource_text},' in body
    assert exactly(json.loads(resource_text, parse_float=Decimal)) == exactly(plans.read(plan_id))


def test_values_as_people_read_them(api: Api, drafts: Drafts, plans: Store) -> None:
    plan_id, _ = plans.new(gold(alias=["Gold 1500"]))
    mine = costing("1500.0", name='Summit "Gold"', alias=["A", "B"], large=LARGE, whether=True)
    del mine["status"]
    draft_id = drafts.new(plan=text(mine), aidbox_id=plan_id)
    query = "query T($id: ID!) { draft(id: $id) { changes { path beforeText afterText } } }"
    found = {each["path"]: each for each in api.ask(query, AUTHOR, id=draft_id)["draft"]["changes"]}
    told = {path: (each["beforeText"], each["afterText"]) for path, each in found.items()}
    assert told == {
        DEDUCTIBLE: ("1500.00", "1500.0"),
        "name": ("Summit Gold PPO 1500", 'Summit "Gold"'),
        "alias": ('["Gold 1500"]', '["A","B"]'),
        "large": (None, str(LARGE)),
        "whether": (None, "true"),
        "status": ("active", None),
    }


def test_conflicts_have_texts_as_well(api: Api, conflicting: Conflicting) -> None:
    draft_id, _, _ = conflicting(gold(), costing("1600.00"), costing("1550.0"))
    query = "query T($id: ID!) { draft(id: $id) { conflicts { baseText mineText theirsText } } }"
    wanted = [{"baseText": "1500.00", "mineText": "1600.00", "theirsText": "1550.0"}]
    assert api.ask(query, AUTHOR, id=draft_id)["draft"]["conflicts"] == wanted
    rebase = """mutation R($input: RebaseDraftInput!) { rebaseDraft(input: $input) {
      conflicts { path label base baseText mineText theirsText } } }"""
    revision = api.ask("query R($id: ID!) { draft(id: $id) { revision } }", AUTHOR, id=draft_id)["draft"]["revision"]
    (conflict,) = perform(api, rebase, AUTHOR, draftId=draft_id, revision=revision)["conflicts"]
    assert (conflict["path"], conflict["base"]) == (DEDUCTIBLE, Decimal("1500.00"))
    assert {name: conflict[name] for name in wanted[0]} == wanted[0]


def test_a_published_version_has_its_digits_in_its_text(api: Api, drafts: Drafts) -> None:
    draft_id = drafts.new(plan=text(costing("1500.10")))
    submitted(api, draft_id, AUTHOR)
    perform(api, COMPLETE, REVIEWER, taskId=open_task(api, draft_id), approved=True)
    query = "query P($id: ID!) { draft(id: $id) { currentPlan { resourceText } } }"
    assert '"value":1500.10' in api.ask(query, AUTHOR, id=draft_id)["draft"]["currentPlan"]["resourceText"]
