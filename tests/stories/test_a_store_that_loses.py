"""A store that takes a plan and keeps less than it was sent: an incident that names the fields, and the ways on."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from api.settings import Settings
from tests.altering import Alteration, altering
from tests.serving import ADMIN, AUTHOR, Api, serving
from tests.stories.behind import PROCESS_TAG, Behind, Resource, edited, exactly, read, until
from tests.verbs import RETRY, SUBMIT, WITHDRAW, approved, codes, perform, status, submitted

pytestmark = pytest.mark.slow

Header = Callable[[str], str]
PUT = "PUT /fhir/InsurancePlan/.*|POST /fhir/InsurancePlan"  # a first version is a POST in some stores
LOST = (
    "The store did not keep the plan as it was approved: it dropped InsurancePlan.kopay,"
    " InsurancePlan.contact[0].telephone. Check how these fields are written: withdraw the draft to correct it, or have"
    " the store accept them and retry the publication"
)


def without_misspelt(resource: Resource) -> Resource:
    """What a store makes of it that drops what it does not know, without a word."""
    known = {name: value for name, value in deepcopy(resource).items() if name != "kopay"}
    for contact in known.get("contact", []):
        contact.pop("telephone", None)
    return known


def dropping() -> Alteration:
    return Alteration(PUT, sent=without_misspelt)


def misspelt(**fields: object) -> str:
    contact = [{"telephone": "1", "purpose": {"text": "Enrolment"}}]
    return edited(kopay=25, contact=contact, **fields)


def told(api: Api, draft_id: str) -> tuple[str, str, bool, str | None]:
    now = status(api, draft_id)
    return now["draftStatus"], now["state"], now["workflowActive"], now["problem"]


STOPPED = ("SUBMITTED", "PUBLISH_FAILED", True, LOST)


@pytest.mark.parametrize("is_new", [True, False])
def test_what_is_dropped_is_named_and_nothing_is_approved(
    settings: Settings,
    behind: Behind,
    is_new: bool,  # noqa: FBT001  # a column of the table
) -> None:
    plan_id, base = (None, None) if is_new else behind.stored_plan()
    draft_id = behind.drafts.new(plan=misspelt(), aidbox_id=plan_id)
    with serving(settings, transports=altering(dropping())) as api:
        process_id = submitted(api, draft_id, AUTHOR)
        payload = approved(api, draft_id)
        assert (payload["status"], payload["userErrors"], payload["plan"] is None) == ("PUBLISH_FAILED", [], is_new)
        assert told(api, draft_id) == STOPPED
    row = behind.drafts.row(draft_id)
    assert (row["status"], row["aidbox_id"]) == ("submitted", plan_id)
    (incident,) = behind.incidents(process_id)
    assert (incident["activityId"], incident["incidentMessage"]) == ("publish-plan", LOST)
    newest, *older = behind.versions(plan_id or draft_id)
    assert "kopay" not in newest
    assert [version["meta"]["versionId"] for version in older] == ([] if base is None else [base])


@pytest.mark.parametrize("is_new", [True, False])
def test_retried_it_is_published_once_the_store_keeps_it(
    settings: Settings,
    behind: Behind,
    is_new: bool,  # noqa: FBT001  # a column of the table
) -> None:
    """The version that was written is known again as ours and as less; a repeat writes on top of it."""
    plan_id, _ = (None, None) if is_new else behind.stored_plan()
    fault = Alteration(PUT, sent=lambda resource: {name: resource[name] for name in resource if name != "alias"})
    draft_id = behind.drafts.new(plan=edited(name="Edited"), aidbox_id=plan_id)
    with serving(settings, transports=altering(fault)) as api:
        process_id = submitted(api, draft_id, AUTHOR)
        assert approved(api, draft_id)["status"] == "PUBLISH_FAILED"
        before = told(api, draft_id)
        assert "it dropped InsurancePlan.alias." in str(before[3])
        perform(api, RETRY, ADMIN, draftId=draft_id)
        assert told(api, draft_id) == before
        fault.is_on = False
        payload = perform(api, RETRY, ADMIN, draftId=draft_id)
        assert payload == {"draft": {"id": draft_id, "status": "APPROVED"}, "userErrors": []}
    newest = behind.versions(plan_id or draft_id)[0]
    assert exactly(newest) == exactly(read(behind.drafts.row(draft_id)["plan_data"]))
    assert behind.variables(process_id)["publishedVersion"] == newest["meta"]["versionId"]
    assert (behind.end_of(process_id), behind.incidents(process_id)) == (["approved"], [])


def test_what_was_edited_since_is_a_conflict_and_can_be_submitted_again(settings: Settings, behind: Behind) -> None:
    """What the store has is less than was approved, and what the draft says now was not approved."""
    draft_id = behind.drafts.new(plan=misspelt())
    fault = dropping()
    with serving(settings, transports=altering(fault)) as api:
        submitted(api, draft_id, AUTHOR)
        approved(api, draft_id)
        behind.drafts.edit(draft_id, plan=edited(name="Mended"))
        payload = perform(api, RETRY, ADMIN, draftId=draft_id)
        assert payload == {"draft": {"id": draft_id, "status": "CONFLICT"}, "userErrors": []}
        assert len(behind.versions(draft_id)) == 1
        assert codes(perform(api, SUBMIT, AUTHOR, draftId=draft_id)) == []
        assert approved(api, draft_id)["status"] == "APPROVED"
    assert [version["name"] for version in behind.versions(draft_id)] == ["Mended", "Summit Gold PPO 1500"]


@pytest.mark.parametrize("is_new", [True, False])
def test_withdrawn_it_is_corrected_and_published(
    settings: Settings,
    behind: Behind,
    is_new: bool,  # noqa: FBT001  # a column of the table
) -> None:
    """What is in the store is no publication, and the next submission stands on it."""
    plan_id = None if is_new else behind.stored_plan()[0]
    draft_id = behind.drafts.new(plan=misspelt(), aidbox_id=plan_id)
    with serving(settings, transports=altering(dropping())) as api:
        submitted(api, draft_id, AUTHOR)
        assert approved(api, draft_id)["status"] == "PUBLISH_FAILED"
        payload = perform(api, WITHDRAW, AUTHOR, draftId=draft_id)
        assert payload == {"draft": {"id": draft_id, "status": "WITHDRAWN"}, "userErrors": []}
        behind.drafts.edit(draft_id, plan=edited(name="Corrected"))
        process_id = submitted(api, draft_id, AUTHOR)
        assert approved(api, draft_id)["status"] == "APPROVED"
    newest, less, *_ = behind.versions(plan_id or draft_id)
    assert (newest["name"], less["name"]) == ("Corrected", "Summit Gold PPO 1500")
    assert behind.variables(process_id)["baseVersion"] == less["meta"]["versionId"]


def test_what_somebody_else_wrote_since_is_not_written_over(settings: Settings, behind: Behind) -> None:
    draft_id = behind.drafts.new(plan=misspelt())
    with serving(settings, transports=altering(dropping())) as api:
        process_id = submitted(api, draft_id, AUTHOR)
        approved(api, draft_id)
        behind.put(draft_id, name="Outside")
        payload = perform(api, RETRY, ADMIN, draftId=draft_id)
        assert payload == {"draft": {"id": draft_id, "status": "CONFLICT"}, "userErrors": []}
    assert behind.variables(process_id)["reason"] == "Version changed during approval"
    assert [version["name"] for version in behind.versions(draft_id)] == ["Outside", "Summit Gold PPO 1500"]


@pytest.mark.parametrize("is_edited", [False, True])
def test_the_answer_lost_the_repeat_comes_to_the_same(
    settings: Settings,
    behind: Behind,
    is_edited: bool,  # noqa: FBT001  # a column of the table
) -> None:
    """Nobody compared the first time. With the draft changed since, the digest on the version tells that it is less."""
    draft_id = behind.drafts.new(plan=misspelt())
    fault, loss = dropping(), Alteration(PUT, is_lost=True)
    with serving(settings, transports=altering(fault, loss)) as api:
        process_id = submitted(api, draft_id, AUTHOR)
        assert approved(api, draft_id)["status"] == "PUBLISHING"
    if is_edited:
        behind.drafts.edit(draft_id, plan=edited(name="Edited meanwhile"))
    (task,) = behind.external_tasks(process_id)
    behind.engine.put(f"/external-task/{task['id']}/retries", json={"retries": 1}).raise_for_status()
    behind.engine.post(f"/external-task/{task['id']}/unlock").raise_for_status()
    working = settings.model_copy(update={"worker": True, "worker_poll_seconds": 0.05})
    with serving(working, transports=altering(fault)) as api:
        until(lambda: told(api, draft_id) == (("CONFLICT", "CONFLICT", False, None) if is_edited else STOPPED))
    assert {version["name"] for version in behind.versions(draft_id)} == {"Summit Gold PPO 1500"}


def _as_doubles(resource: Any) -> Any:
    """Numbers as a store has them that reads them as doubles."""
    if isinstance(resource, dict):
        return {name: _as_doubles(part) for name, part in reversed(resource.items())}
    if isinstance(resource, list):
        return [_as_doubles(part) for part in resource]
    return resource if isinstance(resource, str | bool | int) or resource is None else float(resource)


def test_a_store_with_its_own_way_of_writing_loses_nothing(settings: Settings, behind: Behind) -> None:
    """Numbers as doubles, another order of fields, a narrative of its own."""

    def written(resource: Resource) -> Resource:
        own: Resource = _as_doubles(resource)
        return own | {"text": {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">Its own</div>'}}

    draft_id = behind.drafts.new()
    with serving(settings, transports=altering(Alteration(PUT, sent=written))) as api:
        submitted(api, draft_id, AUTHOR)
        assert approved(api, draft_id)["status"] == "APPROVED"
    assert len(behind.versions(draft_id)) == 1
    assert '"value":1500.0}' not in behind.store.get(f"/InsurancePlan/{draft_id}").text


@pytest.mark.parametrize("etag", ["as it is", "bare", "none"])
@pytest.mark.parametrize("body", [b"", b'{"resourceType":"OperationOutcome","issue":[{"severity":"information"}]}'])
def test_a_store_that_answers_without_the_plan_is_asked_for_it(
    settings: Settings, behind: Behind, etag: str, body: bytes
) -> None:
    draft_id = behind.drafts.new(plan=misspelt())
    bare: Header = lambda said: said.removeprefix("W/")  # noqa: E731
    headers: dict[str, dict[str, Header | None]] = {"as it is": {}, "bare": {"ETag": bare}, "none": {"ETag": None}}
    silent = Alteration(PUT, body=body, headers=headers[etag])
    with serving(settings, transports=altering(dropping(), silent)) as api:
        process_id = submitted(api, draft_id, AUTHOR)
        assert approved(api, draft_id)["status"] == "PUBLISH_FAILED"
        assert told(api, draft_id) == STOPPED
    (version,) = behind.versions(draft_id)
    assert [tag["code"] for tag in version["meta"]["tag"] if tag["system"] == PROCESS_TAG] == [process_id]
