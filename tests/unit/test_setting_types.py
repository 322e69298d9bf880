"""The page of setting_types, and the sentences that name what is wrong with a setting."""

from pathlib import Path

import pytest
from pydantic import ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from setting_types import HttpAddress, Origins, PostgresAddress, Seconds, what_is_wrong


class Settings(BaseSettings):
    model_config = SettingsConfigDict(use_attribute_docstrings=True)
    site: HttpAddress
    """Where the site is."""
    database: PostgresAddress | None = None
    """Where rows are."""
    origins: Origins = frozenset()
    """Whose pages may read."""
    pause: Seconds = 1
    """How long to wait."""


SITE = "https://site.example"
ORIGIN = "an origin is like https://app.example.com, in small letters and without a path"
PAUSE = "PAUSE is wrong (Input should be greater than 0): How long to wait."
WRONG = {
    "nothing": ({}, "SITE is missing: Where the site is."),
    "no host": ({"site": "https://"}, "SITE is wrong (an http:// or https:// address is needed): Where the site is."),
    "an unescaped slash": (
        {"site": "https://user:pa/ss@site.example:x"},
        "SITE is wrong (an http:// or https:// address is needed): Where the site is.",
    ),
    "another database": (
        {"site": SITE, "database": "mysql://user:secret@host/rows"},
        "DATABASE is wrong (an address like postgresql://user:password@host:5432/database is needed): Where rows are.",
    ),
    "a path in an origin, and no pause": (
        {"site": SITE, "origins": "https://app.example/page", "pause": 0},
        f"ORIGINS is wrong ({ORIGIN}): Whose pages may read.; {PAUSE}",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_said_without_its_value(name: str) -> None:
    given, sentence = WRONG[name]
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate(given)
    assert what_is_wrong(Settings, caught.value) == sentence


def test_the_page_says_what_happens() -> None:
    page = Path(__file__).parents[2] / "setting_types" / "README.md"
    exec(page.read_text().partition("```python")[2].partition("```")[0], {"__name__": "page"})  # noqa: S102  # the page
