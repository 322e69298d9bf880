"""One process of the engine, driven over its own REST API: started, locked, completed, told."""

import uuid
from dataclasses import dataclass
from typing import Any

import httpx

TOPICS = ("register-submission", "publish-plan", "record-outcome")
MINUTE = 60_000  # milliseconds


@dataclass(frozen=True)
class Process:
    """A process instance, with the key of its definition and its business key."""

    engine: httpx.Client
    key: str
    business_key: str
    id: str

    def lock(self, worker: str = "one", *, milliseconds: int = MINUTE) -> list[dict[str, Any]]:
        """Fetch and lock what it waits for."""
        topic = {
            "lockDuration": milliseconds,
            "processDefinitionKey": self.key,
            "businessKey": self.business_key,
            "deserializeValues": False,
        }
        body = {"workerId": worker, "maxTasks": 10, "topics": [{**topic, "topicName": name} for name in TOPICS]}
        answer = self.engine.post("/external-task/fetchAndLock", json=body)
        assert answer.status_code == 200, answer.text
        return list(answer.json())

    def waiting(self) -> list[dict[str, Any]]:
        """Its external tasks, locked or not."""
        return list(self.engine.post("/external-task", json={"processInstanceId": self.id}).json())

    def tasks(self) -> list[dict[str, Any]]:
        """Its open user tasks."""
        return list(self.engine.post("/task", json={"processInstanceIdIn": [self.id]}).json())

    def past(self) -> dict[str, Any]:
        """The instance as the history has it."""
        found: dict[str, Any] = self.engine.get(f"/history/process-instance/{self.id}").json()
        return found

    def variables(self, **query: object) -> dict[str, Any]:
        """Its variables as the history has them."""
        answer = self.engine.post(
            "/history/variable-instance",
            params={"deserializeValues": "false"},
            json={"processInstanceIdIn": [self.id], **query},
        )
        assert answer.status_code == 200, answer.text
        return {row["name"]: row["value"] for row in answer.json()}

    def report(self, task_id: str, what: str, worker: str = "one", **fields: object) -> httpx.Response:
        """Tell the engine what became of an external task."""
        return self.engine.post(f"/external-task/{task_id}/{what}", json={"workerId": worker, **fields})

    def withdraw(self) -> httpx.Response:
        """Send it the message."""
        body = {"messageName": "withdraw-submission", "processInstanceId": self.id}
        return self.engine.post("/message", json=body)

    def complete(self, task_id: str, **variables: object) -> httpx.Response:
        """Complete a user task, with variables of the types their values have."""
        return self.engine.post(f"/task/{task_id}/complete", json={"variables": typed(**variables)})


def begin(engine: httpx.Client, key: str, business_key: str | None = None, **variables: Any) -> Process:
    """A new process; it waits for its registration."""
    chosen = business_key or f"draft-{uuid.uuid4()}"
    body = {"businessKey": chosen, "variables": typed(draftId=chosen, **variables)}
    answer = engine.post(f"/process-definition/key/{key}/start", json=body)
    assert answer.status_code == 200, answer.text
    return Process(engine, key, chosen, answer.json()["id"])


def reviewed(engine: httpx.Client, key: str, **variables: Any) -> tuple[Process, str]:
    """A new process under review, and the id of its task."""
    process = begin(engine, key, **variables)
    (registration,) = process.lock()
    assert process.report(registration["id"], "complete").status_code == 204
    (task,) = process.tasks()
    return process, task["id"]


def typed(**variables: object) -> dict[str, dict[str, object]]:
    """Variables as this service sends them, each with its type."""
    kinds = {str: "String", bool: "Boolean", int: "Long", type(None): "String"}
    return {name: {"value": value, "type": kinds[type(value)]} for name, value in variables.items()}
