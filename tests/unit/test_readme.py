"""The front page is short, its links lead somewhere, and its commands are those that the project has."""

import re
from pathlib import Path

from tests.unit.test_docs import ROOT, broken_links, unknown_commands, unknown_targets

README = (ROOT / "README.md").read_text("utf-8")
CI = (ROOT / ".ci" / "run").read_text("utf-8")


def test_it_is_short() -> None:
    assert len(README.splitlines()) <= 150
    assert len(README.split()) <= 1_500


def test_every_link_leads_somewhere() -> None:
    assert broken_links(ROOT / "README.md") == []


def test_every_command_it_names_is_there() -> None:
    assert unknown_targets(README) == set()
    assert unknown_commands(README) == set()


def test_its_test_command_is_what_the_continuous_integration_runs() -> None:
    commands = README.partition("## Two commands")[2].partition("```sh\n")[2].partition("```")[0]
    assert re.findall(r"^make (\w+) ", commands, re.MULTILINE) == ["demo", "test"]
    assert "make test" in CI.splitlines()


def test_every_reader_has_a_page() -> None:
    table = README.partition("| you are | start with |")[2].partition("\n\n")[0]
    readers = re.findall(r"^\| ([^|]+?) \| \[", table, re.MULTILINE)
    assert {"a Retool developer", "a Camunda operator", "a FHIR engineer"} <= set(readers)


def test_it_has_a_licence_a_changelog_and_a_guide() -> None:
    assert (ROOT / "LICENSE").read_text("utf-8").split()[:2] == ["Apache", "License"]
    assert "## Unreleased" in (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert Path(ROOT / "CONTRIBUTING.md").is_file()
