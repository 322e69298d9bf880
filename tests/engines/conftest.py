"""An engine as people have it: authorization on, in another time zone; and service users of it."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import httpx
import pytest

from api.settings import Settings
from doctor.setup import MODEL
from tests.conftest import Systems
from tests.engines.running import on_engine, operaton
from tests.serving import Drafts
from tests.stories.behind import Behind

DEFINITION, TASK, INSTANCE, DEPLOYMENT, BATCH = 6, 7, 8, 9, 13  # the engine's numbers of resource types
KEY = "benefit-approval"
NOTHING: Mapping[int, Sequence[str]] = {}


NEEDED = {
    (DEFINITION, KEY): (
        "READ", "CREATE_INSTANCE", "READ_HISTORY", "READ_INSTANCE", "UPDATE_INSTANCE", "READ_TASK", "UPDATE_TASK",
    ),
    (INSTANCE, "*"): ("CREATE",),
}  # fmt: skip


@dataclass(frozen=True)
class People:
    """The engine, asked as its administrator, and the settings of an API before it."""

    admin: httpx.Client
    settings: Settings

    def as_user(self, *without: str, key: str = KEY, more: Mapping[int, Sequence[str]] = NOTHING) -> Settings:
        """The settings of a service user that has every permission that is needed but these.

        `more`: further permissions by the type of their resource, on every one of it.
        """
        user_id = f"service{uuid.uuid4().hex}"
        profile = {"id": user_id, "firstName": "Plan", "lastName": "API", "email": ""}
        self._send("/user/create", {"profile": profile, "credentials": {"password": user_id}})
        needed = {(kind, key if on == KEY else on): permissions for (kind, on), permissions in NEEDED.items()}
        for (resource, resource_id), permissions in [*needed.items(), *(((kind, "*"), more[kind]) for kind in more)]:
            granted = [permission for permission in permissions if permission not in without]
            body = {"type": 1, "permissions": granted, "userId": user_id}
            self._send("/authorization/create", {**body, "resourceType": resource, "resourceId": resource_id})
        login = {"camunda_username": user_id, "camunda_password": user_id}
        return self.settings.model_validate({**self.settings.model_dump(), **login})

    def deploy(self, model: str) -> str:
        """A further version of the model; its id."""
        files = {MODEL.name: (MODEL.name, model.encode(), "application/xml")}
        answer = self.admin.post("/deployment/create", data={"deployment-name": KEY}, files=files)
        assert answer.is_success, answer.text
        (definition_id,) = answer.json()["deployedProcessDefinitions"]
        return str(definition_id)

    def _send(self, path: str, body: object) -> None:
        answer = self.admin.post(path, json=body)
        assert answer.is_success, answer.text


@pytest.fixture(scope="session")
def people(systems: Systems, settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[People]:
    """The engine with authorization on, its history complete, its clock five and a half hours ahead of UTC."""
    folder, name = tmp_path_factory.mktemp("engine"), f"engine_{uuid.uuid4().hex}"
    started = operaton(folder, systems.retool_database_url, name, zone="Asia/Kolkata", authorization=True)
    with started as address, httpx.Client(base_url=address, timeout=30) as admin:
        people = People(admin, on_engine(settings, address))
        people.deploy(MODEL.read_text("utf-8"))
        yield people


@pytest.fixture(scope="session")
def beyond(people: People, drafts: Drafts, store: httpx.Client) -> Behind:
    """The drafts, this engine and the store."""
    return Behind(drafts, people.admin, store)
