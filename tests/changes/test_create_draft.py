"""createDraftFromPlan: any version of a plan as a new draft of the viewer's, once for each id of the caller's own."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest

from api.settings import Settings
from tests.changes.conftest import CHANGES, CREATE, DEDUCTIBLE, Store, costing, exactly, gold, read_row, text
from tests.serving import ADMIN, AUTHOR, REVIEWER, STRANGER, Api, Drafts, Someone, serving
from tests.verbs import COMPLETE, open_task, perform, submitted


def count(drafts: Drafts, plan_id: str) -> int:
    """How many drafts there are of a plan."""
    statement = "SELECT count(*) FROM benefit_plan_drafts WHERE aidbox_id = %s"
    row = drafts.connection.execute(statement, [plan_id]).fetchone()
    assert row is not None
    return int(row[0])


def create(api: Api, someone: Someone = AUTHOR, **fields: object) -> dict[str, Any]:
    """The payload of createDraftFromPlan."""
    return perform(api, CREATE, someone, **fields)


def test_the_current_version_to_edit(api: Api, drafts: Drafts, plans: Store) -> None:
    plan_id, _ = plans.new(gold())
    plans.put(costing("1550.0"), plan_id)
    payload = create(api, planId=plan_id)
    draft = payload["draft"]
    content = {**costing("1550.0"), "id": plan_id}
    assert payload["userErrors"] == []
    assert draft == {
        "id": draft["id"],
        "name": "Summit Gold PPO 1500",
        "status": "DRAFT",
        "planData": content,
        "aidboxId": plan_id,
        "createdBy": "author",
        "camundaProcessId": None,
    }
    row = drafts.row(draft["id"])
    assert (row["status"], row["created_by"], row["aidbox_id"]) == ("draft", "author", plan_id)
    assert exactly(read_row(drafts, draft["id"])) == exactly(draft["planData"]) == exactly(content)
    assert api.ask(CHANGES, AUTHOR, id=draft["id"])["draft"]["changes"] == []


def test_an_old_version_is_restored(api: Api, drafts: Drafts, plans: Store) -> None:
    plan_id, first = plans.new(gold())
    plans.put(costing("1550.00"), plan_id)
    draft_id = create(api, planId=plan_id, versionId=first, name="  As it was  ")["draft"]["id"]
    assert drafts.row(draft_id)["name"] == "As it was"
    changes = api.ask(CHANGES, AUTHOR, id=draft_id)["draft"]["changes"]
    assert [(each["path"], each["before"], each["after"]) for each in changes] == [
        (DEDUCTIBLE, Decimal("1550.00"), Decimal("1500.00"))
    ]
    submitted(api, draft_id, AUTHOR)
    assert perform(api, COMPLETE, REVIEWER, taskId=open_task(api, draft_id), approved=True)["status"] == "APPROVED"
    restored = plans.read(plan_id)
    restored.pop("meta")
    assert exactly(restored) == exactly({**gold(), "id": plan_id})


def test_one_id_is_one_draft(api: Api, drafts: Drafts, plans: Store) -> None:
    plan_id, _ = plans.new(gold())
    own = str(uuid.uuid4())
    made = [create(api, planId=plan_id, id=spelling)["draft"]["id"] for spelling in (own, own.upper(), f"{{{own}}}")]
    assert made == [own] * 3
    assert count(drafts, plan_id) == 1
    assert create(api, planId=plan_id, id=own, name="Summit Gold PPO 1500")["draft"]["id"] == own


def test_one_id_is_one_draft_also_at_once(api: Api, drafts: Drafts, plans: Store) -> None:
    plan_id, _ = plans.new(gold())
    own = str(uuid.uuid4())
    with ThreadPoolExecutor() as pool:
        payloads = list(pool.map(lambda _: create(api, planId=plan_id, id=own), range(6)))
    assert [(payload["draft"]["id"], payload["userErrors"]) for payload in payloads] == [(own, [])] * 6
    assert count(drafts, plan_id) == 1


def test_without_an_id_each_call_makes_another(api: Api, drafts: Drafts, plans: Store) -> None:
    plan_id, _ = plans.new(gold())
    made = {create(api, planId=plan_id)["draft"]["id"] for _ in range(3)}
    assert len(made) == 3
    assert count(drafts, plan_id) == 3


def test_it_is_the_draft_of_whom_it_is_made_for(api: Api, plans: Store) -> None:
    plan_id, _ = plans.new(gold())
    assert create(api, STRANGER, planId=plan_id)["draft"]["createdBy"] == "stranger"
    assert create(api, ADMIN, planId=plan_id, userId="author")["draft"]["createdBy"] == "author"


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({"planId": "no-such-plan"}, "NOT_FOUND", "planId"),
        ({"versionId": "no-such-version"}, "NOT_FOUND", "versionId"),
        ({"versionId": "../1"}, "NOT_FOUND", "versionId"),
        ({"name": "   "}, "INVALID", "name"),
        ({"name": "x" * 256}, "INVALID", "name"),
        ({"name": "a\nb"}, "INVALID", "name"),
        ({"id": "not-a-uuid"}, "INVALID", "id"),
        ({"userId": "somebody"}, "FORBIDDEN", "userId"),
    ],
)
def test_refused(api: Api, drafts: Drafts, plans: Store, fields: dict[str, object], code: str, field: str) -> None:
    plan_id, _ = plans.new(gold())
    payload = create(api, AUTHOR, **{"planId": plan_id, **fields})
    assert [(error["code"], error["field"]) for error in payload["userErrors"]] == [(code, field)]
    assert payload["draft"] is None
    assert count(drafts, plan_id) == 0


UNUSABLE = {
    "draft": None,
    "userErrors": [
        {"code": "INVALID", "message": "This id cannot be used; leave it out, or generate another one.", "field": "id"}
    ],
}


def test_only_what_this_very_call_would_have_written_is_answered_as_made(
    api: Api, drafts: Drafts, plans: Store
) -> None:
    """Nobody learns what the draft with an id of theirs is: not of another's, nor of what has become of one's own."""
    plan_id, first = plans.new(gold())
    plans.put(costing("1550.00"), plan_id)
    other_id, _ = plans.new(costing("1550.00"))
    own = str(uuid.uuid4())
    assert create(api, planId=plan_id, id=own)["userErrors"] == []
    before = drafts.row(own)
    for someone, fields in (
        (STRANGER, {"planId": plan_id}),
        (ADMIN, {"planId": plan_id}),
        (AUTHOR, {"planId": other_id}),
        (AUTHOR, {"planId": plan_id, "name": "Another name"}),
        (AUTHOR, {"planId": plan_id, "versionId": first}),
    ):
        assert create(api, someone, id=own, **fields) == UNUSABLE
    assert drafts.row(own) == before
    drafts.edit(own, plan=text(gold(alias=["Since then"])))
    assert create(api, planId=plan_id, id=own) == UNUSABLE
    drafts.edit(own, plan=before["plan_data"])
    assert create(api, planId=plan_id, id=own)["draft"]["id"] == own
    submitted(api, own, AUTHOR)
    assert create(api, planId=plan_id, id=own) == UNUSABLE
    assert (count(drafts, plan_id), count(drafts, other_id)) == (1, 0)


@pytest.mark.parametrize("author", [None, "somebody"])
def test_a_draft_without_author_is_not_read_by_its_plans_id(
    api: Api, drafts: Drafts, plans: Store, author: str | None
) -> None:
    """A plan that a draft became has the draft's id, which everybody may know."""
    draft_id = drafts.new(author=author)
    submitted(api, draft_id, AUTHOR if author is None else ADMIN)
    assert perform(api, COMPLETE, REVIEWER, taskId=open_task(api, draft_id), approved=True)["status"] == "APPROVED"
    drafts.edit(draft_id, name="Not yet public")
    before = drafts.row(draft_id)
    assert plans.read(draft_id)["resourceType"] == "InsurancePlan"
    for someone in (STRANGER, REVIEWER):
        assert create(api, someone, planId=draft_id, id=draft_id) == UNUSABLE
    assert drafts.row(draft_id) == before


