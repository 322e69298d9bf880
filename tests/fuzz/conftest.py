"""What every fuzzed answer must be like, how many examples are tried, and a world that they can meet."""

import json
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import SearchStrategy

from api.errors import UserErrorCode
from api.settings import Settings
from tests.serving import AUTHOR, Api, Drafts, serving
from tests.verbs import open_task, submitted

Drawn = TypeVar("Drawn")
Try = Callable[[SearchStrategy[Drawn], Callable[[Drawn], object]], None]


@pytest.fixture(scope="session")
def fuzzed(settings: Settings) -> Iterator[Api]:
    """The API, which waits for nothing long: what it waits for is not what is tried here."""
    with serving(settings.model_copy(update={"settle_seconds": 1})) as api:
        yield api


@pytest.fixture(scope="session")
def known(api: Api, drafts: Drafts) -> list[str]:
    """Ids that are there: a new draft, one in review, its task and process, a plan, and people."""
    fresh, in_review = drafts.new("Fuzzed"), drafts.new("Fuzzed, in review", aidbox_id=None)
    process_id = submitted(api, in_review, AUTHOR)
    return [fresh, in_review, open_task(api, in_review), process_id, "AcmeQHPGold", "1", "author", "reviewer"]


@pytest.fixture
def attempt(request: pytest.FixtureRequest) -> Try[Any]:
    """Try a test with so many examples of a strategy; the same ones for the same `--seed`."""
    first, examples = (int(request.config.getoption(name)) for name in ("--seed", "--examples"))

    def attempt(strategy: SearchStrategy[Any], test: Callable[[Any], object]) -> None:
        @seed(first)
        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate, Phase.shrink],
        )
        @given(strategy)
        def run(drawn: Any) -> None:
            test(drawn)

        run()

    return attempt


def check(response: httpx.Response) -> dict[str, Any]:
    """A whole answer: JSON, no 5xx, and every error has a code and none is a fault of ours. Its body."""
    assert response.status_code < 500, response.text
    body: dict[str, Any] = json.loads(response.content)
    assert body.keys() <= {"data", "errors", "extensions"}
    assert body.get("errors") or "data" in body
    for error in body.get("errors", []):
        assert error["message"]
        assert error["extensions"]["code"] not in ("", "INTERNAL_ERROR", "UPSTREAM_FAILED", "UPSTREAM_GARBLED"), error
        assert error["extensions"]["requestId"] == response.headers["X-Request-Id"]
    for payload in (body.get("data") or {}).values():
        for error in (payload or {}).get("userErrors") or [] if isinstance(payload, dict) else []:
            assert error.get("code", "NOT_FOUND") in set(UserErrorCode), error
    return body
