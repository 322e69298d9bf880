"""Approvals that run on former versions of our model: walked to every end with today's code, moved or not."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from api.settings import Settings
from doctor.setup import MODEL, OURS
from tests.engines.previous_models import PREVIOUS, WITHOUT_TIMER, WITHOUT_WITHDRAWN, Process
from tests.serving import ADMIN, AUTHOR, REVIEWER, Api, Drafts, serving
from tests.stories.behind import Behind, edited
from tests.stories.test_scheduled import NEXT_MONTH
from tests.verbs import REQUEST_CHANGES, RETRY, SUBMIT, WITHDRAW, approved, codes, open_task, perform, rejected, status

NOTICE = """mutation Complete($input: CompleteApprovalInput!) { completeApproval(input: $input) {
  status notice userErrors { code } } }"""


def test_every_version_of_our_model_is_there() -> None:
    """Changing the model: its former version goes into models/, its new SHA-256 to the end of OURS."""
    hashes = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (*PREVIOUS, MODEL)]
    assert hashes == list(OURS)


@pytest.fixture(scope="module")
def behind(drafts: Drafts, engine: httpx.Client, store: httpx.Client) -> Behind:
    return Behind(drafts, engine, store)


@pytest.fixture(scope="module", params=PREVIOUS, ids=lambda path: path.stem)
def old(request: pytest.FixtureRequest) -> Path:
    """A former version."""
    path: Path = request.param
    return path


@pytest.fixture
def process(engine: httpx.Client, old: Path) -> Process:
    process = Process(engine)
    process.deploy(old.read_text("utf-8"))
    return process


@pytest.fixture
def api(settings: Settings, process: Process) -> Iterator[Api]:
    """An API of this process."""
    with serving(process.served_by(settings)) as api:
        yield api


def started(api: Api, draft_id: str, process: Process) -> str:
    """An approval of the former version, with today's deployed after it; its process id."""
    payload = perform(api, SUBMIT, AUTHOR, draftId=draft_id)
    assert (payload["status"], payload["userErrors"]) == ("SUBMITTED", [])
    process.deploy(MODEL.read_text("utf-8"))
    assert process.version_of(payload["processId"]) == 1
    return str(payload["processId"])


def ended(behind: Behind, draft_id: str, process_id: str, end: str) -> None:
    assert (behind.drafts.row(draft_id)["status"], behind.end_of(process_id)) == (end, [end])
    assert (behind.active(draft_id), behind.incidents(process_id)) == ([], [])


def test_approved(api: Api, behind: Behind, process: Process) -> None:
    draft_id = behind.drafts.new()
    process_id = started(api, draft_id, process)
    assert approved(api, draft_id)["status"] == "APPROVED"
    ended(behind, draft_id, process_id, "approved")
    assert len(behind.versions(draft_id)) == 1


def test_rejected(api: Api, behind: Behind, process: Process) -> None:
    draft_id = behind.drafts.new()
    process_id = started(api, draft_id, process)
    assert rejected(api, draft_id)["status"] == "REJECTED"
    ended(behind, draft_id, process_id, "rejected")


def test_returned(api: Api, behind: Behind, process: Process) -> None:
    draft_id = behind.drafts.new()
    process_id = started(api, draft_id, process)
    payload = perform(api, REQUEST_CHANGES, REVIEWER, taskId=open_task(api, draft_id), comment="300 visits?")
    assert payload["status"] == "RETURNED"
    ended(behind, draft_id, process_id, "returned")


def test_withdrawn(api: Api, behind: Behind, process: Process) -> None:
    draft_id = behind.drafts.new()
    process_id = started(api, draft_id, process)
    assert perform(api, WITHDRAW, AUTHOR, draftId=draft_id)["userErrors"] == []
    ended(behind, draft_id, process_id, "withdrawn")


def test_in_conflict(api: Api, behind: Behind, process: Process) -> None:
    plan_id, _ = behind.stored_plan()
    draft_id = behind.drafts.new(aidbox_id=plan_id)
    process_id = started(api, draft_id, process)
    behind.put(plan_id, name="Outside")
    assert approved(api, draft_id)["status"] == "CONFLICT"
    ended(behind, draft_id, process_id, "conflict")


def test_publication_that_gave_up_is_retried(api: Api, behind: Behind, process: Process) -> None:
    draft_id = behind.drafts.new(plan=edited(copayment=1))
    process_id = started(api, draft_id, process)
    assert approved(api, draft_id)["status"] == "PUBLISH_FAILED"
    assert perform(api, RETRY, ADMIN, draftId=draft_id)["userErrors"] == []
    assert (status(api, draft_id)["state"], len(behind.incidents(process_id))) == ("PUBLISH_FAILED", 1)


def test_publication_that_gave_up_is_withdrawn(api: Api, behind: Behind, process: Process, old: Path) -> None:
    """The three oldest have no event for it, so the process ends at no end event; the draft is withdrawn anyway."""
    draft_id = behind.drafts.new(plan=edited(copayment=1))
    process_id = started(api, draft_id, process)
    assert approved(api, draft_id)["status"] == "PUBLISH_FAILED"
    payload = perform(api, WITHDRAW, AUTHOR, draftId=draft_id)
    assert (payload["userErrors"], payload["draft"]["status"]) == ([], "WITHDRAWN")
    assert behind.end_of(process_id) == ([] if old in WITHOUT_WITHDRAWN else ["withdrawn"])
    assert (behind.active(draft_id), behind.versions(draft_id)) == ([], [])


@pytest.mark.parametrize("old", WITHOUT_TIMER, ids=lambda path: path.stem, indirect=True)
def test_a_time_of_publication_is_not_known(api: Api, behind: Behind, process: Process) -> None:
    """It is published at once, and the approver is told so."""
    draft_id = behind.drafts.new()
    process_id = started(api, draft_id, process)
    payload = perform(api, NOTICE, REVIEWER, taskId=open_task(api, draft_id), approved=True, publishAt=NEXT_MONTH)
    assert (payload["status"], codes(payload)) == ("APPROVED", [])
    assert payload["notice"] is not None
    ended(behind, draft_id, process_id, "approved")
