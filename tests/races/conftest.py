"""The API with a turnstile before its upstreams, the rounds of a race, and the worker that tidies up after them."""

from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from api.settings import Settings
from tests.races.invariants import Aftermath, Raced, check
from tests.races.racing import Racing, Turnstile
from tests.serving import serving
from tests.stories.behind import until
from tests.stories.conftest import behind

__all__ = ["behind"]

LONG = 60.0  # seconds; a call that is held is not one that hangs
FEW = 12  # rounds; fewer need not have seen everything
Settle = Callable[..., Aftermath]


@pytest.fixture(scope="session")
def patient(settings: Settings) -> Settings:
    """Settings under which nothing times out that a schedule holds."""
    times = ("retool_timeout", "camunda_timeout", "aidbox_timeout", "request_seconds", "lock_seconds", "settle_seconds")
    return settings.model_copy(update=dict.fromkeys(times, LONG))


@pytest.fixture(scope="session")
def racing(patient: Settings) -> Iterator[Racing]:
    turnstile = Turnstile()
    with serving(patient, **turnstile.parts) as api:
        yield Racing(api, turnstile)


@pytest.fixture
def seeds(request: pytest.FixtureRequest) -> range:
    """A seed for each round."""
    first, rounds = (int(request.config.getoption(name)) for name in ("--seed", "--rounds"))
    return range(first, first + rounds)


@pytest.fixture
def seen(request: pytest.FixtureRequest, seeds: range) -> Iterator[Counter[str]]:
    """What happened over the rounds; every kind that a test begins with must have."""
    kinds: Counter[str] = Counter()
    failed_before = request.session.testsfailed
    yield kinds
    print(f"over {len(seeds)} rounds: {dict(kinds)}")  # noqa: T201  # for `-s`: how often which interleaving came
    if len(seeds) >= FEW and request.session.testsfailed == failed_before:
        assert all(kinds.values()), f"the schedules are too tame: {dict(kinds)}"


@pytest.fixture
def settle(settings: Settings) -> Settle:
    """Wait until nothing moves, with a worker's help if the requests left something, and check what must hold."""

    def settle(*all_raced: Raced) -> Aftermath:
        if _waits(*all_raced):
            quick = settings.model_copy(update={"worker": True, "worker_poll_seconds": 0.05})
            with serving(quick):
                until(lambda: not _waits(*all_raced))
        return check(*all_raced)

    return settle


def _waits(*all_raced: Raced) -> bool:
    """Whether a process of these drafts waits for the API."""
    return any(
        raced.behind.external_tasks(process_id)
        for raced in all_raced
        for process_id in raced.behind.active(raced.draft_id)
    )
