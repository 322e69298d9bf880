"""What `make lint` makes of pip-audit's report; the report itself is as pip-audit writes it."""

import pytest

from tools.advisories import Report, compared, vulnerabilities

FOUND = {"id": "PYSEC-2026-1", "fix_versions": ["2.0", "1.9.1"], "aliases": ["CVE-2026-1"], "description": "Bad."}
CLEAN = {"name": "fine", "version": "1.0", "vulns": []}
SKIPPED = {"name": "unknown", "skip_reason": "Dependency not found and could not be audited: unknown (1.0)"}


@pytest.mark.parametrize(
    ("packages", "known", "lines"),
    [
        ([], 0, []),
        ([SKIPPED], 0, []),
        ([CLEAN, SKIPPED], 1, []),
        ([{"name": "bad", "version": "1.0", "vulns": [FOUND]}], 1, ["bad 1.0: PYSEC-2026-1; mended in: 2.0, 1.9.1"]),
        (
            [CLEAN, {"name": "worse", "version": "2", "vulns": [FOUND, {**FOUND, "id": "OSV-2", "fix_versions": []}]}],
            2,
            ["worse 2: PYSEC-2026-1; mended in: 2.0, 1.9.1", "worse 2: OSV-2; mended in: none yet"],
        ),
    ],
)
def test_reports(packages: list[dict[str, object]], known: int, lines: list[str]) -> None:
    report: Report = {"dependencies": packages, "fixes": []}
    assert (compared(report), list(vulnerabilities(report))) == (known, lines)
