"""requirements.production.lock against pyproject.toml and the whole lock. `make lock` writes both."""

import re
import tomllib

from tests.deploy.dockerfile import ROOT

LOCK = (ROOT / "requirements.production.lock").read_text("utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PIN = re.compile(r"^([\w.-]+)==([\w.]+)", re.MULTILINE)


def names(requirements: list[str]) -> set[str]:
    """The packages, without versions and extras."""
    return {re.split(r"[\[<>=; ]", requirement)[0].lower() for requirement in requirements}


def test_every_line_is_a_pin_a_hash_or_a_reason() -> None:
    forms = r"[\w.-]+==[\w.]+( ; .+)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?|    # .*"
    assert [line for line in LOCK.splitlines() if not re.fullmatch(forms, line)] == []
    assert "://" not in LOCK


def test_every_pin_has_a_hash() -> None:
    assert len(PIN.findall(LOCK)) == len(re.findall(r"^[^ ].* \\\n    --hash=", LOCK, re.MULTILINE))


def test_it_has_all_that_the_service_needs_and_nothing_of_sandbox_and_tests() -> None:
    pinned = {name for name, _ in PIN.findall(LOCK)}
    assert names(PROJECT["project"]["dependencies"]) <= pinned
    others = names(PROJECT["project"]["optional-dependencies"]["sandbox"]) | names(PROJECT["dependency-groups"]["dev"])
    assert pinned & others == set()


def test_its_versions_are_those_the_tests_run_with() -> None:
    whole = PIN.findall((ROOT / "requirements.lock").read_text("utf-8"))
    assert set(PIN.findall(LOCK)) - set(whole) == set()
