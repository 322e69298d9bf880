"""Who approved a version is on record in the store, and told from there once the engine has forgotten."""

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from api.settings import Settings
from tests.serving import ADMIN, AUDITOR, AUTHOR, GOLD, REVIEWER, SECOND_REVIEWER, STRANGER, Api, Someone, serving
from tests.stories.behind import FHIR_JSON, Behind, edited
from tests.verbs import COMPLETE, REASSIGN, RETRY, SUBMIT, WITHDRAW, approved, codes, open_task, perform, submitted
from tests.wiretap import Send, tapped

SOURCE = "retool"
PEOPLE = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
APPROVAL = """query P($id: ID!, $version: ID) { plan(id: $id, versionId: $version) { versionId approval {
  processId submittedBy { id } author { id } basedOnVersion
  decisions { taskId step verdict decidedBy { id } actedBy { id } comment } } } }"""
HISTORY = """query H($id: ID!) { draft(id: $id) { history { kind by { id } actedBy { id } step comment reason
  processId revision planVersionId } comments { text by { id } } approval { state submittedBy { id } submittedRevision
  decisions { taskId step verdict decidedBy { id } comment } } } }"""
COMMENT = """mutation C($input: AddCommentInput!) { addComment(input: $input) { userErrors { code } } }"""
AS_OF = "query A($id: ID!, $at: DateTime) { plan(id: $id, asOf: $at) { name versionId } }"


def _published(api: Api, behind: Behind, **changes: object) -> tuple[str, str, str]:
    """An edit, submitted with words, commented on and approved with words; ids of plan, draft and process."""
    plan_id, _ = behind.stored_plan()
    draft_id = behind.drafts.new("An edit", edited(**{"name": "Edited", **changes}), aidbox_id=plan_id)
    payload = perform(api, SUBMIT, AUTHOR, draftId=draft_id, comment="Please look")
    assert perform(api, COMMENT, REVIEWER, draftId=draft_id, text="I do\n“look”")["userErrors"] == []
    fields = {"taskId": open_task(api, draft_id), "approved": True, "comment": "Fine"}
    assert perform(api, COMPLETE, REVIEWER, **fields)["status"] == "APPROVED"
    return plan_id, draft_id, str(payload["processId"])


def _forget(behind: Behind, *process_ids: str) -> None:
    """What the engine's history cleanup does when a process's time to live is over."""
    for process_id in process_ids:
        assert behind.engine.delete(f"/history/process-instance/{process_id}").status_code == 204


