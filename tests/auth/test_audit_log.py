"""The audit log: one line for each mutation and each refusal, with ids and nothing else of what was sent or read."""

import json
import logging
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from api import telemetry
from api.settings import Settings
from tests.auth.asking import AuditLines, audit, settings_with
from tests.auth.test_gateway import KEY, TRUSTED, acting, entry
from tests.serving import ADMIN, AUTHOR, REVIEWER, STRANGER, Api, Drafts, serving
from tests.verbs import (
    CLAIM,
    COMPLETE,
    REASSIGN,
    REQUEST_CHANGES,
    RETRY,
    SUBMIT,
    UNCLAIM,
    WITHDRAW,
    open_task,
    perform,
    submitted,
)

SECRET = "Geheim"  # in what people write, which is no business of the log's
CREATE = "mutation C($input: CreateDraftFromPlanInput!) { createDraftFromPlan(input: $input) { draft { id } } }"
STANDARD = {*vars(logging.makeLogRecord({})), "message", "asctime", "request_id", "taskName"}


@pytest.fixture
def log() -> Iterator[AuditLines]:
    with audit() as lines:
        yield lines


def lines_of(log: AuditLines) -> list[dict[str, Any]]:
    """What the audit log said since it was last asked, and forget it."""
    found = [record for record in log.records if record.name == "api.audit"]
    assert not log.mentions(SECRET)
    log.records.clear()
    return [{name: value for name, value in vars(record).items() if name not in STANDARD} for record in found]


def test_every_mutation_is_a_line(api: Api, drafts: Drafts, log: AuditLines) -> None:
    draft_id = drafts.new(f"{SECRET} plan")
    mine = {"viewer": "author", "outcome": "done", "draft_id": draft_id}
    submitted(api, draft_id, AUTHOR)
    assert lines_of(log) == [{**mine, "what": "submitForApproval"}]
    perform(api, WITHDRAW, AUTHOR, draftId=draft_id)
    assert lines_of(log) == [{**mine, "what": "withdrawSubmission"}]
    perform(api, SUBMIT, ADMIN, draftId=draft_id, userId="author", comment=SECRET)
    acting = {"viewer": "admin", "user_id": "author"}
    assert lines_of(log) == [{**mine, **acting, "what": "submitForApproval"}]

    task_id = open_task(api, draft_id)
    theirs = {"viewer": "reviewer", "outcome": "done", "task_id": task_id}
    for what, operation in (("claimTask", CLAIM), ("unclaimTask", UNCLAIM), ("claimTask", CLAIM)):
        perform(api, operation, REVIEWER, taskId=task_id)
        assert lines_of(log) == [{**theirs, "what": what}]
    perform(api, REASSIGN, REVIEWER, taskId=task_id, userId="reviewer")
    assert lines_of(log) == [{**theirs, "what": "reassignTask", "user_id": "reviewer"}]
    perform(api, REQUEST_CHANGES, REVIEWER, taskId=task_id, comment=SECRET)
    assert lines_of(log) == [{**theirs, "what": "requestChanges", "draft_id": draft_id}]

    submitted(api, draft_id, AUTHOR)
    task_id = open_task(api, draft_id)
    log.records.clear()
    perform(api, COMPLETE, REVIEWER, taskId=task_id, approved=True, comment=SECRET)
    decided = {**theirs, "task_id": task_id, "what": "completeApproval", "draft_id": draft_id, "approved": "True"}
    assert lines_of(log) == [decided]
    perform(api, RETRY, ADMIN, draftId=draft_id)
    assert lines_of(log) == [{**mine, "viewer": "admin", "what": "retryPublication"}]
    made = perform(api, CREATE, STRANGER, planId=draft_id, name=SECRET)["draft"]["id"]
    assert lines_of(log) == [
        {"viewer": "stranger", "outcome": "done", "what": "createDraftFromPlan", "plan_id": draft_id, "draft_id": made}
    ]


