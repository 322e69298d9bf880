"""A copy of our model under a key of its own, so that no worker of another test takes its tasks."""

import uuid
from collections.abc import Iterator

import httpx
import pytest

from doctor.setup import MODEL


def model_under(key: str) -> bytes:
    """Our model with another key."""
    model = MODEL.read_bytes().replace(b'id="benefit-approval"', f'id="{key}"'.encode())
    return model.replace(b'bpmnElement="benefit-approval"', f'bpmnElement="{key}"'.encode())


def deploy(engine: httpx.Client, key: str, model: bytes) -> httpx.Response:
    """Deploy as this service does."""
    form = {"deployment-name": key, "enable-duplicate-filtering": "true", "deployment-source": "contract"}
    return engine.post("/deployment/create", data=form, files={"model.bpmn": ("model.bpmn", model, "application/xml")})


def take_back(engine: httpx.Client, key: str) -> None:
    """Every version and all its processes, gone."""
    for definition in engine.get("/process-definition", params={"key": key}).json():
        engine.delete(f"/deployment/{definition['deploymentId']}", params={"cascade": "true"}).raise_for_status()


@pytest.fixture(scope="module")
def key(engine: httpx.Client) -> Iterator[str]:
    """The key of the copy."""
    name = f"contract-{uuid.uuid4().hex[:12]}"
    deploy(engine, name, model_under(name)).raise_for_status()
    yield name
    take_back(engine, name)
