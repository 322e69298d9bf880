"""The engine: queries, user tasks, messages, variables, history, deployment."""

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.contract.conftest import deploy, model_under, take_back
from tests.contract.steps import begin, reviewed, typed

LOST = (400, 404, 500)  # what a loser hears; which of them, and with what words, is not to be relied on


def count(engine: httpx.Client, path: str, **query: object) -> int:
    """How many match a query."""
    answer = engine.post(f"{path}/count", json=query)
    assert answer.status_code == 200, answer.text
    number: int = answer.json()["count"]
    return number


def at_once(number: int, call: Callable[[], httpx.Response]) -> list[int]:
    """The statuses of the same call, sent side by side."""
    with ThreadPoolExecutor(number) as pool:
        return sorted(answer.status_code for answer in pool.map(lambda _: call(), range(number)))


# Queries


def test_unknown_fields_are_ignored_not_refused(engine: httpx.Client, key: str) -> None:
    process, _ = reviewed(engine, key)
    everything = count(engine, "/task", processDefinitionKey=key)
    assert count(engine, "/task", processDefinitionKey=key, businessKeyIn=["nobody's"], nonsense=True) == everything
    assert count(engine, "/task", processDefinitionKey=key, processInstanceBusinessKey=process.business_key) == 1


def test_an_empty_list_is_no_filter(engine: httpx.Client, key: str) -> None:
    reviewed(engine, key)
    everything = count(engine, "/task", processDefinitionKey=key)
    assert count(engine, "/task", processDefinitionKey=key, processInstanceIdIn=[]) == everything
    assert count(engine, "/task", processDefinitionKey=key, processInstanceIdIn=["nobody"]) == 0


def test_unassigned_false_is_no_filter(engine: httpx.Client, key: str) -> None:
    process, _ = reviewed(engine, key)
    query = {"processInstanceIdIn": [process.id]}
    assert count(engine, "/task", **query, unassigned=False) == 1
    assert count(engine, "/task", **query, assigned=True) == 0


def test_pages_are_asked_for_in_the_address(engine: httpx.Client, key: str) -> None:
    processes = [reviewed(engine, key)[0] for _ in range(3)]
    query = {
        "processInstanceIdIn": [process.id for process in processes],
        "sorting": [{"sortBy": "id", "sortOrder": "asc"}],
    }
    everything = [task["id"] for task in engine.post("/task", json=query).json()]
    assert everything == sorted(everything)
    assert len(everything) == 3
    page = engine.post("/task", params={"maxResults": 1, "firstResult": 1}, json=query).json()
    assert [task["id"] for task in page] == everything[1:2]
    assert len(engine.post("/task", json={**query, "maxResults": 1, "firstResult": 1}).json()) == 3


def test_groups_find_claimed_tasks_only_when_told_to(engine: httpx.Client, key: str) -> None:
    _, task_id = reviewed(engine, key)
    offered: dict[str, object] = {"candidateGroups": ["benefit-reviewers", "another"]}
    also_claimed: dict[str, object] = {**offered, "includeAssignedTasks": True}
    assert count(engine, "/task", taskId=task_id, orQueries=[{"assignee": "bob", **offered}]) == 1
    assert engine.post(f"/task/{task_id}/claim", json={"userId": "ann"}).status_code == 204
    assert count(engine, "/task", taskId=task_id, orQueries=[{"assignee": "bob", **offered}]) == 0
    assert count(engine, "/task", taskId=task_id, orQueries=[{"assignee": "bob", **also_claimed}]) == 1
    assert count(engine, "/task", taskIdIn=[task_id], orQueries=[{"assignee": "ann"}]) == 1
    others = {"assignee": "bob", "candidateGroups": ["another"], "includeAssignedTasks": True}
    assert count(engine, "/task", taskIdIn=[task_id], orQueries=[others]) == 0


def test_tasks_are_found_by_a_process_variable(engine: httpx.Client, key: str) -> None:
    process, _ = reviewed(engine, key, submittedBy="ann")
    for name, number in (("ann", 1), ("bob", 0)):
        variables = [{"name": "submittedBy", "operator": "eq", "value": name}]
        assert count(engine, "/task", processInstanceIdIn=[process.id], processVariables=variables) == number


def test_instants_have_milliseconds_and_an_offset_without_colon(engine: httpx.Client, key: str) -> None:
    process, _ = reviewed(engine, key)
    query: dict[str, object] = {"processInstanceIdIn": [process.id]}
    assert count(engine, "/task", **query, createdAfter="2020-01-01T00:00:00.000+0000") == 1
    assert count(engine, "/task", **query, createdBefore="2020-01-01T00:00:00.000+0000") == 0
    for form in ("2020-01-01T00:00:00Z", "2020-01-01"):
        assert engine.post("/task/count", json={**query, "createdAfter": form}).status_code == 400


# User tasks


