"""What is kept of plans' versions: what was read, as much of it as was read, as long as there is room."""

from datetime import UTC, datetime

import msgspec
from prometheus_client import REGISTRY

from api.telemetry import versions_looked_up
from api.upstreams.aidbox.records import PlanVersion
from fhir_client.version_cache import HEADER_BYTES, VersionCache

THEN = datetime(2027, 1, 1, tzinfo=UTC)
BODY = msgspec.Raw(b'{"name":"A plan"}')
KEY = ("plan", "1")


def version(number: int = 1, document: msgspec.Raw | None = BODY) -> PlanVersion:
    return PlanVersion("plan", str(number), THEN, "A plan", "active", (), document)


class Counts:
    """How many were found and missed since this was made, by the metric."""

    def __init__(self) -> None:
        self.before = self._now()

    def __call__(self) -> tuple[int, int]:
        return int(self._now()[0] - self.before[0]), int(self._now()[1] - self.before[1])

    def _now(self) -> tuple[float, float]:
        name = "plan_api_version_cache_total"
        hits, misses = (REGISTRY.get_sample_value(name, {"outcome": told}) or 0 for told in ("hit", "miss"))
        return hits, misses


def test_a_whole_version_serves_both_ways_of_asking() -> None:
    kept, counts = VersionCache[PlanVersion](100_000, observe=versions_looked_up), Counts()
    kept.store(version())
    assert kept.find([KEY], with_document=True) == {KEY: version()}
    assert kept.find([KEY, ("plan", "2")], with_document=False) == {KEY: version()}
    assert counts() == (2, 1)


def test_a_header_is_not_taken_for_the_whole() -> None:
    kept, counts = VersionCache[PlanVersion](100_000, observe=versions_looked_up), Counts()
    kept.store(version(document=None))
    assert kept.find([KEY], with_document=False) == {KEY: version(document=None)}
    assert kept.find([KEY], with_document=True) == {}
    kept.store(version())
    kept.store(version(document=None))
    assert kept.find([KEY], with_document=True) == {KEY: version()}
    assert counts() == (2, 1)


def test_of_an_answer_the_version_alone_stays() -> None:
    answer = msgspec.json.decode(b'[{"name":"A plan"}, 1]', type=list[msgspec.Raw])
    kept = VersionCache[PlanVersion](100_000, observe=versions_looked_up)
    kept.store(version(document=answer[0]))
    (found,) = kept.find([KEY], with_document=True).values()
    assert (found.resource, found.resource is answer[0]) == (BODY, False)


def test_the_room_is_in_bytes_and_the_oldest_goes() -> None:
    one = HEADER_BYTES + len(BODY)
    kept = VersionCache[PlanVersion](10 * one, observe=versions_looked_up)
    for number in range(10):
        kept.store(version(number))
    assert kept.find([("plan", "0")], with_document=True)
    kept.store(version(10))
    found = kept.find([("plan", str(number)) for number in range(11)], with_document=True)
    assert sorted(int(number) for _, number in found) == [0, *range(2, 11)]


def test_one_version_does_not_take_more_than_a_tenth() -> None:
    size = HEADER_BYTES + len(BODY)
    kept, counts = VersionCache[PlanVersion](10 * size - 1, observe=versions_looked_up), Counts()
    kept.store(version())
    assert (kept.find([KEY], with_document=True), counts()) == ({}, (0, 1))


def test_without_room_nothing_is_kept() -> None:
    kept, counts = VersionCache[PlanVersion](0, observe=versions_looked_up), Counts()
    kept.store(version(document=None))
    assert (kept.find([KEY], with_document=False), counts()) == ({}, (0, 1))


def test_what_is_asked_twice_at_once_counts_once() -> None:
    kept, counts = VersionCache[PlanVersion](100_000, observe=versions_looked_up), Counts()
    kept.store(version())
    kept.find([KEY, KEY], with_document=True)
    assert counts() == (1, 0)
