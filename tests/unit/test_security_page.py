"""docs/security.md and SECURITY.md against the tests, settings and files that there are."""

import re
from pathlib import Path

from api.settings import Settings

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "security.md").read_text("utf-8")
POINTS = re.findall(r"^\| (API\d+) ", PAGE, re.MULTILINE)


def _rows(heading: str) -> list[list[str]]:
    section = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in re.sub(r"\|(?= *\|)", "| ", section).splitlines() if "|" in line]
    return [[cell.strip(" |") for cell in row] for row in rows[2:]]


def test_every_test_it_names_is_there() -> None:
    named = set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE))
    assert len(named) > 50
    missing = {
        (file, name)
        for file, name in named
        if not re.search(rf"^(?:async )?def {name}\(", (ROOT / file).read_text("utf-8"), re.MULTILINE)
    }
    assert missing == set()


def test_every_point_has_a_test_behind_it() -> None:
    assert [f"API{number}" for number in range(1, 11)] == POINTS
    rows = _rows("OWASP API Security Top 10 (2023)") + _rows("OWASP GraphQL cheat sheet")
    assert len(rows) == 23
    assert [row[0] for row in rows if "::test_" not in row[3]] == []


def test_every_setting_it_names_is_there() -> None:
    assert set(re.findall(r"`([A-Z][A-Z_]+)(?:=\w+)?`", PAGE)) <= {name.upper() for name in Settings.model_fields}


def test_every_file_they_name_is_there() -> None:
    for page, folder in ((PAGE, ROOT / "docs"), ((ROOT / "SECURITY.md").read_text("utf-8"), ROOT)):
        assert [link for link in re.findall(r"\]\(([^)]+)\)", page) if not (folder / link).is_file()] == []
