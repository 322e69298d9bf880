"""The Dockerfile's steps carried out without Docker: `Build` reads them, and makes each stage in a folder of its own.

Used by conftest.py. It knows the instructions and forms our Dockerfile has; another one fails the tests until it is
taught here. The base image is played by a Python with pip, so what that image itself brings is not tested.
"""

import fnmatch
import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PACKAGES = {
    "api",
    "authentication",
    "columnar",
    "doctor",
    "fhir_answers",
    "fhir_client",
    "graphql_server",
    "migration",
    "notifications",
    "plandiff",
    "process_models",
    "resilience",
    "setting_types",
    "sandbox",
    "webhooks",
}
SILENT = {"ARG", "LABEL", "EXPOSE"}  # change no file and no process


@dataclass
class Stage:
    """A stage as far as it got: its files under `folder`, and how a container of it would start."""

    folder: Path
    workdir: str = "/"
    environment: dict[str, str] = field(default_factory=dict)
    user: str = "0"
    healthcheck: list[str] = field(default_factory=list)
    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)

    def at(self, path: str) -> Path:
        """Where a path of the container is on this machine."""
        return self.folder / (Path(self.workdir) / path).relative_to("/")

    def here(self, text: str) -> str:
        """A command or setting with this folder before the paths below /opt."""
        return text.replace("/opt/", f"{self.folder}/opt/")


@dataclass
class Build:
    """One build: `python` plays the base image, `folder` takes the stages."""

    python: Path
    folder: Path
    stages: dict[str, Stage] = field(default_factory=dict)

    def run(self, dockerfile: str) -> Stage:
        """Carry out all steps; the last stage."""
        for name, rest in instructions(dockerfile):
            if name == "FROM":
                stage = self._begin(rest)
            elif name not in SILENT:
                getattr(self, f"_{name.lower()}")(stage, rest)
        return stage

    def _begin(self, rest: str) -> Stage:
        image, _, name = rest.partition(" AS ")
        assert image == "${PYTHON_IMAGE}", image
        stage = Stage(self.folder / (name or "last"))
        stage.folder.mkdir()
        self.stages[name] = stage
        return stage

    def _workdir(self, stage: Stage, rest: str) -> None:
        stage.workdir = rest
        stage.at(".").mkdir(parents=True, exist_ok=True)

    def _copy(self, stage: Stage, rest: str) -> None:
        *sources, target = rest.split()
        if sources[0].startswith("--from="):
            source = self.stages[sources[0].partition("=")[2]].at(sources[1])
            shutil.copytree(source, stage.at(target), symlinks=True)
            return
        assert len(sources) == 1, rest
        for path in sent_files():
            inner = path.relative_to(sources[0]) if path.is_relative_to(sources[0]) else None
            if inner is not None:
                copied = stage.at(target) / (path.name if target.endswith("/") else inner)
                copied.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / path, copied)

    def _run(self, stage: Stage, rest: str) -> None:
        path = f"{self.python.parent}:/usr/bin:/bin"
        subprocess.run(["/bin/sh", "-ec", stage.here(rest)], cwd=stage.at("."), env={"PATH": path}, check=True)  # noqa: S603  # the Dockerfile's own

    def _env(self, stage: Stage, rest: str) -> None:
        known = {"PATH": f"{self.python.parent}:/usr/bin:/bin"}
        for name, value in (word.split("=", 1) for word in shlex.split(rest)):
            stage.environment[name] = stage.here(re.sub(r"\$(\w+)", lambda found: known[found[1]], value))

    def _user(self, stage: Stage, rest: str) -> None:
        stage.user = rest

    def _healthcheck(self, stage: Stage, rest: str) -> None:
        stage.healthcheck = json.loads(rest.partition("CMD ")[2])

    def _entrypoint(self, stage: Stage, rest: str) -> None:
        stage.entrypoint = json.loads(rest)

    def _cmd(self, stage: Stage, rest: str) -> None:
        stage.command = json.loads(rest)


def instructions(dockerfile: str) -> Iterator[tuple[str, str]]:
    """Each instruction's name and the rest of it, on one line."""
    kept = "\n".join(line for line in dockerfile.splitlines() if line.strip() and not line.lstrip().startswith("#"))
    for line in re.sub(r"\\\n\s*", "", kept).splitlines():
        name, _, rest = line.partition(" ")
        yield name, rest


def sent_files() -> list[Path]:
    """What `docker build` may copy: the files that .dockerignore leaves, relative to the project."""
    patterns = [line for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line and line[0] != "#"]
    # As Docker does, a folder that is left out as a whole is not looked into.
    tops = [path for path in ROOT.iterdir() if _is_sent(path.relative_to(ROOT), patterns)]
    files = (file for top in tops for file in ([top] if top.is_file() else top.rglob("*")) if file.is_file())
    return sorted(file.relative_to(ROOT) for file in files if _is_sent(file.relative_to(ROOT), patterns))


def _is_sent(path: Path, patterns: list[str]) -> bool:
    """The last pattern that names the file, or a folder it is in, decides."""
    names = [str(parent) for parent in (path, *path.parents[:-1])]
    sent = True
    for pattern in patterns:
        if any(_names(pattern.lstrip("!"), name) for name in names):
            sent = pattern.startswith("!")
    return sent


def _names(pattern: str, name: str) -> bool:
    """`*` stays within a folder, a leading `**/` is any number of folders."""
    inner = pattern.removeprefix("**/")
    depth = name.count("/") - inner.count("/")
    anywhere = depth >= 0 and inner != pattern
    return fnmatch.fnmatchcase(name.split("/", depth)[-1] if anywhere else name, inner) and (anywhere or depth == 0)