def _provenance(behind: Behind, process_id: str) -> dict[str, Any]:
    """By a plain GET on the store."""
    answer = behind.store.get(f"/Provenance/{SOURCE}.{process_id}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def _codes(concept: dict[str, Any]) -> dict[str, str]:
    return {each["system"].removeprefix("urn:plan-api:"): each["code"] for each in concept["coding"]}


def test_what_is_in_the_store(api: Api, behind: Behind) -> None:
    plan_id, draft_id, process_id = _published(api, behind)
    newest, base = (version["meta"] for version in behind.versions(plan_id))
    (task,) = behind.past_tasks(draft_id)
    revision = behind.variables(process_id)["draftRevision"]
    (comment_id,) = (name.removeprefix("comment_") for name in behind.comments(process_id))
    found = _provenance(behind, process_id)

    def reference(version: str) -> dict[str, Any]:
        return {
            "reference": f"InsurancePlan/{plan_id}/_history/{version}",
            "identifier": {"system": "urn:plan-api:version", "value": version},
        }

    def logical(system: str, value: str) -> dict[str, Any]:
        return {"identifier": {"system": f"urn:plan-api:{system}", "value": value}, "display": value}

    assert found["target"] == [reference(newest["versionId"])]
    assert found["entity"] == [
        {"role": "revision", "what": reference(base["versionId"])},
        {"role": "source", "what": logical("draft", draft_id)},
        {"role": "source", "what": logical("revision", revision)},
    ]
    assert datetime.fromisoformat(found["recorded"]) == datetime.fromisoformat(newest["lastUpdated"])
    assert set(found["occurredPeriod"]) == {"start", "end"}
    assert [coding["code"] for coding in found["activity"]["coding"]] == ["UPDATE"]
    kinds = [_codes(agent["type"])[PEOPLE] for agent in found["agent"]]
    assert kinds == ["author", "enterer", "verifier", "informant", "assembler"]
    assert [agent["who"] for agent in found["agent"]] == [
        logical("person", who) for who in ("author", "author", "reviewer", "reviewer", "plan-api")
    ]
    told = [
        {name: code for role in agent.get("role", []) for name, code in _codes(role).items()}
        for agent in found["agent"]
    ]
    times = [each.pop("at", None) for each in told]
    assert [bool(at) for at in times] == [False, True, True, True, False]
    assert told == [
        {},
        {"submission": found["id"]},
        {"task": task["id"], "step": "review", "verdict": "APPROVED", "asked": "APPROVED"},
        {"comment": comment_id},
        {"service": "plan-api"},
    ]
    assert [(_codes(reason), reason["text"]) for reason in found["reason"]] == [
        ({"submission": found["id"]}, "Please look"),
        ({"task": task["id"]}, "Fine"),
        ({"comment": comment_id}, "I do\n“look”"),
    ]
    assert "signature" not in found
    assert behind.provenances(plan_id) == [found]


def test_a_new_plan_is_based_on_nothing(api: Api, behind: Behind) -> None:
    draft_id = behind.drafts.new()
    process_id = submitted(api, draft_id, AUTHOR)
    approved(api, draft_id)
    found = _provenance(behind, process_id)
    assert [coding["code"] for coding in found["activity"]["coding"]] == ["CREATE"]
    assert [each["role"] for each in found["entity"]] == ["source", "source"]


def test_what_was_done_on_behalf_of_somebody(api: Api, behind: Behind) -> None:
    draft_id = behind.drafts.new()
    process_id = str(perform(api, SUBMIT, ADMIN, draftId=draft_id, userId="author")["processId"])
    task_id = open_task(api, draft_id)
    perform(api, REASSIGN, ADMIN, taskId=task_id, userId="somebody")
    payload = perform(api, COMPLETE, Someone("clerk", ADMIN.groups), taskId=task_id, approved=True, userId="somebody")
    assert payload["status"] == "APPROVED"
    agents = _provenance(behind, process_id)["agent"]
    said = [(each["who"]["display"], each.get("onBehalfOf", {}).get("display")) for each in agents]
    assert said == [("author", None), ("admin", "author"), ("clerk", "somebody"), ("plan-api", None)]


def test_a_task_completed_elsewhere_names_who_had_it(api: Api, behind: Behind) -> None:
    draft_id = behind.drafts.new()
    process_id = submitted(api, draft_id, AUTHOR)
    (task,) = behind.tasks(draft_id)
    behind.engine.post(f"/task/{task['id']}/claim", json={"userId": "in-tasklist"}).raise_for_status()
    behind.complete(task["id"], approved=True)
    assert codes(perform(api, SUBMIT, AUTHOR, draftId=draft_id)) == []
    assert behind.drafts.row(draft_id)["status"] == "approved"
    reviewers = [
        each for each in _provenance(behind, process_id)["agent"] if _codes(each["type"])[PEOPLE] == "verifier"
    ]
    assert [each["who"]["display"] for each in reviewers] == ["in-tasklist"]
    assert _codes(reviewers[0]["role"][0])["step"] == "review"
    _forget(behind, process_id)
    answer = api.ask(HISTORY, Someone("in-tasklist"), id=draft_id)["draft"]["history"]
    assert [(each["kind"], (each["by"] or {}).get("id")) for each in answer] == [
        ("PUBLISHED", None),
        ("APPROVED", "in-tasklist"),
        ("SUBMITTED", "author"),
    ]


@pytest.mark.parametrize("who", [AUTHOR, REVIEWER, ADMIN, AUDITOR], ids=lambda who: who.id)
def test_told_the_same_by_the_store(api: Api, behind: Behind, who: Someone) -> None:
    """History, comments, status and the version's approval, before and after the engine has forgotten."""
    plan_id, draft_id, process_id = _published(api, behind)
    told = api.ask(HISTORY, who, id=draft_id), api.ask(APPROVAL, who, id=plan_id)
    assert [each["kind"] for each in told[0]["draft"]["history"]] == ["PUBLISHED", "APPROVED", "COMMENTED", "SUBMITTED"]
    assert told[1]["plan"]["approval"]["decisions"][0]["comment"] == "Fine"
    _forget(behind, process_id)
    assert (api.ask(HISTORY, who, id=draft_id), api.ask(APPROVAL, who, id=plan_id)) == told


def test_the_approval_of_a_version(api: Api, behind: Behind) -> None:
    plan_id, draft_id, process_id = _published(api, behind)
    newest, base = (version["meta"]["versionId"] for version in behind.versions(plan_id))
    (task,) = behind.past_tasks(draft_id)
    decision = {
        "taskId": task["id"],
        "step": "review",
        "verdict": "APPROVED",
        "decidedBy": {"id": "reviewer"},
        "actedBy": None,
        "comment": "Fine",
    }
    approval = {
        "processId": process_id,
        "submittedBy": {"id": "author"},
        "author": {"id": "author"},
        "basedOnVersion": base,
        "decisions": [decision],
    }
    assert api.ask(APPROVAL, AUTHOR, id=plan_id)["plan"] == {"versionId": newest, "approval": approval}
    assert api.ask(APPROVAL, AUTHOR, id=plan_id, version=base)["plan"]["approval"] is None
    outside = behind.put(plan_id, behind.plan(plan_id), name="Outside, with the tags of before")
    assert api.ask(APPROVAL, AUTHOR, id=plan_id)["plan"] == {"versionId": outside, "approval": None}


def test_strangers_are_not_told(api: Api, behind: Behind) -> None:
    plan_id, draft_id, process_id = _published(api, behind)
    for _ in range(2):
        assert api.ask(APPROVAL, STRANGER, id=plan_id)["plan"]["approval"] is None
        assert api.ask(HISTORY, STRANGER, id=draft_id) == {"draft": None}
        assert codes(perform(api, SUBMIT, STRANGER, draftId=draft_id)) == ["NOT_FOUND"]
        _forget(behind, process_id) if behind.processes(draft_id) else None


def test_who_took_part_reads_an_approval_whose_draft_is_deleted(api: Api, behind: Behind) -> None:
    plan_id, draft_id, process_id = _published(api, behind)
    behind.drafts.connection.execute("DELETE FROM benefit_plan_drafts WHERE id = %s", [draft_id])
    _forget(behind, process_id)
    told = {
        who.id: api.ask(APPROVAL, who, id=plan_id)["plan"]["approval"] for who in (AUTHOR, REVIEWER, AUDITOR, STRANGER)
    }
    assert {who: bool(approval) for who, approval in told.items()} == {
        "author": True,
        "reviewer": True,
        "auditor": True,
        "stranger": False,
    }


@pytest.mark.parametrize("name", ["Edited", json.loads(GOLD)["name"]], ids=["an edit", "what the plan says already"])
def test_an_unchanged_draft_stays_decided(api: Api, behind: Behind, name: str) -> None:
    """Also after the plan has moved on, and if its approval made no version, so that no tag of one says so."""
    plan_id, draft_id, process_id = _published(api, behind, name=name)
    assert len(behind.versions(plan_id)) == (2 if name == "Edited" else 1)
    assert len(behind.provenances(plan_id)) == 1
    _forget(behind, process_id)
    behind.put(plan_id, name="Moved on")
    payload = perform(api, SUBMIT, AUTHOR, draftId=draft_id)
    assert codes(payload) == ["ALREADY_DECIDED"]
    assert behind.drafts.row(draft_id)["status"] == "approved"
    behind.drafts.edit(draft_id, name="Changed")
    assert codes(perform(api, SUBMIT, AUTHOR, draftId=draft_id)) == []


def test_a_draft_without_author_stays_its_submitters(api: Api, behind: Behind) -> None:
    draft_id = behind.drafts.new(author=None)
    process_id = submitted(api, draft_id, AUTHOR)
    approved(api, draft_id)
    before = codes(perform(api, SUBMIT, AUTHOR, draftId=draft_id))
    _forget(behind, process_id)
    assert codes(perform(api, SUBMIT, AUTHOR, draftId=draft_id)) == before == ["ALREADY_DECIDED"]
    assert codes(perform(api, SUBMIT, REVIEWER, draftId=draft_id)) == ["FORBIDDEN"]


def test_earlier_approvals_of_a_draft_are_in_its_history(api: Api, behind: Behind) -> None:
    """Of three submissions the engine has the last alone; the second was rejected, so the store knows nothing of it."""
    _, draft_id, first = _published(api, behind)
    behind.drafts.edit(draft_id, plan=edited(name="Again"))
    second = submitted(api, draft_id, AUTHOR)
    assert (
        perform(api, COMPLETE, SECOND_REVIEWER, taskId=open_task(api, draft_id), approved=False)["status"] == "REJECTED"
    )
    third = submitted(api, draft_id, AUTHOR)
    _forget(behind, first, second)
    told = api.ask(HISTORY, REVIEWER, id=draft_id)["draft"]["history"]
    assert [(each["processId"], each["kind"]) for each in told] == [
        (third, "SUBMITTED"),
        *((first, kind) for kind in ("PUBLISHED", "APPROVED", "COMMENTED", "SUBMITTED")),
    ]


def test_a_repeat_writes_one(api: Api, behind: Behind) -> None:
    _, draft_id, process_id = _published(api, behind)
    (task,) = behind.past_tasks(draft_id)
    perform(api, COMPLETE, REVIEWER, taskId=task["id"], approved=True, comment="Fine")
    perform(api, SUBMIT, AUTHOR, draftId=draft_id)
    assert len(behind.past_of(f"Provenance/{SOURCE}.{process_id}")) == 1


@pytest.mark.parametrize("status", [403, 422])
def test_a_record_that_is_refused_is_an_incident(settings: Settings, behind: Behind, status: int) -> None:
    """The plan has its version, nothing says that it is done, and once the store takes the record, it is."""

    async def refused(request: httpx.Request, send: Send) -> httpx.Response:
        issue = {"severity": "error", "code": "forbidden", "diagnostics": "No Provenance here"}
        outcome = {"resourceType": "OperationOutcome", "issue": [issue]}
        return httpx.Response(status, json=outcome) if is_refused else await send(request)

    is_refused, plan_id = True, behind.stored_plan()[0]
    transports = tapped(refused, system="aidbox", call="PUT /fhir/Provenance/.*")
    changed = settings.model_copy(update={"publish_retries": 0})
    draft_id = behind.drafts.new(plan=edited(name="Edited"), aidbox_id=plan_id)
    with serving(changed, transports=transports) as api:
        process_id = submitted(api, draft_id, AUTHOR)
        assert approved(api, draft_id)["status"] == "PUBLISH_FAILED"
        assert (len(behind.versions(plan_id)), behind.provenances(plan_id)) == (2, [])
        (incident,) = behind.incidents(process_id)
        said = f"the store refuses Provenance/{SOURCE}.{process_id}. No Provenance here"
        assert incident["incidentMessage"] == f"The plan is stored, but not who approved it: {said}"
        assert codes(perform(api, WITHDRAW, AUTHOR, draftId=draft_id)) == ["ALREADY_DECIDED"]
        assert behind.drafts.row(draft_id)["status"] == "submitted"
        is_refused = False
        assert perform(api, RETRY, ADMIN, draftId=draft_id)["draft"]["status"] == "APPROVED"
    assert (len(behind.versions(plan_id)), len(behind.provenances(plan_id))) == (2, 1)


def test_a_record_that_somebody_has_rewritten(api: Api, behind: Behind) -> None:
    """It is no record of ours then, and nothing is made up of it."""
    plan_id, draft_id, process_id = _published(api, behind)
    record = _provenance(behind, process_id)
    (reviewer,) = [each for each in record["agent"] if _codes(each["type"])[PEOPLE] == "verifier"]
    (role,) = reviewer["role"]
    role["coding"] = [each for each in role["coding"] if not each["system"].endswith(":at")]
    behind.store.put(f"/Provenance/{record['id']}", json=record, headers=FHIR_JSON).raise_for_status()
    _forget(behind, process_id)
    told = api.answer("query H($id: ID!) { draft(id: $id) { name history { kind } } }", AUTHOR, id=draft_id)
    assert told["data"]["draft"] == {"name": "An edit", "history": None}
    assert [error["extensions"]["code"] for error in told["errors"]] == ["UPSTREAM_GARBLED"]
    told = api.answer("query P($id: ID!) { plan(id: $id) { name approval { processId } } }", AUTHOR, id=plan_id)
    assert told["data"]["plan"] == {"name": "Edited", "approval": None}
    assert [error["extensions"]["code"] for error in told["errors"]] == ["UPSTREAM_GARBLED"]


def test_a_store_that_does_not_tell_takes_nothing_else_away(settings: Settings, api: Api, behind: Behind) -> None:
    """What the engine has forgotten is told as an error by the fields of the record alone."""

    async def away(_request: httpx.Request, _send: Send) -> httpx.Response:
        return httpx.Response(503)

    _, draft_id, process_id = _published(api, behind)
    other_id = behind.drafts.new()
    submitted(api, other_id, AUTHOR)
    _forget(behind, process_id)
    asked = """query D($ids: [ID!]) { drafts(ids: $ids) { items { approval { state submittedBy { id } }
      currentPlan { name approval { processId } } history { kind } } } }"""
    with serving(settings, transports=tapped(away, system="aidbox", call="POST /fhir/?|POST /fhir/Prov.*")) as cut:
        answer = cut.answer(asked, AUTHOR, ids=[draft_id, other_id])
    forgotten, known = answer["data"]["drafts"]["items"]
    assert forgotten == {
        "approval": {"state": "APPROVED", "submittedBy": None},
        "currentPlan": {"name": "Edited", "approval": None},
        "history": None,
    }
    assert known == {
        "approval": {"state": "IN_REVIEW", "submittedBy": {"id": "author"}},
        "currentPlan": None,
        "history": [{"kind": "SUBMITTED"}],
    }
    assert {(error["path"][-1], error["extensions"]["code"]) for error in answer["errors"]} == {
        ("approval", "UPSTREAM_BUSY"),
        ("history", "UPSTREAM_BUSY"),
    }


def test_the_plan_at_an_instant(api: Api, behind: Behind) -> None:
    def moment() -> str:
        return datetime.now(UTC).isoformat().replace("+00:00", "Z")

    plan_id, times = str(uuid.uuid4()), [moment()]
    for name in ("one", "two"):
        behind.put(plan_id, name=name)
        times.append(moment())
    behind.store.delete(f"/InsurancePlan/{plan_id}").raise_for_status()
    times.append(moment())
    behind.put(plan_id, name="three")
    names = [(api.ask(AS_OF, STRANGER, id=plan_id, at=at)["plan"] or {}).get("name") for at in times]
    assert names == [None, "one", "two", None]
    for at in (moment(), f"{datetime.now(UTC) + timedelta(days=400):%Y-%m-%dT%H:%M:%SZ}", "9999-12-31T23:59:59Z", None):
        assert api.ask(AS_OF, STRANGER, id=plan_id, at=at)["plan"]["name"] == "three"
    for at in ("0001-01-01T00:00:00Z", "1970-01-01T00:00:00+05:30"):
        assert api.ask(AS_OF, STRANGER, id=plan_id, at=at) == {"plan": None}
    exact = behind.versions(plan_id)[1]["meta"]
    found = api.ask(AS_OF, STRANGER, id=plan_id, at=exact["lastUpdated"])["plan"]
    assert found["versionId"] == exact["versionId"]
    assert api.ask(AS_OF, STRANGER, id="none-of-this", at=moment()) == {"plan": None}


def test_one_version_by_one_key(api: Api) -> None:
    asked = 'query { plan(id: "x", versionId: "1", asOf: "2026-01-01T00:00:00Z") { name } }'
    (error,) = api.answer(asked, STRANGER)["errors"]
    assert (error["message"], error["extensions"]["code"]) == ("Give versionId or asOf, not both.", "INVALID")


def test_switched_off(settings: Settings, behind: Behind) -> None:
    """Nothing is written or read; the engine tells what it knows, as long as it does."""
    with serving(settings.model_copy(update={"provenance": False})) as api:
        plan_id, draft_id, process_id = _published(api, behind)
        assert behind.store.get(f"/Provenance/{SOURCE}.{process_id}").status_code == 404
        assert api.ask(APPROVAL, AUTHOR, id=plan_id)["plan"]["approval"]["decisions"][0]["comment"] == "Fine"
        _forget(behind, process_id)
        assert api.ask(APPROVAL, AUTHOR, id=plan_id)["plan"]["approval"] is None
        assert api.ask(HISTORY, AUTHOR, id=draft_id)["draft"]["history"] == []
