"""Our model as it was in each of its versions, and a process of its own for a test: one key, several versions."""

import uuid
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from api.settings import OTHER_TYPES, Settings
from doctor.setup import MODEL

FOLDER = Path(__file__).parent / "models"
PREVIOUS = sorted(path for path in FOLDER.glob("*.bpmn"))
# before publications could be withdrawn, and before plans could be approved for later
WITHOUT_WITHDRAWN, WITHOUT_TIMER = PREVIOUS[:3], PREVIOUS[:4]


@dataclass(frozen=True)
class Process:
    """A process definition key that nothing else uses, and the engine it is deployed to."""

    engine: httpx.Client
    key: str = field(default_factory=lambda: f"approval-{uuid.uuid4().hex[:12]}")

    def deploy(self, model: str) -> str:
        """The next version of this process; its definition's id."""
        renamed = model.replace('"benefit-approval"', f'"{self.key}"')
        files = {MODEL.name: (MODEL.name, renamed.encode(), "application/xml")}
        answer = self.engine.post("/deployment/create", data={"deployment-name": self.key}, files=files)
        assert answer.is_success, answer.text
        (definition_id,) = answer.json()["deployedProcessDefinitions"]
        return str(definition_id)

    def served_by(self, settings: Settings, **changes: object) -> Settings:
        """The settings of an API that submits every draft to this process."""
        return settings.model_validate({**settings.model_dump(), "process_keys": {OTHER_TYPES: self.key}, **changes})

    def version_of(self, process_id: str) -> int:
        """The version that a running or ended approval is of."""
        instance = self.engine.get(f"/history/process-instance/{process_id}").raise_for_status().json()
        return int(instance["processDefinitionVersion"])
