"""The engine's external tasks, which are this service's outbox: locks, reports, retries, incidents."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from tests.contract.steps import MINUTE, Process, begin, reviewed, typed

LOST = (400, 404, 500)


def incidents(process: Process) -> list[str]:
    found = process.engine.get("/incident", params={"processInstanceId": process.id}).json()
    return [incident["incidentMessage"] for incident in found]


def until_unlocked(process: Process) -> None:
    """Until the lock of its task is over, by the engine's own clock."""
    deadline = time.monotonic() + 100
    while not process.engine.post("/external-task", json={"processInstanceId": process.id, "notLocked": True}).json():
        assert time.monotonic() < deadline, "the lock does not end"
        time.sleep(0.02)


def test_a_locked_task_brings_its_variables_and_its_own_outcome(engine: httpx.Client, key: str) -> None:
    process, _ = reviewed(engine, key, submittedBy="ann", baseVersion=None)
    process.withdraw()
    (task,) = process.lock()
    values = {name: value["value"] for name, value in task["variables"].items()}
    assert values == {
        "draftId": process.business_key,
        "draftSource": "retool",
        "submittedBy": "ann",
        "baseVersion": None,
        "outcome": "withdrawn",
    }
    assert (task["topicName"], task["businessKey"], task["workerId"]) == (
        "record-outcome",
        process.business_key,
        "one",
    )
    assert task["retries"] is None
    assert "outcome" not in engine.get(f"/process-instance/{process.id}/variables").json()


def test_a_business_key_is_asked_for_exactly(engine: httpx.Client, key: str) -> None:
    process = begin(engine, key)
    other = Process(engine, key, f"{process.business_key}-2", process.id)
    assert other.lock() == []
    assert [task["processInstanceId"] for task in process.lock()] == [process.id]


def test_of_many_workers_one_gets_the_task(engine: httpx.Client, key: str) -> None:
    process = begin(engine, key)
    with ThreadPoolExecutor(6) as pool:
        locked = list(pool.map(lambda number: process.lock(f"worker-{number}"), range(6)))
    assert sorted(len(tasks) for tasks in locked) == [0, 0, 0, 0, 0, 1]


def test_only_its_worker_may_report(engine: httpx.Client, key: str) -> None:
    process = begin(engine, key)
    (task,) = process.lock("one")
    error: dict[str, Any] = {"errorCode": "submission-superseded"}
    assert process.report(task["id"], "complete", "two").status_code == 400
    assert process.report(task["id"], "bpmnError", "two", **error).status_code == 400
    assert process.report(task["id"], "failure", "two", errorMessage="x", retries=1).status_code == 400
    assert process.report(task["id"], "complete", "one").status_code == 204
    assert process.report(task["id"], "complete", "one").status_code in LOST
    assert len(process.tasks()) == 1


def test_a_lock_that_ended_is_anybodys(engine: httpx.Client, key: str) -> None:
    process = begin(engine, key)
    (task,) = process.lock("one", milliseconds=1)
    until_unlocked(process)
    assert [taken["id"] for taken in process.lock("two")] == [task["id"]]
    assert process.report(task["id"], "complete", "one").status_code == 400
    assert process.report(task["id"], "complete", "two").status_code == 204


def test_a_lock_that_ended_still_serves_while_nobody_else_took_it(engine: httpx.Client, key: str) -> None:
    process = begin(engine, key)
    (task,) = process.lock("one", milliseconds=1)
    until_unlocked(process)
    assert process.report(task["id"], "complete", "one").status_code == 204


def test_unlock_gives_it_to_the_next(engine: httpx.Client, key: str) -> None:
    process = begin(engine, key)
    (task,) = process.lock("one")
    assert process.lock("two") == []
    assert engine.post(f"/external-task/{task['id']}/unlock").status_code == 204
    assert [taken["id"] for taken in process.lock("two")] == [task["id"]]


def test_a_failure_is_tried_again_after_its_pause(engine: httpx.Client, key: str) -> None:
    process = begin(engine, key)
    (task,) = process.lock("one")
    failed: dict[str, Any] = {"errorMessage": "The store is away", "retries": 2}
    assert process.report(task["id"], "failure", **failed, retryTimeout=MINUTE).status_code == 204
    assert process.lock("two") == []
    (seen,) = process.waiting()
    assert (seen["retries"], seen["errorMessage"]) == (2, "The store is away")
    assert process.report(task["id"], "failure", errorMessage="Still", retries=1, retryTimeout=0).status_code == 204
    (again,) = process.lock("two")
    assert (again["retries"], again["errorMessage"]) == (1, "Still")
    assert incidents(process) == []


def test_without_retries_it_is_an_incident_until_it_gets_some(engine: httpx.Client, key: str) -> None:
    """The lock of the try that gave up holds the task back: it is taken away as well."""
    process = begin(engine, key)
    (task,) = process.lock("one")
    words = "The store takes no such plan"
    process.report(task["id"], "failure", errorMessage=words, retries=0, retryTimeout=0)
    assert incidents(process) == [words]
    assert process.lock("two") == []
    assert engine.put(f"/external-task/{task['id']}/retries", json={"retries": 1}).status_code == 204
    assert engine.post(f"/external-task/{task['id']}/unlock").status_code == 204
    assert incidents(process) == []
    assert [taken["id"] for taken in process.lock("two")] == [task["id"]]


def test_a_task_without_retries_is_found_among_those_that_wait(engine: httpx.Client, key: str) -> None:
    process = begin(engine, key)
    (task,) = process.lock("one")
    process.report(task["id"], "failure", errorMessage="x" * 600, errorDetails="y" * 5000, retries=0, retryTimeout=0)
    (seen,) = engine.post("/external-task", json={"processInstanceIdIn": [process.id]}).json()
    assert (seen["id"], seen["retries"], seen["errorMessage"]) == (task["id"], 0, "x" * 600)


def test_an_error_leaves_by_its_event_with_its_variables(engine: httpx.Client, key: str) -> None:
    process, task_id = reviewed(engine, key)
    process.complete(task_id, approved=True)
    (publication,) = process.lock()
    moved: dict[str, Any] = {
        "errorCode": "version-conflict",
        "errorMessage": "Version changed",
        "variables": typed(conflictDetected=True),
    }
    assert process.report(publication["id"], "bpmnError", **moved).status_code == 204
    (record,) = process.lock()
    assert record["activityId"] == "record-conflict"
    assert record["variables"]["outcome"]["value"] == "conflict"
    assert process.variables(variableNameIn=["conflictDetected", "reason"]) == {
        "conflictDetected": True,
        "reason": "Version changed",
    }


def test_a_superseded_submission_ends(engine: httpx.Client, key: str) -> None:
    process = begin(engine, key)
    (registration,) = process.lock()
    process.report(registration["id"], "bpmnError", errorCode="submission-superseded", errorMessage="Another")
    assert process.past()["state"] == "COMPLETED"
    query = {"processInstanceIds": [process.id], "executedActivityIdIn": ["superseded"]}
    assert len(engine.post("/history/process-instance", json=query).json()) == 1


def test_an_error_nobody_catches_ends_the_process_without_a_word(engine: httpx.Client, key: str) -> None:
    """Which is why `check` looks for the codes in the model."""
    process = begin(engine, key)
    (registration,) = process.lock()
    assert process.report(registration["id"], "bpmnError", errorCode="unheard-of").status_code == 204
    assert process.past()["state"] == "COMPLETED"
    assert process.tasks() == []
