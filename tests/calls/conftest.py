"""Long inboxes, made once, and the API with every call behind it written down."""

from collections.abc import Iterator

import pytest

from api.settings import Settings
from tests.calls.inboxes import Inboxes
from tests.calls.recording import Recording
from tests.conftest import Systems
from tests.engine_access import engine_settings
from tests.serving import REVIEWER, Api, Drafts


@pytest.fixture(scope="session")
def inboxes(systems: Systems, drafts: Drafts, settings: Settings) -> Inboxes:
    assert settings.camunda_url in engine_settings(systems.camunda_url).values(), "the model is deployed"
    return Inboxes(drafts, systems.camunda_url, systems.aidbox_url)


@pytest.fixture(scope="session")
def patient(settings: Settings) -> Settings:
    """The settings for answers of a thousand rows on a busy machine."""
    longer = {"max_cost": 10_000_000, "request_seconds": 200.0, "camunda_timeout": 60.0, "aidbox_timeout": 60.0}
    return settings.model_copy(update=longer)


@pytest.fixture
def recording() -> Recording:
    return Recording()


@pytest.fixture
def cold(recording: Recording, patient: Settings) -> Iterator[Api]:
    """An API that has read nothing yet but the types of the drafts' columns, which it asks for once."""
    with recording.before(patient) as api:
        api.ask('{ draft(id: "none") { id } }', REVIEWER)
        recording.calls.clear()
        yield api