def test_a_task_can_be_claimed_by_one(engine: httpx.Client, key: str) -> None:
    _, task_id = reviewed(engine, key)
    claim = f"/task/{task_id}/claim"
    assert [engine.post(claim, json={"userId": who}).status_code for who in ("ann", "ann")] == [204, 204]
    assert engine.post(claim, json={"userId": "bob"}).status_code in LOST
    assert engine.get(f"/task/{task_id}").json()["assignee"] == "ann"


def test_of_many_claims_one_wins(engine: httpx.Client, key: str) -> None:
    _, task_id = reviewed(engine, key)
    names = iter([f"user-{number}" for number in range(6)])
    answers = at_once(6, lambda: engine.post(f"/task/{task_id}/claim", json={"userId": next(names)}))
    assert answers[0] == 204
    assert all(status in LOST for status in answers[1:])


def test_assignee_and_unclaim_ask_nobody(engine: httpx.Client, key: str) -> None:
    _, task_id = reviewed(engine, key)
    engine.post(f"/task/{task_id}/claim", json={"userId": "ann"})
    assert engine.post(f"/task/{task_id}/assignee", json={"userId": "bob"}).status_code == 204
    assert engine.get(f"/task/{task_id}").json()["assignee"] == "bob"
    assert engine.post(f"/task/{task_id}/unclaim").status_code == 204
    assert engine.get(f"/task/{task_id}").json()["assignee"] is None


def test_anybody_may_complete_a_claimed_task(engine: httpx.Client, key: str) -> None:
    """Which is why this service asks who it is before."""
    process, task_id = reviewed(engine, key)
    engine.post(f"/task/{task_id}/claim", json={"userId": "ann"})
    assert process.complete(task_id, approved=False).status_code == 204


def test_a_named_decider_has_to_have_the_task(engine: httpx.Client, key: str) -> None:
    """By the listener of our model: nothing is changed by who has lost it, or never had it."""
    process, task_id = reviewed(engine, key)
    assert process.complete(task_id, approved=False, decider="ann").status_code == 500
    for holder in ("ann", "bob"):
        assert engine.post(f"/task/{task_id}/assignee", json={"userId": holder}).status_code == 204
    refusal = process.complete(task_id, approved=False, decider="ann")
    assert (refusal.status_code, [task["id"] for task in process.tasks()]) == (500, [task_id])
    assert "decider" not in process.variables()
    assert process.complete(task_id, approved=False, decider="bob").status_code == 204


def test_a_completed_task_is_not_there_but_the_history_knows_it(engine: httpx.Client, key: str) -> None:
    process, task_id = reviewed(engine, key)
    engine.post(f"/task/{task_id}/claim", json={"userId": "ann"})
    process.complete(task_id, approved=False)
    assert engine.post("/task", json={"taskId": task_id}).json() == []
    for path, body in (("complete", {}), ("claim", {"userId": "ann"}), ("assignee", {"userId": "bob"})):
        assert engine.post(f"/task/{task_id}/{path}", json=body).status_code in LOST
    (past,) = engine.get("/history/task", params={"taskId": task_id}).json()
    assert (past["assignee"], past["deleteReason"], past["processInstanceId"]) == ("ann", "completed", process.id)
    assert past["endTime"] is not None
    for group, number in (("benefit-reviewers", 1), ("another", 0)):
        query = {"taskId": task_id, "taskHadCandidateGroup": group}
        assert len(engine.post("/history/task", json=query).json()) == number


def test_of_many_completions_one_wins(engine: httpx.Client, key: str) -> None:
    process, task_id = reviewed(engine, key)
    answers = at_once(6, lambda: process.complete(task_id, approved=False))
    assert answers[0] == 204
    assert all(status in LOST for status in answers[1:])
    assert [task["activityId"] for task in process.waiting()] == ["record-rejected"]


@pytest.mark.parametrize("variables", [{}, {"approved": None}, {"approved": "yes"}])
def test_a_decision_that_is_none_changes_nothing(variables: dict[str, object], engine: httpx.Client, key: str) -> None:
    process, task_id = reviewed(engine, key)
    assert process.complete(task_id, comment="Hm", **variables).status_code in LOST
    assert [task["id"] for task in process.tasks()] == [task_id]
    assert "comment" not in process.variables()


# Processes, messages, variables


def test_business_keys_are_not_unique(engine: httpx.Client, key: str) -> None:
    first = begin(engine, key)
    second = begin(engine, key, first.business_key)
    query = {
        "processInstanceBusinessKey": first.business_key,
        "processDefinitionKey": key,
        "unfinished": True,
        "sorting": [{"sortBy": "startTime", "sortOrder": "asc"}],
    }
    found = engine.post("/history/process-instance", json=query).json()
    assert {instance["id"] for instance in found} == {first.id, second.id}
    assert [instance["startTime"] for instance in found] == sorted(instance["startTime"] for instance in found)
    assert {instance["state"] for instance in found} == {"ACTIVE"}


def test_the_start_form_names_what_a_submission_gives(engine: httpx.Client, key: str) -> None:
    fields = engine.get(f"/process-definition/key/{key}/form-variables").json()
    assert set(fields) == {"draftId", "draftSource", "baseVersion", "submittedBy", "aidboxPlanId", "publishAt"}
    assert {field["type"] for field in fields.values()} == {"String"}