def test_every_refusal_is_a_line(api: Api, drafts: Drafts, log: AuditLines) -> None:
    draft_id = drafts.new(f"{SECRET} plan")
    submitted(api, draft_id, AUTHOR)
    task_id = open_task(api, draft_id)
    log.records.clear()
    refused = {"viewer": "stranger", "outcome": "refused", "code": "NOT_FOUND"}
    perform(api, SUBMIT, STRANGER, draftId=draft_id, comment=SECRET)
    assert lines_of(log) == [{**refused, "what": "submitForApproval", "draft_id": draft_id}]
    perform(api, COMPLETE, STRANGER, taskId=task_id, approved=True, comment=SECRET)
    assert lines_of(log) == [{**refused, "what": "completeApproval", "task_id": task_id, "approved": "True"}]
    perform(api, SUBMIT, STRANGER, draftId=draft_id, userId="author")
    acting = {"code": "FORBIDDEN", "draft_id": draft_id, "user_id": "author"}
    assert lines_of(log) == [{**refused, **acting, "what": "submitForApproval"}]
    api.answer("query P($id: ID!) { pendingTasks(userId: $id) { totalCount } }", STRANGER, id="author")
    assert lines_of(log) == [{**refused, "code": "FORBIDDEN", "what": "pendingTasks", "user_id": "author"}]
    for field, what in (
        ("draft(id: $id) { name }", "draft"),
        ("approvalStatus(draftId: $id) { state }", "approvalStatus"),
    ):
        api.ask(f"query D($id: ID!) {{ {field} }}", STRANGER, id=draft_id)
        assert lines_of(log) == [{**refused, "what": what, "draft_id": draft_id}]
    api.ask("query T($id: ID!) { task(id: $id) { name } }", STRANGER, id=task_id)
    assert lines_of(log) == [{**refused, "what": "task", "task_id": task_id}]
    answer = api.client.post(f"/api/plans/{draft_id}/submit", json={"draftId": draft_id}, headers=STRANGER.headers)
    assert answer.status_code == 404
    assert lines_of(log) == [{**refused, "what": "submit", "draft_id": draft_id}]


def test_what_could_not_be_done_is_a_line(settings: Settings, drafts: Drafts, log: AuditLines) -> None:
    draft_id = drafts.new()
    away = settings.model_copy(update={"camunda_url": "http://127.0.0.1:9/engine-rest"})
    with serving(away) as api:
        api.answer(SUBMIT, AUTHOR, input={"draftId": draft_id})
    told = {"viewer": "author", "what": "submitForApproval", "outcome": "failed", "code": "UPSTREAM_UNREACHABLE"}
    assert lines_of(log) == [{**told, "draft_id": draft_id}]


def test_an_id_is_not_a_place_for_a_novel(api: Api, log: AuditLines) -> None:
    perform(api, SUBMIT, AUTHOR, draftId="x" * 10_000)
    (line,) = lines_of(log)
    assert line["draft_id"] == "x" * 100 + "…"


def test_it_is_json_and_written_whatever_the_log_level(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    former = (root.level, list(root.handlers))
    try:
        telemetry.start_logging("error")
        logging.getLogger("api.audit").info(
            "audit", extra={"viewer": "ann\nforged line", "what": "x", "outcome": "done"}
        )
        logging.getLogger("api.other").info("nothing")
    finally:
        root.setLevel(former[0])
        root.handlers[:] = former[1]
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["viewer"] == "ann\nforged line"
    assert json.loads(line)["message"] == "audit"


def test_a_draft_that_is_not_there_is_no_line(api: Api, log: AuditLines) -> None:
    api.ask("query D($id: ID!) { draft(id: $id) { name } }", STRANGER, id=str(uuid.uuid4()))
    assert lines_of(log) == []


def test_a_hidden_draft_is_one_line_of_a_request_however_often_it_is_asked_for(
    api: Api, drafts: Drafts, log: AuditLines
) -> None:
    draft_id, other_id = drafts.new(f"{SECRET} plan"), drafts.new()
    aliases = " ".join(f'd{number}: draft(id: "{draft_id}") {{ id }}' for number in range(19))
    entities = [{"__typename": "Draft", "id": each} for each in (draft_id, other_id) * 100]
    query = f"query Q($of: [_Any!]!) {{ {aliases} _entities(representations: $of) {{ __typename }} }}"
    for _ in range(2):
        answer = api.answer(query, STRANGER, of=entities)
        assert answer["data"]["d0"] is None
        assert sorted(line["draft_id"] for line in lines_of(log)) == sorted([draft_id, other_id])


def test_the_key_that_vouched_for_a_person_is_named(settings: Settings, drafts: Drafts, log: AuditLines) -> None:
    given = {"auth": "gateway", "gateway_keys": f"{entry('retool', KEY)},{entry('batch', TRUSTED, ':trusted')}"}
    with serving(settings_with(settings, **given)) as gated:
        for key, name, more in ((KEY, "retool", {}), (TRUSTED, "batch", {"userId": "author"})):
            draft_id = drafts.new()
            perform(gated, SUBMIT, acting(key, "author"), draftId=draft_id, **more)
            perform(gated, WITHDRAW, acting(key, "author"), draftId=draft_id, **more)
            assert {line["key"] for line in lines_of(log)} == {name}
