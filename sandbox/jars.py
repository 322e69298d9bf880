"""The jars of the engine and the store: from Maven Central by way of jgo, each checked by its SHA-256 before use.

A list has one `group:artifact:version[:classifier] sha256` a line. The files are kept
outside the clone, for all clones; PLAN_API_CACHE names another place. A file gets its name once it is whole and right.
"""

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import platformdirs
from jgo.config import GlobalSettings
from jgo.maven import MavenContext
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from sandbox.server import SandboxError

AT_ONCE = 16
TRIES = 3
AN_HOUR = 3600


@dataclass(frozen=True)
class Jar:
    group: str
    artifact: str
    version: str
    classifier: str
    sha256: str

    @property
    def path(self) -> Path:
        """Where it is kept, below the cache."""
        end = f"-{self.classifier}.jar" if self.classifier else ".jar"
        return Path("jars", self.group, f"{self.artifact}-{self.version}{end}")


def cache_folder() -> Path:
    """PLAN_API_CACHE, or the user's cache folder as the system has it."""
    given = os.environ.get("PLAN_API_CACHE")
    return Path(given).absolute() if given else platformdirs.user_cache_path("plan-api")


def read_list(file: Path) -> list[Jar]:
    return [_jar(line) for line in file.read_text().splitlines() if line]


def fetch(jars: Sequence[Jar], console: Console) -> None:
    """Have every jar in the cache; those there and right are not fetched again."""
    cache = cache_folder()
    with ThreadPoolExecutor(AT_ONCE) as threads:
        right = threads.map(lambda jar: _is_right(cache / jar.path, jar), jars)
        missing = [jar for jar, is_right in zip(jars, right, strict=True) if not is_right]
    _clear_partial(cache)
    if not missing:
        return
    with _progress(len(missing), console) as (progress, task), ThreadPoolExecutor(AT_ONCE) as threads:
        fetched = [threads.submit(_fetch, jar, cache) for jar in missing]
        try:
            for number_of_bytes in (future.result() for future in as_completed(fetched)):
                megabytes = progress.tasks[task].fields["megabytes"] + number_of_bytes / 1e6
                progress.update(task, advance=1, megabytes=megabytes)
        except BaseException:
            threads.shutdown(cancel_futures=True)
            raise


def _clear_partial(cache: Path) -> None:
    """What killed fetches left; a younger folder may be another sandbox's, at work on it."""
    for partial in cache.glob("partial-*"):
        if time.time() - partial.stat().st_mtime > AN_HOUR:
            shutil.rmtree(partial, ignore_errors=True)


def _jar(line: str) -> Jar:
    coordinates, sha256 = line.split()
    group, artifact, version, *classifier = coordinates.split(":")
    return Jar(group, artifact, version, "".join(classifier), sha256)


def _is_right(path: Path, jar: Jar) -> bool:
    if not path.exists():
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == jar.sha256


def _fetch(jar: Jar, cache: Path) -> int:
    """The jar's size, once it is in the cache."""
    path = cache / jar.path
    path.parent.mkdir(parents=True, exist_ok=True)
    failure: Exception | None = None
    for _ in range(TRIES):
        with tempfile.TemporaryDirectory(dir=cache, prefix="partial-") as partial:
            try:
                fetched = _download(jar, Path(partial))
            except (OSError, RuntimeError) as error:  # the network or the disk; jgo found it nowhere
                failure = error
                continue
            if _is_right(fetched, jar):
                fetched.replace(path)
                return path.stat().st_size
            failure = SandboxError("its SHA-256 is not the one in our list")
    raise SandboxError(f"Could not fetch {path.name}: {failure}") from failure


def _download(jar: Jar, folder: Path) -> Path:
    context = MavenContext(repo_cache=folder, timeout=30)
    # a company's mirror is named in jgo's own settings, as for its command line
    context.remote_repos.update(GlobalSettings.load().repositories)
    component = context.project(jar.group, jar.artifact).at_version(jar.version)
    return component.artifact(classifier=jar.classifier).resolve()


@contextmanager
def _progress(files: int, console: Console) -> Iterator[tuple[Progress, TaskID]]:
    columns = (
        TextColumn("Fetching jars, once"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[megabytes]:.0f} MB"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        yield progress, progress.add_task("", total=files, megabytes=0.0)
