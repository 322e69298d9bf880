"""A cache stays within its room, and forgets what was used least lately."""

from api.bounded_cache import BoundedCache


def test_what_was_used_least_lately_is_forgotten_first() -> None:
    cache: BoundedCache[str, int] = BoundedCache(100)
    for number, name in enumerate("abcdefghij"):
        assert cache.put(name, number, 10)
    assert cache.get("a") == 0
    assert cache.put("k", 10, 10)
    assert [cache.get(name) for name in "abc"] == [0, None, 2]


def test_a_value_put_again_takes_the_room_of_the_new_one_alone() -> None:
    cache: BoundedCache[str, int] = BoundedCache(100)
    for name in "abcdefghi":
        cache.put(name, 0, 10)
    for size in (10, 5, 10, 1, 10):
        cache.put("a", size, size)
    cache.put("j", 0, 10)
    assert [cache.get(name) is None for name in "abcdefghij"] == [False] * 10
    cache.put("k", 0, 1)
    assert cache.get("a") is None


def test_what_would_take_more_than_a_tenth_is_not_kept() -> None:
    cache: BoundedCache[str, int] = BoundedCache(100)
    assert not cache.put("a", 0, 11)
    assert cache.get("a") is None
    nothing: BoundedCache[str, int] = BoundedCache(0)
    assert not nothing.put("a", 0, 1)
