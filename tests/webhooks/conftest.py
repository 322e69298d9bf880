"""Receivers on this machine, and APIs with a worker that notify them."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial

import httpx
import pytest

from api.notification_events import EVENTS
from api.settings import Settings
from tests.serving import Api, Drafts, serving
from tests.stories.behind import Behind, until
from tests.webhooks.receiver import HOST, Receiver, receiving
from webhooks import receivers_of

Notifying = Callable[..., AbstractContextManager[Api]]


@pytest.fixture(scope="session")
def behind(drafts: Drafts, engine: httpx.Client, store: httpx.Client) -> Behind:
    """The three systems, to look at and to meddle with."""
    return Behind(drafts, engine, store)


def notified(settings: Settings, *entries: object, **further: object) -> Settings:
    """Settings by which these receivers are notified, and a worker that looks often."""
    own = {
        "webhook_urls": receivers_of(json.dumps(entries), events=EVENTS),
        "webhook_private_hosts": frozenset({HOST}),
        "worker": True,
        "worker_poll_seconds": 0.05,
        "lock_seconds": 20,
    }
    return settings.model_copy(update={**own, **further})


@pytest.fixture(scope="session")
def notifying(settings: Settings) -> Notifying:
    """Serve an API that notifies receivers: their entries, and further settings."""

    @contextmanager
    def serve(*entries: object, **further: object) -> Iterator[Api]:
        with serving(notified(settings, *entries, **further)) as api:
            yield api

    return serve


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver that takes what comes."""
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def second() -> Iterator[Receiver]:
    """Another one."""
    with receiving() as receiver:
        yield receiver


@pytest.fixture(autouse=True)
def _nothing_left(engine: httpx.Client) -> Iterator[None]:
    """What a test leaves waiting is deleted, so that no other finds it."""
    yield
    ours = {"processDefinitionKey": "benefit-notification"}
    for process in engine.get("/process-instance", params=ours).json():
        path = f"/process-instance/{process['id']}"
        until(partial(_is_deleted, engine, path))


def _is_deleted(engine: httpx.Client, path: str) -> bool:
    """The engine refuses while a task of the process is being completed."""
    return engine.delete(path).status_code in (204, 404)