def test_nobody_makes_drafts_without_end(settings: Settings, drafts: Drafts, plans: Store) -> None:
    """Anybody may start a draft from a plan, and could fill the table; a repeat has its answer all the same."""
    plan_id, _ = plans.new(gold())
    someone, own_id = Someone(f"eager-{uuid.uuid4()}"), str(uuid.uuid4())
    told = {
        "code": "TOO_MANY_DRAFTS",
        "field": None,
        "message": "You have 3 drafts that were never submitted, the most allowed; submit or delete some first.",
    }
    with serving(settings.model_copy(update={"max_open_drafts": 3})) as api:
        made = [create(api, someone, planId=plan_id, **named)["draft"]["id"] for named in ({"id": own_id}, {}, {})]
        for named in ({}, {"id": str(uuid.uuid4())}):
            payload = create(api, someone, planId=plan_id, **named)
            assert (payload["draft"], payload["userErrors"]) == (None, [told])
        assert create(api, someone, planId=plan_id, id=own_id)["draft"]["id"] == own_id
        assert count(drafts, plan_id) == 3
        assert create(api, Someone(f"other-{uuid.uuid4()}"), planId=plan_id)["userErrors"] == []
        submitted(api, made[1], someone)
        assert create(api, someone, planId=plan_id)["userErrors"] == []
