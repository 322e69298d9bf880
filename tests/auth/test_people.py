"""When two ids name one person."""

import pytest

from authentication.identity import canonical, same_person, usable_id

SAME = [
    ("ann@example.org", "ann@example.org"),
    ("ann@example.org", "Ann@Example.ORG"),
    ("ann@example.org", "  ann@example.org\t"),
    ("ann@example.org", "ａｎｎ＠ｅｘａｍｐｌｅ．ｏｒｇ"),
    ("rené@example.org", "rene\u0301@example.org"),
    ("RENÉ@example.org", "rene\u0301@example.org"),
    ("ﬁona", "FIONA"),
    ("Åsa", "\u212bsa"),
    ("İnci", "i\u0307nci"),
    ("groẞ", "groß"),
]
DIFFERENT = [
    ("ann@example.org", "anne@example.org"),
    ("ann@example.org", "ann@example.com"),
    ("strauß@example.org", "strauss@example.org"),
    ("rené@example.org", "rene@example.org"),
    ("ann", "a nn"),
    ("ann", "аnn"),
    ("ıan", "ian"),
    ("ann", None),
    (None, None),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_one_person(one: str, other: str) -> None:
    assert same_person(one, other)
    assert same_person(other, one)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_two_people(one: str | None, other: str | None) -> None:
    assert not same_person(one, other)
    assert not same_person(other, one)


@pytest.mark.parametrize("user_id", [each for pair in [*SAME, *DIFFERENT] for each in pair if each])
def test_what_is_canonical_stays_so(user_id: str) -> None:
    assert canonical(canonical(user_id)) == canonical(user_id)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("ann", "ann"),
        (" ann ", "ann"),
        ("Ann Author", "Ann Author"),
        ("a" * 255, "a" * 255),
        ("a" * 256, None),
        ("", None),
        (" \n", None),
        ("a\nb", None),
        ("a\u200bb", None),
        ("a\u202eb", None),
        ("a\ud800", None),
    ],
)
def test_an_id_can_be_seen(given: str, expected: str | None) -> None:
    assert usable_id(given) == expected
