"""Bugs planted one at a time in a copy of the tree, and whether the tests catch them: `make planted`.

Each first meets the tests that should catch it, and others only if these did not. The tree itself is not touched. On
systems of the caller's, or on a sandbox of its own.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from sandbox import running
from tests.planted import coordination, reading
from tests.planted.bug import Bug

ROOT = Path(__file__).parent.parent.parent
LEFT_OUT = (".git", ".venv", ".sandbox", "node_modules", ".mypy_cache", ".ruff_cache", ".pytest_cache", "__pycache__")


@contextmanager
def copy_of_tree() -> Iterator[Path]:
    """The tree, to be spoiled."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "tree"
        shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*LEFT_OUT))
        yield copy


def spoil(copy: Path, bug: Bug) -> None:
    """Plant it. Exits when the piece is not there just once: the list is to follow the code."""
    text = (copy / bug.file).read_text("utf-8")
    if text.count(bug.piece) != 1:
        sys.exit(f"{bug.name}: its piece is {text.count(bug.piece)} times in {bug.file}")
    (copy / bug.file).write_text(text.replace(bug.piece, bug.instead), "utf-8")


def caught_by(copy: Path, *options: str) -> str:
    """The first test that fails; empty when all pass."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", *options]
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)  # noqa: S603  # our own
    if done.returncode not in (0, 1):
        sys.exit(f"pytest did not run: {options}\n{done.stdout}{done.stderr}")
    failed = [line for line in done.stdout.splitlines() if line.startswith(("FAILED tests", "ERROR tests"))]
    return failed[0] if done.returncode else ""


def try_bug(bug: Bug, systems: list[str], *, thoroughly: bool) -> str:
    """What caught a bug, if anything did."""
    with copy_of_tree() as copy:
        spoil(copy, bug)
        caught = caught_by(copy, *bug.tests.split(), "-k", bug.by, *systems) if bug.by else ""
        if caught or not thoroughly:
            return caught
        return caught_by(copy, *bug.widely.split(), *systems)


@contextmanager
def systems_given_or_made(*given: str) -> Iterator[list[str]]:
    """pytest's options for the three systems: those given, else a sandbox until the block ends."""
    if all(given):
        yield _options(*given)
        return
    with tempfile.TemporaryDirectory() as folder, running(Path(folder), durable=False, console=Console()) as sandbox:
        yield _options(sandbox.retool_database_url, sandbox.camunda_url, sandbox.aidbox_url)


def _options(retool_dsn: str, camunda_url: str, aidbox_url: str) -> list[str]:
    return [f"--retool-dsn={retool_dsn}", f"--camunda-url={camunda_url}", f"--aidbox-url={aidbox_url}"]


def main(
    retool_dsn: Annotated[str, typer.Option(help="Running systems of yours; none: a sandbox is started.")] = "",
    camunda_url: Annotated[str, typer.Option()] = "",
    aidbox_url: Annotated[str, typer.Option()] = "",
    only: Annotated[str, typer.Option(help="A pattern for the names of those to plant.")] = "",
    thoroughly: Annotated[bool, typer.Option(help="What its own tests miss meets others.")] = True,  # noqa: FBT002  # a flag
) -> None:
    """Plant every bug, and say which were caught."""
    console, survivors = Console(width=200), 0
    with systems_given_or_made(retool_dsn, camunda_url, aidbox_url) as systems:
        for bug in (bug for bug in (*coordination.BUGS, *reading.BUGS) if re.search(only, bug.name)):
            caught = try_bug(bug, systems, thoroughly=thoroughly)
            survivors += not caught
            told = f"{'caught' if caught else 'SURVIVED':9} {bug.name:60} {caught[:120]}"
            console.print(told, highlight=False, markup=False)
    console.print(f"{survivors} survived")
    sys.exit(1 if survivors else 0)


if __name__ == "__main__":
    typer.run(main)
