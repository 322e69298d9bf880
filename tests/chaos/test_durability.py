"""A start that the engine answered is there for good, whatever is killed right after."""

import threading
import time
import uuid

import httpx
import pytest

from api.settings import Settings
from sandbox import Sandbox
from tests.stories.behind import until

CLIENTS = 4
STARTED = 20  # answered starts before each kill, and after the last


class Starting(threading.Thread):
    """Starts processes of drafts that are nowhere; `answered`: the ids of those that the engine said it started."""

    def __init__(self, camunda_url: str, answered: list[str]) -> None:
        super().__init__()
        self.camunda_url = camunda_url
        self.answered = answered
        self.stop = threading.Event()

    def run(self) -> None:
        path = f"{self.camunda_url}/process-definition/key/benefit-approval/start"
        while not self.stop.is_set():
            try:
                answer = httpx.post(path, json={"businessKey": str(uuid.uuid4())}, timeout=30, trust_env=False)
            except httpx.TransportError:
                continue  # nobody said that it was started
            if answer.status_code == 200:
                self.answered.append(answer.json()["id"])


@pytest.mark.timeout(600)
def test_no_start_that_was_answered_is_lost(
    sandbox: Sandbox, settings: Settings, engine: httpx.Client, store: httpx.Client
) -> None:
    answered: list[str] = []
    clients = [Starting(settings.camunda_url, answered) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    try:
        for server in (sandbox.engine_server, sandbox.postgres, sandbox.engine_server):
            _more(answered)
            server.kill()
            for each in (sandbox.postgres, sandbox.engine_server, sandbox.store):
                each.start()
        _more(answered)
    finally:
        for client in clients:
            client.stop.set()
        for client in clients:
            client.join()

    until(lambda: all(_answer(engine, store) for _ in range(10)))
    found = engine.post("/history/process-instance", json={"processInstanceIds": answered}).json()
    assert {process["id"] for process in found} == set(answered)
    waiting = engine.post("/external-task", json={"processInstanceIdIn": answered}).json()
    assert {task["processInstanceId"] for task in waiting} == set(answered)
    _clear(engine, answered)


def _answer(engine: httpx.Client, store: httpx.Client) -> bool:
    """Whether both have mended their connections to the database that was killed."""
    return engine.get("/process-instance/count").is_success and store.get("/InsurancePlan/none").status_code == 404


def _more(answered: list[str]) -> None:
    """Wait until so many more starts were answered."""
    before = len(answered)
    while len(answered) < before + STARTED:
        time.sleep(0.01)


def _clear(engine: httpx.Client, process_ids: list[str]) -> None:
    for process_id in process_ids:
        engine.delete(f"/process-instance/{process_id}").raise_for_status()
