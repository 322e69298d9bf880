"""When two ids name one person, and which ids can be used at all."""

import itertools

import pytest

from authentication.identity import canonical, same_person, usable_id

ONE_PERSON = ("ann", "Ann", "ANN", " ann", "ann\t", "ａｎｎ", "Ａｎｎ　")
OTHERS = (
    "anna",
    "an n",
    "a.nn",
    "änn",
    "аnn",
    "",
    "ann2",
    "ann@example.org",
)  # the fifth begins with a Cyrillic letter


@pytest.mark.parametrize(("one", "other"), [*itertools.combinations_with_replacement(ONE_PERSON, 2)])
def test_one_person(one: str, other: str) -> None:
    assert same_person(one, other)
    assert same_person(other, one)


@pytest.mark.parametrize(("one", "other"), [*itertools.combinations(("ann", *OTHERS), 2)])
def test_two_people(one: str, other: str) -> None:
    assert not same_person(one, other)
    assert not same_person(other, one)


@pytest.mark.parametrize(("one", "other"), [(None, None), (None, "ann"), ("None", None), ("", None)])
def test_nobody_is_nobody(one: str | None, other: str | None) -> None:
    assert not same_person(one, other)


def test_letters_that_only_look_alike_folded_are_two_people() -> None:
    assert not same_person("strauß", "strauss")


@pytest.mark.parametrize("user_id", [*ONE_PERSON, *OTHERS, "İstanbul", "ΣΑΣ", "ﬁsh", "Å", "\u212b", "K", "x\u0345Y"])
def test_the_canonical_form_is_its_own(user_id: str) -> None:
    assert canonical(canonical(user_id)) == canonical(user_id)


@pytest.mark.parametrize(
    ("given", "usable"),
    [
        ("ann", "ann"),
        (" ann ", "ann"),
        ("ann smith", "ann smith"),
        ("Ann@Example.org", "Ann@Example.org"),
        ("x" * 255, "x" * 255),
        (" " + "x" * 255, "x" * 255),
        ("x" * 256, None),
        ("", None),
        ("  ", None),
        ("two\nlines", None),
        ("nul\x00", None),
        ("zero\u200bwidth", None),
        ("right\u202eto-left", None),
    ],
)
def test_usable_ids(given: str, usable: str | None) -> None:
    assert usable_id(given) == usable


PLACEHOLDERS = (
    *("undefined", "null", "None", "NONE", "nil", "NaN", "nan", "Undefined", " null ", "ｎｕｌｌ"),
    *("undefined undefined", "null null", "undefined@undefined", "None.None", "null, null"),
    *("[object Object]", "[object Undefined]", "[object Promise]"),
    *("{{ current_user.email }}", "{{current_user.email", "current_user.email}}", "a {{ b }}", "${user}", "a-${b}"),
    *("<%= user %>", "#{user}", "$(user)", "{% user %}", "%(user)s"),
)
NAMES = (
    *("Nullmeyer", "nancy", "none.such@example.org", "undefined.example", "annul", "nilsson", "object Object"),
    *("a{b}", "{6f9619ff-8b86-d011-b42d-00cf4fc964ff}", "100%", "a$b", "cash$", "o'neil", "cn=ann,ou=staff"),
)


@pytest.mark.parametrize("given", PLACEHOLDERS)
def test_what_a_failed_template_leaves_is_nobody(given: str) -> None:
    assert usable_id(given) is None


@pytest.mark.parametrize("given", NAMES)
def test_names_that_only_resemble_one(given: str) -> None:
    assert usable_id(given) == given