def test_a_withdrawal_is_taken_during_review_only(engine: httpx.Client, key: str) -> None:
    process = begin(engine, key)
    assert process.withdraw().status_code == 400
    (registration,) = process.lock()
    process.report(registration["id"], "complete")
    assert process.withdraw().status_code == 204
    assert process.withdraw().status_code == 400
    assert process.tasks() == []
    assert [task["activityId"] for task in process.waiting()] == ["record-withdrawn"]


def test_a_withdrawal_after_the_decision_is_refused(engine: httpx.Client, key: str) -> None:
    process, task_id = reviewed(engine, key)
    process.complete(task_id, approved=True)
    assert process.withdraw().status_code == 400
    assert [task["topicName"] for task in process.waiting()] == ["publish-plan"]


def test_of_decision_and_withdrawal_one_wins(engine: httpx.Client, key: str) -> None:
    process, task_id = reviewed(engine, key)
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(process.withdraw), pool.submit(process.complete, task_id, approved=False)]
        answers = sorted(call.result().status_code for call in both)
    assert answers[0] == 204
    assert answers[1] in LOST
    assert len(process.waiting()) == 1


def test_variables_keep_their_types(engine: httpx.Client, key: str) -> None:
    values: dict[str, Any] = {
        "text": "Ä 1500.00",
        "yes": True,
        "no": False,
        "large": 2**53 + 1,
        "nothing": None,
        "long": "x" * 4000,
    }
    process = begin(engine, key, **values)
    found = process.variables(variableNameIn=list(values))
    assert found == values
    assert found["yes"] is True
    body = {"businessKey": "long", "variables": typed(text="x" * 4001)}
    assert engine.post(f"/process-definition/key/{key}/start", json=body).status_code == 500


def test_variables_are_found_by_name_and_by_beginning(engine: httpx.Client, key: str) -> None:
    process, task_id = reviewed(engine, key, submittedBy="ann")
    process.complete(task_id, approved=False, **{f"decision_{task_id}": "{}"})
    assert process.variables(variableNameIn=["submittedBy", "nobody's"]) == {"submittedBy": "ann"}
    assert process.variables(variableNameLike="decision_%") == {f"decision_{task_id}": "{}"}
    query = {"processInstanceIdIn": ["nobody"], "variableNameIn": ["submittedBy"]}
    assert engine.post("/history/variable-instance", json=query).json() == []


def test_the_history_keeps_everything_after_the_end(engine: httpx.Client, key: str) -> None:
    process, task_id = reviewed(engine, key, submittedBy="ann", baseVersion=None)
    process.complete(task_id, approved=False, comment="No")
    (record,) = process.lock()
    process.report(record["id"], "complete", variables=typed(approvalOutcome="rejected"))
    assert engine.get(f"/process-instance/{process.id}").status_code == 404
    past = process.past()
    assert (past["state"], past["businessKey"]) == ("COMPLETED", process.business_key)
    assert past["endTime"] is not None
    assert process.variables(
        variableNameIn=["submittedBy", "baseVersion", "approved", "comment", "approvalOutcome"]
    ) == {
        "submittedBy": "ann",
        "baseVersion": None,
        "approved": False,
        "comment": "No",
        "approvalOutcome": "rejected",
    }
    query = {"processInstanceIds": [process.id], "executedActivityIdIn": ["rejected"]}
    assert count(engine, "/history/process-instance", **query) == 1


# The model


def test_the_newest_definition_tells_its_version_and_its_model(engine: httpx.Client, key: str) -> None:
    params = {"key": key, "latestVersion": "true", "withoutTenantId": "true", "maxResults": "1"}
    (definition,) = engine.get("/process-definition", params=params).json()
    assert (definition["key"], definition["version"]) == (key, 1)
    assert engine.get(f"/process-definition/{definition['id']}/xml").json()["bpmn20Xml"] == model_under(key).decode()


def test_the_same_model_is_deployed_once(engine: httpx.Client) -> None:
    key = f"contract-{uuid.uuid4().hex[:12]}"
    model = model_under(key)
    try:
        first, again = (deploy(engine, key, model).json() for _ in range(2))
        changed = deploy(engine, key, model.replace(b"Review plan", b"Look at plan")).json()
        assert len(first["deployedProcessDefinitions"]) == 1
        assert (again["id"], again["deployedProcessDefinitions"]) == (first["id"], None)
        (definition,) = changed["deployedProcessDefinitions"].values()
        assert definition["version"] == 2
    finally:
        take_back(engine, key)


def test_a_model_with_an_error_is_refused_in_words(engine: httpx.Client) -> None:
    answer = deploy(engine, "broken", b"<definitions>")
    assert answer.status_code in (400, 500)
    assert "ENGINE-0900" in answer.json()["message"]


def test_the_version_is_told(engine: httpx.Client) -> None:
    assert list(engine.get("/version").json()) == ["version"]
