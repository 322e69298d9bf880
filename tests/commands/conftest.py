"""What a command is run on: a table of its own, a store and an engine that have something to say."""

import asyncio
from collections.abc import Iterator

import httpx
import pytest

from api.settings import Settings
from tests.commands.running import drop_table, new_name
from tests.conftest import setting_up
from tests.serving import AUTHOR, Api, Drafts
from tests.verbs import submitted


@pytest.fixture
def stated(settings: Settings) -> None:
    """The store has said what it can do: HAPI takes seconds to put that together, and keeps it for a minute."""
    httpx.get(f"{settings.aidbox_url}/metadata", timeout=120, trust_env=False).raise_for_status()


@pytest.fixture
def table(settings: Settings, drafts: Drafts) -> Iterator[str]:
    """A fresh table, as `setup` makes it."""
    name = new_name()
    asyncio.run(setting_up(settings.model_copy(update={"drafts_table": name})))
    yield name
    drop_table(drafts, name)


@pytest.fixture
def started(api: Api, drafts: Drafts) -> str:
    """A process that was started, so that the history shows what it keeps."""
    return submitted(api, drafts.new(), AUTHOR)
