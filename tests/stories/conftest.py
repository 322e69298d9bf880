"""What every story needs: a look behind the API, and the samples' references in the store."""

import httpx
import pytest

from sandbox.samples import load_plans
from tests.conftest import Systems
from tests.serving import Drafts
from tests.stories.behind import Behind


@pytest.fixture(scope="session")
def behind(drafts: Drafts, engine: httpx.Client, store: httpx.Client) -> Behind:
    """The three systems, to look at and to meddle with."""
    return Behind(drafts, engine, store)


@pytest.fixture(scope="session")
def _references(systems: Systems) -> None:
    """What the sample plans refer to is in the store."""
    load_plans(systems.aidbox_url)
