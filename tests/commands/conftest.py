"""What a command is run on: a table of its own, a store and an engine that have something to say."""

from collections.abc import Iterator

import httpx
import pytest

from api.settings import Settings
from tests.commands.running import drop_table, new_name, run
from tests.serving import AUTHOR, Api, Drafts
from tests.verbs import submitted


@pytest.fixture
def stated(store: httpx.Client) -> None:
    """The store has said what it can do: HAPI takes seconds to put that together, and keeps it for a minute."""
    store.get("/metadata").raise_for_status()


@pytest.fixture
def table(settings: Settings, drafts: Drafts) -> Iterator[str]:
    """A fresh table, as `setup` makes it."""
    name = new_name()
    assert run(settings, "setup", DRAFTS_TABLE=name).code == 0
    yield name
    drop_table(drafts, name)


@pytest.fixture
def started(api: Api, drafts: Drafts) -> str:
    """A process that was started, so that the history shows what it keeps."""
    return submitted(api, drafts.new(), AUTHOR)
