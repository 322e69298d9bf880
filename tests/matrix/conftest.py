"""The world, once in each process that tests run in."""

import pytest

from tests.matrix.world import World
from tests.serving import Api
from tests.stories.behind import Behind
from tests.stories.conftest import behind

__all__ = ["behind"]


@pytest.fixture(scope="session")
def world(api: Api, behind: Behind) -> World:
    return World(api, behind)
