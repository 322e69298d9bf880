"""The replicas that are asked, and the other models."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from api.settings import Settings
from doctor.setup import MODEL
from tests.crash.enumeration import Enumeration, Replica
from tests.crash.scenarios import MODELS
from tests.serving import Drafts
from tests.stories.behind import Behind

STRUCK = {"lock_seconds": 5}  # a dead replica's locks end soon
CUT = {"breaker_failures": 0}  # cuts of many requests do not close a system to all
# a living one waits for a dead one's locks, and has time on a busy machine
LIVING = {
    "lock_seconds": 10,
    "settle_seconds": 60,
    "request_seconds": 300,
    "retool_timeout": 60,
    "camunda_timeout": 60,
    "aidbox_timeout": 60,
    "worker_poll_seconds": 0.05,
    "reconcile_seconds": 600,
}


@pytest.fixture(scope="session")
def enumeration(settings: Settings, drafts: Drafts, engine: httpx.Client, store: httpx.Client) -> Iterator[Enumeration]:
    """Two replicas without a worker, and the systems behind them."""
    for tenant, model in MODELS.items():
        _deploy(engine, tenant, model)
    living = settings.model_copy(update=LIVING)
    struck = living.model_copy(update=STRUCK)
    with Replica.serving(living.model_copy(update=CUT)) as one, Replica.serving(living) as other:
        yield Enumeration(struck, living, Behind(drafts, engine, store), one, other)


def _deploy(engine: httpx.Client, tenant: str, model: Path) -> None:
    """For a tenant of its own, so that the usual model stays what a submission starts."""
    form = {"deployment-name": tenant, "tenant-id": tenant, "enable-duplicate-filtering": "true"}
    files = {MODEL.name: (MODEL.name, model.read_bytes(), "application/xml")}
    engine.post("/deployment/create", data=form, files=files).raise_for_status()
