"""The list of planted bugs follows the code: each replaces a piece that is in its file exactly once."""

import re
from pathlib import Path

import pytest

from tests.planted import coordination, reading
from tests.planted.bug import Bug

ROOT = Path(__file__).parents[2]
BUGS = [*coordination.BUGS, *reading.BUGS]


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_planted_bug_replaces_a_piece_of_the_code(bug: Bug) -> None:
    assert (ROOT / bug.file).read_text("utf-8").count(bug.piece) == 1
    assert bug.piece != bug.instead
    assert [path for path in f"{bug.tests} {bug.widely}".split() if not (ROOT / path).exists()] == []


def test_the_page_says_how_many_there_are() -> None:
    page = (ROOT / "docs" / "reliability.md").read_text("utf-8")
    assert re.findall(r"plants (\d+) bugs", page) == [str(len(BUGS))]
